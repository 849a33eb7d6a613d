"""Handwritten digits on noise, with the class of every pixel. Imports no TensorFlow."""

import numpy as np

from tfpretune.data.readers.masks.records import MaskRecords

INK = 100
"""A pixel as dark as this, of 255, belongs to the digit."""
BACKGROUND = "background"


def digits_on_noise(images: np.ndarray, labels: np.ndarray, demo: str) -> MaskRecords:
    """Puts digits on a texture of noise as bright as they may be, so that brightness alone does not tell the digit's pixels.

    Args:
        images: uint8 `(n, height, width, 1)`.
        labels: int `(n,)`, the digits.
        demo: name for places.

    Returns:
        The images, and masks in which 0 is the background and 1 + d the digit d; the same at every call.
    """
    count, height, width, _ = images.shape
    rng = np.random.default_rng(0)
    coarse = rng.random((count, -(-height // 4), -(-width // 4)))
    texture = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    texture = 0.7 * texture + 0.3 * rng.random((count, height, width))
    digit = images[..., 0] >= INK
    light = rng.uniform(0.5, 1.0, (count, 1, 1)) * (images[..., 0] / 255.0)
    pixels = np.where(digit, light, 0.6 * texture)
    masks = np.where(digit, 1 + labels[:, None, None], 0).astype(np.uint8)
    where = [f"demo:{demo}[{row}]" for row in range(count)]
    names = (BACKGROUND, *(str(number) for number in range(10)))
    return MaskRecords(np.round(255 * pixels).astype(np.uint8)[..., None], masks, where, names)
