"""Every two methods together: they train, or they are refused with the reason."""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier, pooled_head, with_cached_features
from tfpretune.objectives import MultiLabel
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.finetuning.methods import apply_methods
from tfpretune.training.optimizers.from_settings import make_optimizer
from tfpretune.training.optimizers.moving_averages import AverageWeights

STEPS = 3

METHODS = {
    "frozen all": {"frozen": "all"},
    "frozen 2": {"frozen": "2"},
    "frozen last:1": {"frozen": "last:1"},
    "frozen bias": {"frozen": "bias"},
    "unfreeze": {"unfreeze_every": 1},
    "layer decay": {"layer_decay": 0.5},
    "lora": {"lora_rank": 2, "lora_dropout": 0.1},
    "l2_sp": {"l2_sp": 0.1, "l2_sp_head": 0.1},
    "l1": {"l1": 0.001},
    "r_drop": {"r_drop": 1.0},
    "cache": {"cache_features": True},
    "from scratch": {"from_scratch": True, "init_head_from_probe": False},
    "label smoothing": {"label_smoothing": 0.1},
    "accumulate": {"accumulate_steps": 2},
    "ema": {"optimizer": OptimizerConfig(ema=0.9)},
    "swa": {"optimizer": OptimizerConfig(swa=0.25)},
    "sgd": {"optimizer": OptimizerConfig(name="sgd")},
    "adam": {"optimizer": OptimizerConfig(name="adam")},
    "one cycle": {"optimizer": OptimizerConfig(schedule="one_cycle")},
}
REFUSED = {  # in the order of METHODS
    ("frozen all", "unfreeze"): "nothing may be unfrozen",
    ("frozen all", "layer decay"): "the head has one learning rate",
    ("frozen all", "lora"): "no layer is left for LoRA",
    ("frozen all", "l2_sp"): "the backbone does not move",
    ("unfreeze", "from scratch"): "random layers cannot wait",
    ("lora", "l2_sp"): "do not move",
    ("lora", "from scratch"): "LoRA needs pre-trained weights",
    ("l2_sp", "from scratch"): "no pre-trained values",
} | {
    pair: "needs --frozen all"
    for pair in itertools.combinations(METHODS, 2)
    if "cache" in pair and "frozen all" not in pair
}
SIMPLE = {"from scratch", "label smoothing", "adam", "sgd", "one cycle"}  # they change no other method's variables
UNSEEN = {"cache", "from scratch", "accumulate", "sgd"}  # the same update; no preset to leave out; the rule of all here
FIELDS = {"source": "demo:digits", "out_dir": "x", "preset": "p", "steps": STEPS, "dropout": 0.3}
random = np.random.default_rng(0)
TEXT = {
    "token_ids": random.integers(5, 11, (4, 6)).astype("int32"),
    "padding_mask": np.ones((4, 6), "int32"),
    "labels": np.array([0, 1, 1, 0], "int32"),
}
SETS = TEXT | {"labels": random.integers(0, 2, (4, 3)).astype("int32")}
IMAGES = {"images": random.random((4, 8, 8, 1)).astype("float32"), "labels": TEXT["labels"]}


def settings(*names):
    """The settings of some methods; those of one optimizer are merged."""
    merged, rule = {}, {}
    for name in names:
        for field, value in METHODS[name].items():
            if field == "optimizer":
                rule |= {
                    f.name: getattr(value, f.name)
                    for f in dataclasses.fields(value)
                    if getattr(value, f.name) != f.default
                }
            else:
                merged[field] = value
    merged["optimizer"] = OptimizerConfig(**{"name": "sgd", "learning_rate": 1e-2, **rule})
    return merged


class Learnt(NamedTuple):
    """What some steps came to: all weights, and which of "head" and "backbone" moved."""

    weights: list
    moved: set


def learn(run, model, columns, steps=STEPS):
    """Some steps of the run as `fit` makes them, eager; with --cache-features as the recipes do, on the features."""
    apply_methods(model, run)
    trained = model
    if run.cache_features:
        trained, batches = with_cached_features(model, StepIndexed(columns, 4))
        columns = batches.columns
    rule = make_optimizer(run.optimizer, steps, rate_factors=model.rate_factors)
    trained.compile(rule, accumulate_steps=run.accumulate_steps, run_eagerly=True)
    before = [weight.numpy() for weight in model.weights]
    unfreezing = [] if model.unfreezing is None else [model.unfreezing]
    data = tf.data.Dataset.from_tensor_slices(columns).batch(4).repeat(steps)
    history = trained.fit(data, callbacks=unfreezing, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"][0])
    average = AverageWeights()
    average.set_model(trained)
    average.put_in()
    backbone, after = {id(weight) for weight in model.backbone.weights}, [weight.numpy() for weight in model.weights]
    moved = {
        "backbone" if id(weight) in backbone else "head"
        for weight, old, new in zip(model.weights, before, after, strict=True)
        if (old != new).any()
    }
    return Learnt(after, moved)


@functools.cache
def learnt(*names):
    """What a small encoder with a head learns with these methods."""
    run = FinetuneConfig(**FIELDS, **settings(*names))
    keras.utils.set_random_seed(0)
    encoder = TextEncoder(11, 2, num_heads=2, hidden_dim=4, intermediate_dim=8)
    model = classifier(encoder, 2, dropout=run.dropout, label_smoothing=run.label_smoothing)
    return learn(run, model, TEXT)


def same(one, other):
    return len(one.weights) == len(other.weights) and all(
        np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True)
    )


PAIRS = [
    pytest.param(
        pair, id=" + ".join(pair), marks=[pytest.mark.slow] if SIMPLE & {*pair} and pair not in REFUSED else []
    )
    for pair in itertools.combinations(METHODS, 2)
    if not all(name.startswith("frozen") for name in pair) and {*pair} not in ({"ema", "swa"}, {"sgd", "adam"})
]


@pytest.mark.parametrize("pair", PAIRS)
def test_two_together(pair):
    """The settings are refused before any model is made, or both have an effect: without one of them other weights come out."""
    if pair in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[pair]):
            FinetuneConfig(**FIELDS, **settings(*pair))
        return
    found = learnt(*pair)
    assert found.moved == ({"head"} if "frozen all" in pair else {"head", "backbone"})
    for name, other in (pair, pair[::-1]):
        if name not in UNSEEN and other != "cache":
            assert not same(found, learnt(other)), f"{name} does nothing beside {other}"


BESIDE_THE_HEAD_ALONE = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SIMPLE - {"label smoothing"} else [])
    for name in METHODS
    if name != "cache" and not name.startswith("frozen")
]


@pytest.mark.parametrize("name", BESIDE_THE_HEAD_ALONE)
def test_on_cached_features(name):
    """With the head alone learning, a method does on features what it does on the whole model, or is refused on both."""
    pair = ("frozen all", name)
    if pair in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[pair]):
            FinetuneConfig(**FIELDS, **settings(*pair, "cache"))
        return
    for found, expected in zip(learnt(*pair, "cache").weights, learnt(*pair).weights, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "cache"])
def test_each_on_images(name):
    run = FinetuneConfig(source="demo:digits", out_dir="x", preset="p", steps=4, **settings(name))
    found = learn(run, classifier(SmallCNN((8, 8, 1), (8, 8)), 2, dropout=0.3), IMAGES, steps=2)
    assert found.moved == ({"head"} if name == "frozen all" else {"head", "backbone"})


WITH_A_SET = ["frozen all", "unfreeze", "layer decay", "lora", "l2_sp", "r_drop"]


@pytest.mark.parametrize("name", WITH_A_SET)
def test_each_with_sets_of_labels(name):
    """The methods know the backbone and the layer "logits", not what the head says."""
    run = FinetuneConfig(
        source="demo:digits", out_dir="x", preset="p", steps=4, label_kind="multi-label", **settings(name)
    )
    keras.utils.set_random_seed(0)
    encoder = TextEncoder(11, 2, num_heads=2, hidden_dim=4, intermediate_dim=8)
    model = pooled_head(encoder, MultiLabel(3, (1.0, 2.0, 0.5)), dropout=0.3)
    assert learn(run, model, SETS, steps=2).moved == ({"head"} if name == "frozen all" else {"head", "backbone"})


def test_cached_features_with_sets_of_labels():
    """A step on the features leaves the weights that a step on the whole model leaves."""
    run = FinetuneConfig(
        source="demo:digits", out_dir="x", preset="p", steps=4, label_kind="multi-label", **settings("frozen all")
    )
    found = []
    for cached in (False, True):
        keras.utils.set_random_seed(0)
        encoder = TextEncoder(11, 2, num_heads=2, hidden_dim=4, intermediate_dim=8)
        model = pooled_head(encoder, MultiLabel(3), dropout=0.0)
        apply_methods(model, run)
        batches = StepIndexed(SETS, 4)
        trained, batches = with_cached_features(model, batches) if cached else (model, batches)
        trained.compile(make_optimizer(run.optimizer, 4), run_eagerly=True)
        trained.fit(batches.from_step(0, 2), verbose=0, shuffle=False)
        found.append(model.get_layer("logits").get_weights())
    for on_model, on_features in zip(*found, strict=True):
        np.testing.assert_allclose(on_features, on_model, atol=1e-6)


@pytest.mark.parametrize(
    ("own", "rate", "message"),
    [
        ({"frozen": "8", "l2_sp": 0.1}, 0.1, "--l2-sp and --frozen 8: nothing in the backbone is trainable"),
        (
            {"frozen": "8", "layer_decay": 0.5},
            0.1,
            "--layer-decay and --frozen 8: nothing in the backbone is trainable",
        ),
        ({"r_drop": 1.0}, 0.0, "--r-drop needs --dropout or --backbone-dropout above 0"),
    ],
)
def test_what_would_change_nothing_is_refused_once_the_model_shows_it(own, rate, message):
    """Two stages are 8 layers with weights, and they have no dropout of their own."""
    run = FinetuneConfig(source="demo:digits", out_dir="x", preset="p", steps=4, dropout=rate, **own)
    model = classifier(SmallCNN((8, 8, 1), (8, 8)), 2, dropout=rate)
    with pytest.raises(UsageError, match=message):
        apply_methods(model, run)


def test_the_tables_say_what_learns_when_and_how_fast():
    run = FinetuneConfig(source="demo:digits", out_dir="x", preset="p", steps=9, unfreeze_every=3, layer_decay=0.5)
    text = apply_methods(classifier(SmallCNN((8, 8, 1), (8, 8)), 2), run)
    assert "trainable" in text
    assert "learning rate x" in text
    assert "from step" in text


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"layer_decay": 0.0}, "--layer-decay must be in"),
        ({"l2_sp": -1.0}, "--l2-sp must not be negative"),
        ({"lora_dropout": 1.0, "lora_rank": 1}, "--lora-dropout must be in"),
        ({"lora_alpha": 2.0}, "need --lora-rank"),
        ({"r_drop": 1.0, "dropout": 0.0, "backbone_dropout": 0.0}, "both passes are the same"),
        ({"cache_features": True, "frozen": "all", "backbone_dropout": 0.1}, "other ones at each step"),
    ],
)
def test_values_that_cannot_work(own, message):
    with pytest.raises(UsageError, match=message):
        FinetuneConfig(source="demo:digits", out_dir="x", preset="p", steps=1, **own)
