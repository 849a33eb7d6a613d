import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tfpretune.backbones import SmallCNN, VisionTransformer
from tfpretune.backbones.image.vit import Patches, join_patches
from tfpretune.objectives import MaskedAutoencoder
from tfpretune.objectives.image.masked_autoencoder import FillMaskTokens

IMAGES = np.random.default_rng(0).random((3, 8, 8, 1)).astype("float32")  # 3: uneven on two replicas
BATCH = {
    "images": IMAGES,
    "visible_positions": np.array([[0, 3], [1, 2], [2, 3]], "int32"),
    "masked_positions": np.array([[1, 2], [0, 3], [0, 1]], "int32"),
}


def make_mae(normalize_patches=False):
    vit = VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8)
    return MaskedAutoencoder(vit, decoder_dim=8, decoder_heads=2, normalize_patches=normalize_patches)


def say_nothing(model):
    """Makes the model return 0 whatever it is given."""
    layer = model.get_layer("patch_pixels")
    layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])


def test_loss_counts_hidden_patches_only():
    """Patches are black but for the hidden ones, which are 0.5; the model says 0: 0.25 for each of the 6 masked patches."""
    model = make_mae()
    say_nothing(model)
    patches = np.zeros((3, 4, 16), "float32")
    for row, hidden in enumerate(BATCH["masked_positions"]):
        patches[row, hidden] = 0.5
    batch = BATCH | {"images": np.array(join_patches(patches, (8, 8, 1), 4))}
    term = model.terms(batch, training=True)["masked_mse"]
    np.testing.assert_allclose(term.total, 6 * 0.25)
    assert int(term.count) == 6


def test_normalized_targets_have_variance_one():
    model = make_mae(normalize_patches=True)
    say_nothing(model)
    term = model.terms(BATCH, training=True)["masked_mse"]
    np.testing.assert_allclose(term.total / 6, 1.0, atol=1e-3)


def test_sees_visible_patches_only():
    model = make_mae()
    other = IMAGES.copy()
    patches = np.array(Patches(4)(other))
    for row, hidden in enumerate(BATCH["masked_positions"]):
        patches[row, hidden] = 0.0
    changed = BATCH | {"images": np.array(join_patches(patches, (8, 8, 1), 4))}
    np.testing.assert_allclose(model(model.pick_inputs(changed)), model(model.pick_inputs(BATCH)), atol=1e-6)


def test_mask_tokens_go_to_their_places():
    layer = FillMaskTokens()
    tokens = tf.constant([[[1.0], [2.0]]])
    layer.build((1, 2, 1), (1, 2), (1, 2))
    layer.mask_token.assign([9.0])
    filled = layer(tokens, tf.constant([[1, 3]]), tf.constant([[0, 2]]))
    np.testing.assert_array_equal(filled[0, :, 0], [9, 1, 9, 2])


def test_patches_and_back():
    patches = Patches(4)(IMAGES)
    np.testing.assert_array_equal(patches[0, 1], IMAGES[0, :4, 4:].reshape(16))
    np.testing.assert_array_equal(join_patches(patches, (8, 8, 1), 4), IMAGES)


def test_reconstruct_keeps_visible_patches():
    seen, restored = make_mae().reconstruct(BATCH)
    np.testing.assert_allclose(seen[0, :4, :4], IMAGES[0, :4, :4])
    np.testing.assert_array_equal(seen[0, :4, 4:], np.zeros((4, 4, 1)))
    np.testing.assert_allclose(restored[0, :4, :4], IMAGES[0, :4, :4])


def test_proofs(tmp_path):
    checks.check_learns(make_mae(), BATCH)
    model = make_mae()
    checks.check_round_trip(model, BATCH, tmp_path)
    checks.check_export(model, BATCH, tmp_path)


def test_replicas():
    checks.check_replicas(make_mae, BATCH)


def test_backbones_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="needs a VisionTransformer, received SmallCNN"):
        MaskedAutoencoder(SmallCNN((8, 8, 1), (8,)))
    with pytest.raises(ValueError, match="patch_size must divide"):
        VisionTransformer((9, 8, 1), 4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8)
