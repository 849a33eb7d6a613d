"""The image backbones: shapes, presets, number formats."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN, VisionTransformer
from tfpretune.training.presets import save_preset

IMAGES = np.random.default_rng(0).random((2, 8, 12, 3)).astype("float32")


def make_cnn(dtype=None):
    return SmallCNN((8, 12, 3), (4, 8), groups=2, dtype=dtype)


def make_vit(dtype=None):
    return VisionTransformer((8, 12, 3), 4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8, dtype=dtype)


def test_shapes():
    assert make_cnn().output.shape == (None, 2, 3, 8)
    assert make_vit().output.shape == (None, 6, 8)
    assert SmallCNN((7, 7, 1), (8, 8)).output.shape == (None, 2, 2, 8)


@pytest.mark.parametrize(("shape", "filters"), [((8, 8), (8,)), ((8, 8, 1), (12,)), ((8, 8, 1), ())])
def test_a_cnn_that_cannot_be_is_refused(shape, filters):
    with pytest.raises(ValueError, match="expected image_shape .*, and filters that are multiples of groups, received"):
        SmallCNN(shape, filters)


def test_cnn_answers_do_not_depend_on_the_batch():
    """No moving statistics, and no statistics over the batch."""
    cnn = make_cnn()
    together = cnn({"images": IMAGES}, training=False)
    np.testing.assert_allclose(together[:1], cnn({"images": IMAGES[:1]}), atol=1e-6)
    np.testing.assert_array_equal(cnn({"images": IMAGES}, training=True), together)
    assert not cnn.non_trainable_weights


def test_vit_knows_where_patches_lie():
    vit = make_vit()
    swapped = np.concatenate([IMAGES[:, 4:], IMAGES[:, :4]], axis=1)

    def difference():
        return abs(vit({"images": swapped}).numpy() - vit({"images": IMAGES}).numpy()[:, [3, 4, 5, 0, 1, 2]]).max()

    assert difference() > 1e-3
    vit.get_layer("position_embedding").embeddings.assign(tf.zeros((6, 8)))
    assert difference() < 1e-5


@pytest.mark.parametrize("make", [make_cnn, make_vit])
def test_bfloat16_is_finite_and_near_float32(make):
    one, other = make("float32"), make("mixed_bfloat16")
    other.set_weights(one.get_weights())
    half = other({"images": IMAGES})
    assert half.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(half, tf.float32), one({"images": IMAGES}), atol=0.1)


@pytest.mark.parametrize("make", [make_cnn, make_vit])
def test_preset_round_trip(make, tmp_path):
    backbone = make("mixed_bfloat16")
    model = keras.Model(backbone.input, backbone.output)
    model.backbone = backbone
    save_preset(tmp_path / "preset", model)
    loaded = keras_hub.models.Backbone.from_preset(str(tmp_path / "preset"))
    assert type(loaded) is type(backbone)
    assert {layer.dtype_policy.name for layer in loaded.layers} == {"float32"}
    assert loaded.get_config() | {"dtype": None} == backbone.get_config() | {"dtype": None}
    for mine, other in zip(loaded.weights, backbone.weights, strict=True):
        np.testing.assert_array_equal(mine, other)
