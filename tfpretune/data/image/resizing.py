"""Pixels brought to a size, by TensorFlow operations only; `fitting` says which part of an image is shown."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfpretune.data.image.fitting import OUTSIDE, Axis, Resize, axes, put_back


class Places(NamedTuple):
    """Where each pixel of whole images, squeezed to a model's size, lies in what the model saw; -1: nowhere.

    Attributes:
        rows: int32 `(batch, height)`.
        columns: int32 `(batch, width)`.
    """

    rows: tf.Tensor
    columns: tf.Tensor

    def on_whole_images(self, maps: tf.Tensor, outside: float) -> tf.Tensor:
        """Puts maps `(batch, height, width)` of what the model saw on the whole images; `outside` where it saw nothing."""
        rows, columns = (tf.maximum(places, 0) for places in self)
        found = tf.gather(tf.gather(maps, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
        seen = tf.logical_and((self.rows != OUTSIDE)[:, :, tf.newaxis], (self.columns != OUTSIDE)[:, tf.newaxis])
        return tf.where(seen, found, tf.cast(outside, maps.dtype))


def places_of(shape: tf.Tensor, size: tuple[int, int], resize: Resize) -> Places:
    """Returns the places of one image, without the first dimension.

    Args:
        shape: int `(2,)` or longer, height and width of the image.
        size: (height, width) that the model sees.
        resize: see `axes`.
    """
    height, width = tf.unstack(tf.cast(shape[:2], tf.float64))
    both = zip(axes(height, width, size, resize, xp=tf), size, (height, width), strict=True)
    return Places(*(tf.cast(put_back(axis, pixels, whole, xp=tf), tf.int32) for axis, pixels, whole in both))


def resized(images: tf.Tensor, size: tuple[int, int], resize: Resize) -> tf.Tensor:
    """Resizes bilinearly with antialiasing.

    Args:
        images: float32 `(height, width, channels)` or `(batch, height, width, channels)`.
        size: (height, width) of the result.
        resize: see `axes`; padding is black.
    """
    if resize == "squeeze":
        return tf.image.resize(images, size, method="bilinear", antialias=True)
    alone = len(images.shape) == 3
    batch = images[tf.newaxis] if alone else images
    height, width = tf.unstack(tf.cast(tf.shape(batch)[1:3], tf.float64))
    up, across = axes(height, width, size, resize, xp=tf)
    found = _cropped(batch, size, up, across) if resize == "crop" else _padded(batch, size, up, across)
    return found[0] if alone else found


def _cropped(batch: tf.Tensor, size: tuple[int, int], *sides: Axis) -> tf.Tensor:
    scale = tf.cast(tf.stack([1.0 / side.step for side in sides]), tf.float32)
    moved = tf.cast(tf.stack([-side.start / side.step for side in sides]), tf.float32)
    return tf.raw_ops.ScaleAndTranslate(
        images=batch,
        size=np.array(size, np.int32),
        scale=scale,
        translation=moved,
        kernel_type="triangle",
        antialias=True,
    )


def _padded(batch: tf.Tensor, size: tuple[int, int], *sides: Axis) -> tf.Tensor:
    counts = tf.cast(tf.stack([side.count for side in sides]), tf.int32)
    before = tf.cast(tf.stack([side.first for side in sides]), tf.int32)
    inside = tf.image.resize(batch, counts, method="bilinear", antialias=True)
    around = tf.stack([before, np.array(size, np.int32) - before - counts], axis=1)
    return tf.pad(inside, tf.concat([[[0, 0]], around, [[0, 0]]], axis=0))
