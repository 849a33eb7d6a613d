"""A head that learns on features computed once learns what it would on the whole model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import make_run
from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.data.batches.examples import image_batches
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.batches.transforms import augmented
from tfpretune.data.examples.examples import Examples
from tfpretune.errors import UsageError
from tfpretune.finetune import (
    GradualUnfreezing,
    cache_in_order,
    classifier,
    freeze,
    span_finder,
    tagger,
    with_cached_features,
)
from tfpretune.training import fit, make_strategy
from tfpretune.training.presets import in_float32
from tfpretune.training.run_variables import run_variables

DRAW = np.random.default_rng(0)
PIXELS = DRAW.integers(0, 256, (30, 8, 8, 1)).astype("uint8")
MASK = (np.arange(6) < DRAW.integers(1, 7, (30, 1))).astype("int32")
TEXT = {"token_ids": DRAW.integers(0, 11, (30, 6)).astype("int32") * MASK, "padding_mask": MASK}


def encoder(dropout=0.0, dtype=None):
    return TextEncoder(11, 1, num_heads=1, hidden_dim=8, intermediate_dim=8, dropout=dropout, dtype=dtype)


def image_model(**settings):
    return classifier(SmallCNN((8, 8, 1), (8,)), 3, dropout=0.3, **settings), {"images": PIXELS / np.float32(255)}


def text_model(**settings):
    return classifier(encoder(), 3, dropout=0.3, window_length=3, **settings), TEXT


def bfloat16_model():
    return classifier(encoder(dtype="mixed_bfloat16"), 3, dropout=0.3), TEXT


def tag_model():
    return tagger(encoder(), 3, dropout=0.3), TEXT


def span_model():
    return span_finder(encoder(), dropout=0.3), TEXT | {"segment_ids": MASK}


def labels_of(model):
    if model.name == "tagger":
        return {"labels": np.where(MASK == 1, np.arange(6) % 3, -1).astype("int32")}
    if model.name == "span_finder":
        return {"starts": np.zeros(30, "int32"), "ends": MASK.sum(1).astype("int32") - 1}
    return {"labels": (np.arange(30) % 3).astype("int32")}


def make(make_model, **settings):
    """A frozen model and its batches; 30 rows in batches of 8: the last one in order is short."""
    keras.utils.set_random_seed(3)
    model, rows = make_model(**settings)
    freeze(model, "all")
    return model, StepIndexed(rows | labels_of(model), 8, seed=5)


def head_variables(model):
    return {name.split("/", 2)[2]: variable.numpy() for name, variable in run_variables(model).items()}


@pytest.mark.parametrize("make_model", [image_model, text_model, bfloat16_model, tag_model, span_model])
def test_twenty_steps_give_the_same_head_and_the_same_losses(tmp_path, make_model):
    """Dropout in the head, windows, masks that the head reads, a short last batch; validation, schedule, decay, moments."""
    settings = {"steps": 20, "batch_size": 8, "save_every_steps": 10, "learning_rate": 0.01}
    whole, batches = make(make_model)
    expected = fit(whole, batches, make_run(tmp_path / "whole", **settings), validation=batches.in_order())
    model, batches = make(make_model)
    head, cached = with_cached_features(model, batches)
    validation = cache_in_order(model, head, batches.in_order())
    found = fit(head, cached, make_run(tmp_path / "cached", **settings), validation=validation)
    for name, points in expected.curves.items():
        if name != "examples_per_second":
            np.testing.assert_allclose(found.curves[name], points, rtol=1e-5, atol=1e-6, err_msg=name)
    learnt, wanted = ({v.path: v.numpy() for v in m.trainable_variables} for m in (model, whole))
    assert set(learnt) == set(wanted)
    differences = [np.abs(learnt[path] - value).max() for path, value in wanted.items()]
    print(f"largest difference of the head's weights after 20 steps: {max(differences):.1e}")
    assert max(differences) <= 1e-6
    for one, other in zip(model.backbone.weights, whole.backbone.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_checkpoints_hold_the_head_alone_and_the_model_has_its_layers():
    """Logits 8 x 3 + 3, their moments, the step, and the seed of the head's dropout."""
    model, batches = make(image_model)
    head, cached = with_cached_features(model, batches)
    head.compile("adamw")
    head.build_optimizer()
    assert sorted(v.path.split("/")[0] for v in head.variables) == ["logits", "logits", "seed_generator"]
    assert len(run_variables(head)) == 3 + 2 + 4  # weights and seed; step and rate; two moments of two weights
    assert head.get_layer("logits") is model.get_layer("logits")
    assert head.backbone is model.backbone
    assert {name: column.shape for name, column in cached.columns.items()} == {"features": (30, 8), "labels": (30,)}
    np.testing.assert_array_equal(cached.rows(3), batches.rows(3))


def test_two_replicas(tmp_path):
    found = []
    for replicas in (1, 2):
        with make_strategy(replicas).scope():
            model, batches = make(text_model)
        model.get_layer("head_dropout").rate = 0.0
        head, cached = with_cached_features(model, batches)
        fit(head, cached, make_run(tmp_path / str(replicas), steps=5, batch_size=8))
        found.append(model.get_layer("logits").kernel.numpy())
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)


def test_the_digest_is_that_of_the_weights():
    model, batches = make(image_model)
    head, _ = with_cached_features(model, batches)
    before = head.digest()
    model.get_layer("logits").bias.assign([1.0, 2.0, 3.0])
    assert head.digest() == before
    model.backbone.weights[1].assign(model.backbone.weights[1] + 1.0)
    assert head.digest() != before


def examples():
    return Examples("image", PIXELS, np.zeros(30, "int32"), ("a", "b", "c"), [""] * 30, "toy")


def test_pixels_that_are_only_scaled_are_no_augmentation_and_moved_ones_are():
    model, _ = make(image_model)
    plain = image_batches(examples(), 8, image_shape=(8, 8, 1))
    assert with_cached_features(model, plain)[1].num_rows == 30
    moved = image_batches(examples(), 8, image_shape=(8, 8, 1), transform=augmented(shift=1))
    with pytest.raises(UsageError, match="changed anew in every step: switch augmentation off"):
        with_cached_features(model, moved)


def test_what_changes_the_features_is_refused():
    model, batches = make(image_model)
    freeze(model, "bias")
    with pytest.raises(
        UsageError,
        match="`with_cached_features`: stage_0_conv_0/bias is trained, so the features change: give `frozen` all",
    ):
        with_cached_features(model, batches)
    freeze(model, "none")
    GradualUnfreezing(model, every_steps=2)
    with pytest.raises(UsageError, match=r"the backbone is trained later \(`GradualUnfreezing`\)"):
        with_cached_features(model, batches)


def test_dropout_in_the_backbone_is_refused():
    model = classifier(encoder(dropout=0.1), 3)
    freeze(model, "all")
    with pytest.raises(
        UsageError, match="dropout in the backbone draws new random numbers in every step: give `load_backbone"
    ):
        with_cached_features(model, StepIndexed(TEXT | labels_of(model), 8))


def test_features_beyond_the_memory_are_refused():
    """30 rows of 8 float32 numbers are 960 bytes."""
    model, batches = make(image_model)
    assert with_cached_features(model, batches, most_bytes=960)
    with pytest.raises(UsageError, match="the features of 30 rows take 0.00 GiB, more than 0.00"):
        with_cached_features(model, batches, most_bytes=959)


def test_a_model_without_the_layer_is_refused():
    model, batches = make(image_model)
    inputs = {"images": keras.Input((8, 8, 1), name="images")}
    pooled = keras.layers.GlobalAveragePooling2D()(model.backbone(inputs))
    other = type(model)(inputs, keras.layers.Dense(3)(pooled), "other", target=model.target)
    with pytest.raises(UsageError, match='other has no layer "features" to cut at'):
        with_cached_features(other, batches)


def test_evaluation_takes_the_features_of_inference():
    """The figures of the head on cached validation rows are the model's on the rows themselves."""
    model, batches = make(text_model)
    head, _ = with_cached_features(model, batches)
    for one in (model, head):
        one.compile("sgd")
    validation = batches.in_order(batch_size=7)
    expected = model.evaluate(validation, verbose=0, return_dict=True)
    cached = cache_in_order(model, head, validation)
    assert [len(batch["labels"]) for batch in cached] == [7, 7, 7, 7, 2]
    found = head.evaluate(cached, verbose=0, return_dict=True)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6)
    assert isinstance(cached, tf.data.Dataset)


def test_a_model_whose_head_reads_inputs_can_be_saved_afterwards():
    """A head that sees the padding and the segments beside the features."""
    model, batches = make(span_model)
    rows = model.pick_inputs(next(iter(batches.in_order())))
    expected = model(rows)
    with_cached_features(model, batches)
    np.testing.assert_array_equal(in_float32(model)(rows), expected)
