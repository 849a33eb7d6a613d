import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tfpretune.backbones import SmallCNN, VisionTransformer
from tfpretune.backbones.vit import Patches, join_patches
from tfpretune.objectives import Autoencoder, DenoisingAutoencoder, MaskedAutoencoder
from tfpretune.objectives.reconstruction import FillMaskTokens
from tfpretune.training import make_strategy

IMAGES = np.random.default_rng(0).random((3, 8, 8, 1)).astype("float32")  # 3: uneven on two replicas


def make_cnn():
    return SmallCNN((8, 8, 1), (8, 8))


def make_mae(normalize_patches=False):
    vit = VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8)
    return MaskedAutoencoder(vit, decoder_dim=8, decoder_heads=2, normalize_patches=normalize_patches)


MAE_BATCH = {
    "images": IMAGES,
    "visible_positions": np.array([[0, 3], [1, 2], [2, 3]], "int32"),
    "masked_positions": np.array([[1, 2], [0, 3], [0, 1]], "int32"),
}


def blank(model, layer, value):
    """Makes the last layer return `value` whatever it is given."""
    weights = [np.zeros_like(w) for w in model.get_layer(layer).get_weights()]
    weights[1] += value
    model.get_layer(layer).set_weights(weights)


def test_autoencoder_loss_by_hand():
    """A constant 0.5 against images of 0 and 1: each squared error is 0.25, PSNR 10 log10(4) = 6.02 dB."""
    model = Autoencoder(make_cnn())
    blank(model, "reconstruction", 0.5)
    model.compile("sgd")
    images = np.stack([np.zeros((8, 8, 1)), np.ones((8, 8, 1))]).astype("float32")
    figures = model.evaluate(
        tf.data.Dataset.from_tensor_slices({"images": images}).batch(1), verbose=0, return_dict=True
    )
    np.testing.assert_allclose([figures["mse"], figures["psnr"]], [0.25, 6.0206], rtol=1e-4)


def test_ssim_is_tensorflows():
    model = Autoencoder(make_cnn())
    blank(model, "reconstruction", 0.5)
    expected = tf.image.ssim(tf.fill((3, 8, 8, 1), 0.5), IMAGES, 1.0, filter_size=8)
    np.testing.assert_allclose(
        model.terms({"images": IMAGES}, training=False)["ssim"].total, tf.reduce_sum(expected), rtol=1e-5
    )


def test_denoising_compares_with_the_clean_image():
    model = DenoisingAutoencoder(make_cnn())
    blank(model, "reconstruction", 0.0)
    batch = {"images": np.ones_like(IMAGES), "targets": np.full_like(IMAGES, 0.1)}
    np.testing.assert_allclose(model.terms(batch, training=True)["mse"].total, 3 * 0.01, rtol=1e-5)
    with pytest.raises(ValueError, match="needs the column 'targets'"):
        model.terms({"images": IMAGES}, training=True)


def test_mae_loss_counts_hidden_patches_only():
    """Patches are black but for the hidden ones, which are 0.5; the model says 0: 0.25 for each of the 6 hidden patches."""
    model = make_mae()
    blank(model, "patch_pixels", 0.0)
    patches = np.zeros((3, 4, 16), "float32")
    for row, hidden in enumerate(MAE_BATCH["masked_positions"]):
        patches[row, hidden] = 0.5
    batch = MAE_BATCH | {"images": np.array(join_patches(patches, (8, 8, 1), 4))}
    term = model.terms(batch, training=True)["masked_mse"]
    np.testing.assert_allclose(term.total, 6 * 0.25)
    assert int(term.count) == 6


def test_mae_normalized_targets_have_variance_one():
    model = make_mae(normalize_patches=True)
    blank(model, "patch_pixels", 0.0)
    term = model.terms(MAE_BATCH, training=True)["masked_mse"]
    np.testing.assert_allclose(term.total / 6, 1.0, atol=1e-3)


def test_mae_sees_visible_patches_only():
    model = make_mae()
    other = IMAGES.copy()
    patches = np.array(Patches(4)(other))
    for row, hidden in enumerate(MAE_BATCH["masked_positions"]):
        patches[row, hidden] = 0.0
    changed = MAE_BATCH | {"images": np.array(join_patches(patches, (8, 8, 1), 4))}
    np.testing.assert_allclose(model(model.pick_inputs(changed)), model(model.pick_inputs(MAE_BATCH)), atol=1e-6)


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
    seen, restored = make_mae().reconstruct(MAE_BATCH)
    np.testing.assert_allclose(seen[0, :4, :4], IMAGES[0, :4, :4])
    np.testing.assert_array_equal(seen[0, :4, 4:], np.zeros((4, 4, 1)))
    np.testing.assert_allclose(restored[0, :4, :4], IMAGES[0, :4, :4])


@pytest.mark.parametrize(
    ("make_model", "batch"),
    [
        (lambda: Autoencoder(make_cnn()), {"images": IMAGES}),
        (lambda: DenoisingAutoencoder(make_cnn()), {"images": IMAGES, "targets": IMAGES * 0.5}),
        (make_mae, MAE_BATCH),
    ],
    ids=["autoencoder", "denoising", "mae"],
)
def test_proofs(make_model, batch, tmp_path):
    checks.check_learns(make_model(), batch)
    model = make_model()
    checks.check_round_trip(model, batch, tmp_path)
    checks.check_export(model, batch, tmp_path)
    checks.check_replicas(make_model, batch)


def test_a_replica_without_rows_evaluates():
    """Three rows in batches of two: the second replica gets none of the last batch."""
    figures = []
    for strategy in (tf.distribute.get_strategy(), make_strategy(2)):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            model = Autoencoder(make_cnn())
            model.compile("sgd")
        data = tf.data.Dataset.from_tensor_slices({"images": IMAGES}).batch(2)
        figures.append(list(model.evaluate(data, verbose=0, return_dict=True).values()))
    np.testing.assert_allclose(*figures, rtol=1e-5)


def test_backbones_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="patch_size must divide"):
        VisionTransformer((9, 8, 1), 4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8)
