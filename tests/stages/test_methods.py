"""Every two methods together: they train, or they are refused with the reason."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.config import OptimizerConfig, UsageError
from tfpretune.data.batches import StepIndexed
from tfpretune.finetune import classifier, pooled_head, with_cached_features
from tfpretune.finetune_config import FinetuneConfig
from tfpretune.objectives import MultiLabel
from tfpretune.stages.methods import apply_methods
from tfpretune.training.optimizers import make_optimizer

METHODS = {
    "frozen all": {"frozen": "all"},
    "frozen 1": {"frozen": "1"},
    "frozen last:1": {"frozen": "last:1"},
    "frozen bias": {"frozen": "bias"},
    "unfreeze": {"unfreeze_every": 2},
    "layer decay": {"layer_decay": 0.5},
    "lora": {"lora_rank": 2, "lora_dropout": 0.1},
    "l2_sp": {"l2_sp": 0.1, "l2_sp_head": 0.1},
    "l1": {"l1": 0.001},
    "r_drop": {"r_drop": 1.0},
    "cache": {"cache_features": True},
    "from scratch": {"from_scratch": True, "probe_head": False},
    "label smoothing": {"label_smoothing": 0.1},
    "accumulate": {"accumulate_steps": 2},
    "ema": {"optimizer": OptimizerConfig(ema=0.9)},
    "swa": {"optimizer": OptimizerConfig(swa=0.5)},
    "sgd": {"optimizer": OptimizerConfig(name="sgd")},
    "adam": {"optimizer": OptimizerConfig(name="adam")},
    "one cycle": {"optimizer": OptimizerConfig(schedule="one_cycle")},
}
REFUSED = {  # in the order of METHODS
    ("frozen all", "unfreeze"): "nothing may be unfrozen",
    ("frozen all", "layer decay"): "the head has one rate",
    ("frozen all", "lora"): "no layer is left for LoRA",
    ("frozen all", "l2_sp"): "the backbone does not move",
    ("unfreeze", "from scratch"): "random layers cannot wait",
    ("layer decay", "adam"): "adamw or sgd",
    ("lora", "l2_sp"): "do not move",
    ("lora", "from scratch"): "LoRA needs pre-trained weights",
    ("l2_sp", "from scratch"): "no pre-trained values",
} | {
    pair: "needs --frozen all"
    for pair in itertools.combinations(METHODS, 2)
    if "cache" in pair and "frozen all" not in pair
}
SIMPLE = {"from scratch", "label smoothing", "adam", "sgd", "one cycle"}  # they change no other method's variables
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
            elif field in merged and merged[field] != value:
                pytest.skip("two values of one setting")
            else:
                merged[field] = value
    merged["optimizer"] = OptimizerConfig(**{"name": "sgd", "learning_rate": 1e-2, **rule})
    return merged


def learn(run, model, batch):
    """One step of the run, as `fit` makes it; returns what changed."""
    apply_methods(model, run)
    model.compile(
        make_optimizer(run.optimizer, 4, rate_factors=getattr(model, "rate_factors", ())),
        accumulate_steps=run.accumulate_steps,
        run_eagerly=True,
    )
    model.build_optimizer()
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(tf.data.Dataset.from_tensor_slices(batch).batch(4).repeat(2), verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"][0])
    return sum(bool((a != v.numpy()).any()) for a, v in zip(before, model.trainable_variables, strict=True))


PAIRS = [
    pytest.param(
        pair, id=" + ".join(pair), marks=[pytest.mark.slow] if SIMPLE & {*pair} and pair not in REFUSED else []
    )
    for pair in itertools.combinations(METHODS, 2)
]


@pytest.mark.parametrize("pair", PAIRS)
def test_two_together(pair):
    """They learn something in an eager step, or the settings are refused before any model is made."""
    fields = {"source": "demo:digits", "out_dir": "x", "preset": "p", "steps": 4, "dropout": 0.3}
    if ("ema" in pair) and ("swa" in pair):
        with pytest.raises(UsageError, match="two averages"):
            settings(*pair)
        return
    own = settings(*pair)
    if pair in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[pair]):
            FinetuneConfig(**fields, **own)
        return
    run = FinetuneConfig(**fields, **own)
    keras.utils.set_random_seed(0)
    encoder = TextEncoder(11, 2, num_heads=2, hidden_dim=4, intermediate_dim=8)
    model = classifier(encoder, 2, dropout=run.dropout, label_smoothing=run.label_smoothing, r_drop=run.r_drop)
    assert learn(run, model, TEXT) > 0


@pytest.mark.parametrize("name", [name for name in METHODS if name != "cache"])
def test_each_on_images(name):
    run = FinetuneConfig(source="demo:digits", out_dir="x", preset="p", steps=4, **settings(name))
    assert learn(run, classifier(SmallCNN((8, 8, 1), (8, 8)), 2, dropout=0.3, r_drop=run.r_drop), IMAGES) > 0


WITH_A_SET = ["frozen all", "unfreeze", "layer decay", "lora", "l2_sp", "r_drop"]


@pytest.mark.parametrize("name", WITH_A_SET)
def test_each_with_sets_of_labels(name):
    """The methods know the backbone and the layer "logits", not what the head says."""
    run = FinetuneConfig(source="demo:digits", out_dir="x", preset="p", steps=4, label_kind="set", **settings(name))
    keras.utils.set_random_seed(0)
    encoder = TextEncoder(11, 2, num_heads=2, hidden_dim=4, intermediate_dim=8)
    model = pooled_head(encoder, MultiLabel(3, (1.0, 2.0, 0.5)), dropout=0.3, r_drop=run.r_drop)
    assert learn(run, model, SETS) > 0


def test_cached_features_with_sets_of_labels():
    """A step on the features leaves the weights that a step on the whole model leaves."""
    run = FinetuneConfig(
        source="demo:digits", out_dir="x", preset="p", steps=4, label_kind="set", **settings("frozen all")
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


def test_the_tables_say_what_learns_when_and_how_fast():
    run = FinetuneConfig(source="demo:digits", out_dir="x", preset="p", steps=9, unfreeze_every=3, layer_decay=0.5)
    text = apply_methods(classifier(SmallCNN((8, 8, 1), (8, 8)), 2), run)
    assert "trainable" in text
    assert "rate x" in text
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
