"""Augmentation: images moved at random, alone or with the masks of their pixels."""

from typing import NamedTuple

import tensorflow as tf

NOWHERE = -1
"""The class of a pixel that came from outside of its mask."""


class _Moves(NamedTuple):
    """Where the pixels of each image come from.

    Attributes:
        transforms: `(batch, 8)`, as `ImageProjectiveTransformV3` takes them.
        bends: they turn or zoom, so pixels fall between others.
    """

    transforms: tf.Tensor
    bends: bool


def augment(
    images: tf.Tensor,
    seed: tf.Tensor,
    *,
    flip: bool = False,
    shift: int = 0,
    rotate_degrees: float = 0.0,
    scale: float = 0.0,
    fill_mode: str = "constant",
) -> tf.Tensor:
    """Flips, shifts, turns and zooms each image by its own random amounts, all in one resampling of the batch.

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        seed: int32 `(2,)`. The same images and seed give the same result.
        flip: mirror left and right with chance 1/2. Not for digits or letters.
        shift: largest move in each direction, whole pixels (a random crop after padding by as much).
        rotate_degrees: largest angle to either side.
        scale: largest zoom in or out, as a fraction of the size, in [0, 1).
        fill_mode: what stands where the image was moved away: "constant" (0) or "reflect".

    Returns:
        Images of the same shape, in [0, 1].
    """
    if fill_mode not in ("constant", "reflect"):
        raise ValueError(f'fill_mode must be "constant" or "reflect", received {fill_mode!r}')
    moves = _draw(images, seed, flip=flip, shift=shift, rotate_degrees=rotate_degrees, scale=scale)
    return images if moves is None else _moved(images, moves, smooth=moves.bends, fill_mode=fill_mode)


def augment_with_masks(
    images: tf.Tensor,
    masks: tf.Tensor,
    seed: tf.Tensor,
    *,
    flip: bool = False,
    shift: int = 0,
    rotate_degrees: float = 0.0,
    scale: float = 0.0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves images as `augment` does, bit for bit, and their masks with them.

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        masks: int32 `(batch, height, width)`, the class of each pixel.
        seed: int32 `(2,)`.
        flip: as for `augment`, and so are the others.
        shift: largest move in each direction, whole pixels.
        rotate_degrees: largest angle to either side.
        scale: largest zoom in or out.

    Returns:
        The images; and the masks, each pixel the nearest one of before, -1 where it came from outside.
    """
    moves = _draw(images, seed, flip=flip, shift=shift, rotate_degrees=rotate_degrees, scale=scale)
    if moves is None:
        return images, masks
    moved = _moved(masks[..., tf.newaxis], moves, smooth=False, fill=NOWHERE)
    return _moved(images, moves, smooth=moves.bends), moved[..., 0]


def _draw(
    images: tf.Tensor, seed: tf.Tensor, *, flip: bool, shift: int, rotate_degrees: float, scale: float
) -> _Moves | None:
    """Draws a move for each image; None where nothing is to be moved."""
    if shift < 0 or rotate_degrees < 0 or not 0 <= scale < 1:
        raise ValueError(
            "shift and rotate_degrees must not be negative and scale must be in [0, 1), "
            f"received {shift}, {rotate_degrees} and {scale}"
        )
    if not (flip or shift or rotate_degrees or scale):
        return None
    batch, height, width, _ = tf.unstack(tf.shape(images))
    draws = tf.random.stateless_uniform((5, batch), seed, -1.0, 1.0)  # even in [-1, 1)
    mirror = tf.where(draws[0] < 0, -1.0, 1.0) if flip else tf.ones((batch,))
    moves = tf.floor((draws[1:3] + 1.0) / 2.0 * (2 * shift + 1)) - shift  # each of -shift..shift as likely
    angle = draws[3] * (rotate_degrees * 3.141592653589793 / 180.0)
    zoom = 1.0 + draws[4] * scale
    return _Moves(_transforms(height, width, mirror, moves, angle, zoom), bool(rotate_degrees or scale))


def _moved(
    pixels: tf.Tensor, moves: _Moves, *, smooth: bool, fill: float = 0.0, fill_mode: str = "constant"
) -> tf.Tensor:
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=moves.transforms,
        output_shape=tf.shape(pixels)[1:3],
        fill_value=fill,
        interpolation="BILINEAR" if smooth else "NEAREST",
        fill_mode=fill_mode.upper(),
    )
    return tf.ensure_shape(moved, pixels.shape)  # with an unknown batch size TensorFlow forgets the others, too


def _transforms(
    height: tf.Tensor, width: tf.Tensor, mirror: tf.Tensor, moves: tf.Tensor, angle: tf.Tensor, zoom: tf.Tensor
) -> tf.Tensor:
    """Returns `(batch, 8)`: the matrices that take pixels of the result to where they come from, about the middle."""
    x0, y0 = (tf.cast(width, tf.float32) - 1) / 2, (tf.cast(height, tf.float32) - 1) / 2
    a0, a1 = mirror * tf.cos(angle) / zoom, -mirror * tf.sin(angle) / zoom
    b0, b1 = tf.sin(angle) / zoom, tf.cos(angle) / zoom
    a2, b2 = x0 + moves[0] - a0 * x0 - a1 * y0, y0 + moves[1] - b0 * x0 - b1 * y0
    none = tf.zeros_like(a0)
    return tf.stack([a0, a1, a2, b0, b1, b2, none, none], axis=1)
