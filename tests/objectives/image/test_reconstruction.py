import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.objectives import Autoencoder, DenoisingAutoencoder
from tfpretune.training import make_strategy

IMAGES = np.random.default_rng(0).random((3, 8, 8, 1)).astype("float32")  # 3: uneven on two replicas


def make_cnn():
    return SmallCNN((8, 8, 1), (8, 8))


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


OBJECTIVES = pytest.mark.parametrize(
    ("make_model", "batch"),
    [
        (lambda: Autoencoder(make_cnn()), {"images": IMAGES}),
        (lambda: DenoisingAutoencoder(make_cnn()), {"images": IMAGES, "targets": IMAGES * 0.5}),
    ],
    ids=["autoencoder", "denoising"],
)


@OBJECTIVES
def test_proofs(make_model, batch, tmp_path):
    checks.check_learns(make_model(), batch)
    model = make_model()
    checks.check_round_trip(model, batch, tmp_path)
    checks.check_export(model, batch, tmp_path)


@OBJECTIVES
def test_replicas(make_model, batch):
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


def test_text_backbones_are_refused():
    with pytest.raises(ValueError, match="Autoencoder needs an image backbone, received TextEncoder"):
        Autoencoder(TextEncoder(10, 1, num_heads=2, hidden_dim=8, intermediate_dim=8))
