"""Masked patches and noise: shares, shapes, the same for a seed."""

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.data.masking.patches import corrupt_images, mask_patches

SEED = tf.constant([1, 2])


def test_patches_are_split_in_two():
    masked = mask_patches(tf.constant(50), SEED, num_patches=16, mask_rate=0.75)
    visible, hidden = masked["visible_positions"].numpy(), masked["masked_positions"].numpy()
    assert visible.shape == (50, 4)
    assert hidden.shape == (50, 12)
    for row in np.concatenate([visible, hidden], axis=1):
        assert sorted(row) == list(range(16))
    assert (np.diff(visible) > 0).all()
    assert (np.diff(hidden) > 0).all()
    assert len({tuple(row) for row in visible}) > 25
    np.testing.assert_array_equal(mask_patches(tf.constant(50), SEED, num_patches=16)["masked_positions"], hidden)


@pytest.mark.parametrize("mask_rate", [0.0, 0.1, 0.95, 1.0])
def test_patches_need_one_on_either_side(mask_rate):
    with pytest.raises(ValueError, match="at least one must stay and one must go"):
        mask_patches(tf.constant(2), SEED, num_patches=4, mask_rate=mask_rate)


@pytest.mark.parametrize("setting", [{"noise_stddev": -1.0}, {"mask_rate": 1.0}, {"patch_size": 0}], ids=str)
def test_corruption_that_cannot_be_is_refused(setting):
    with pytest.raises(ValueError, match=r"noise_stddev must be at least 0, mask_rate in \[0, 1\) and patch_size"):
        corrupt_images(tf.ones((1, 4, 4, 1)), SEED, **setting)


def test_nothing_to_corrupt():
    images = np.random.default_rng(0).random((2, 5, 5, 3)).astype("float32")
    np.testing.assert_array_equal(corrupt_images(tf.constant(images), SEED), images)


def test_noise_has_its_deviation_and_stays_in_range():
    grey = tf.fill((20, 32, 32, 1), 0.5)
    noise = corrupt_images(grey, SEED, noise_stddev=0.1).numpy() - 0.5
    np.testing.assert_allclose([noise.mean(), noise.std()], [0.0, 0.1], atol=2e-3)
    white = corrupt_images(tf.ones((2, 8, 8, 1)), SEED, noise_stddev=0.1).numpy()
    assert white.max() == 1.0
    assert white.min() < 1.0


def test_patches_are_blanked_whole():
    """9 x 9 pixels in patches of 4: the last row and column of patches is cut to one pixel."""
    blanked = corrupt_images(tf.ones((400, 9, 9, 2)), SEED, mask_rate=0.3, patch_size=4).numpy()
    assert set(np.unique(blanked)) == {0.0, 1.0}
    for rows, columns in ((slice(0, 4), slice(4, 8)), (slice(8, 9), slice(0, 4))):
        part = blanked[:, rows, columns].reshape(400, -1)
        assert (part.min(axis=1) == part.max(axis=1)).all()
        assert abs(part[:, 0].mean() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / 400)


def test_corruption_is_a_function_of_the_seed():
    images = tf.fill((3, 8, 8, 1), 0.5)
    settings = {"noise_stddev": 0.1, "mask_rate": 0.5}
    first = corrupt_images(images, SEED, **settings)
    np.testing.assert_array_equal(corrupt_images(images, SEED, **settings), first)
    assert (corrupt_images(images, tf.constant([1, 3]), **settings).numpy() != first.numpy()).any()
    assert (first[0].numpy() != first[1].numpy()).any()
