"""Augmentation of images, and of masks with them."""

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.data.batches.transforms import augmented
from tfpretune.data.image.augmentation import augment, augment_with_masks


def test_augment_is_a_pure_function_of_images_and_seed():
    images = tf.constant(np.random.default_rng(0).random((6, 8, 10, 3)), tf.float32)
    settings = {"flip": True, "shift": 2, "rotate_degrees": 10.0, "scale": 0.1}
    once = augment(images, tf.constant([1, 2]), **settings)
    again = tf.function(lambda x, seed: augment(x, seed, **settings))(images, tf.constant([1, 2]))
    other = augment(images, tf.constant([1, 3]), **settings)
    np.testing.assert_allclose(once, again, atol=1e-6)
    assert np.abs(once - other).max() > 0.1
    assert once.shape == images.shape
    assert 0 <= once.numpy().min() <= once.numpy().max() <= 1
    assert augment(images, tf.constant([1, 2])) is images


def test_augment_shift_is_a_crop_of_the_padded_image():
    image = np.arange(1, 13, dtype=np.float32).reshape(1, 3, 4, 1) / 12
    found = augment(tf.repeat(image, 200, 0), tf.constant([0, 0]), shift=1).numpy()[..., 0]
    padded = np.pad(image[0, :, :, 0], 1)
    crops = np.array([padded[y : y + 3, x : x + 4] for y in range(3) for x in range(3)])
    which = [int(np.flatnonzero(np.abs(crops - picture).max((1, 2)) < 1e-6)[0]) for picture in found]
    assert set(which) == set(range(9))  # every move of -1, 0, 1 in both directions, and no other


def test_augment_flip_mirrors_half_of_the_images():
    image = np.random.default_rng(0).random((1, 5, 4, 1)).astype(np.float32)
    found = augment(tf.repeat(image, 200, 0), tf.constant([0, 0]), flip=True).numpy()
    mirrored = (np.abs(found - image[:, :, ::-1]).max((1, 2, 3)) < 1e-6).sum()
    kept = (np.abs(found - image).max((1, 2, 3)) < 1e-6).sum()
    assert mirrored + kept == 200
    assert 70 < mirrored < 130


def test_augment_rotation_and_scale_stay_about_the_middle():
    image = np.zeros((1, 9, 9, 1), np.float32)
    image[0, 4, 4] = 1.0
    found = augment(tf.repeat(image, 50, 0), tf.constant([3, 4]), rotate_degrees=45.0, scale=0.2).numpy()
    np.testing.assert_allclose(found[:, 4, 4, 0], 1.0, atol=1e-5)
    square = np.zeros((1, 9, 9, 1), np.float32)
    square[0, 3:6, 3:6] = 1.0
    areas = augment(tf.repeat(square, 200, 0), tf.constant([3, 4]), scale=0.3).numpy().sum((1, 2, 3))
    assert areas.min() < 7
    assert areas.max() > 11


def test_augment_fills_as_told():
    ones = tf.ones((20, 4, 4, 1))
    assert augment(ones, tf.constant([0, 1]), shift=2, fill_mode="reflect").numpy().min() == 1
    assert augment(ones, tf.constant([0, 1]), shift=2).numpy().min() == 0
    with pytest.raises(ValueError, match='fill_mode must be "constant" or "reflect", received \'wrap\''):
        augment(ones, tf.constant([0, 1]), shift=2, fill_mode="wrap")
    with pytest.raises(ValueError, match="must not be negative"):
        augment(ones, tf.constant([0, 1]), shift=-1)


def test_a_shift_by_whole_pixels_moves_images_and_masks_alike():
    """The images are the classes divided by 20: they say the same afterwards, and -1 stands where the image is 0."""
    classes = np.arange(1, 13).reshape(1, 3, 4).repeat(100, axis=0)
    images = tf.constant(classes[..., None] / 20.0, tf.float32)
    moved, masks = augment_with_masks(images, tf.constant(classes, tf.int32), tf.constant([0, 0]), shift=2, flip=True)
    expected = np.round(moved.numpy()[..., 0] * 20).astype(int)
    np.testing.assert_array_equal(masks, np.where(expected == 0, -1, expected))
    assert len({mask.tobytes() for mask in masks.numpy()}) > 40  # of 2 * 5 * 5
    assert masks.dtype == tf.int32


def test_turned_masks_hold_classes_only_and_stay_with_their_images():
    """A white square of class 7 on black of class 2: turned and zoomed, the bright pixels are the 7s but on the border."""
    white = np.zeros((30, 16, 16), np.float32)
    white[:, 4:12, 4:12] = 1.0
    masks = tf.constant(np.where(white > 0, 7, 2), tf.int32)
    images, moved = augment_with_masks(white[..., None], masks, tf.constant([5, 6]), rotate_degrees=30.0, scale=0.2)
    assert set(np.unique(moved)) == {-1, 2, 7}
    bright = images.numpy()[..., 0]
    assert (moved.numpy()[bright > 0.75] == 7).all()
    assert (moved.numpy()[bright < 0.25] != 7).all()


def test_images_are_the_same_with_and_without_masks_and_depend_on_the_seed_alone():
    images = tf.constant(np.random.default_rng(0).random((5, 8, 8, 1)), tf.float32)
    batch = {"images": images, "labels": tf.zeros((5, 8, 8), tf.int32)}
    settings = {"flip": True, "shift": 2, "rotate_degrees": 10.0, "scale": 0.1}
    alone, both = augmented(**settings), augmented(**settings, masks="labels")
    for step in range(3):
        seed = tf.constant([1, step])
        np.testing.assert_array_equal(alone(batch, seed)["images"], both(batch, seed)["images"])
        for name in batch:
            np.testing.assert_array_equal(both(batch, seed)[name], both(dict(batch), seed)[name])
    first, second = (both(batch, tf.constant([1, step])) for step in range(2))
    assert not np.array_equal(first["labels"], second["labels"])
    assert alone(batch, tf.constant([1, 0]))["labels"] is batch["labels"]
    still, same = augment_with_masks(images, batch["labels"], tf.constant([1, 0]))
    assert still is images
    assert same is batch["labels"]


def test_the_size_is_known_where_the_batch_size_is_not():
    """As with images that are read from files: a Vision Transformer needs to know height and width."""
    rows = tf.TensorSpec((None, 8, 6, 1)), tf.TensorSpec((None, 8, 6), tf.int32)
    traced = tf.function(
        lambda images, masks: augment_with_masks(images, masks, tf.constant([1, 2]), shift=1), input_signature=rows
    )
    images, masks = traced.get_concrete_function().output_shapes
    assert (images.as_list(), masks.as_list()) == ([None, 8, 6, 1], [None, 8, 6])
