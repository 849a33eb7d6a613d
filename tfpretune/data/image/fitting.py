"""How an image of one shape is brought to another: squeezed, cropped or padded; of pixels, masks and answers. No TensorFlow.

The numbers are those of Pillow's `ImageOps.fit` (crop) and `ImageOps.pad`.
"""

from typing import Any, Literal, NamedTuple

import numpy as np

Resize = Literal["squeeze", "crop", "pad"]
RESIZES: tuple[Resize, ...] = ("squeeze", "crop", "pad")
OUTSIDE = -1
"""The place of a pixel that the other picture does not show."""


class Axis(NamedTuple):
    """Which part of an image a picture shows along one axis, and where.

    Attributes:
        start: first pixel of the image that is shown; a fraction where one is cut.
        step: pixels of the image in one of the picture.
        first: first pixel of the picture that shows the image; those before and behind are padding.
        count: pixels of the picture that show the image.
    """

    start: Any
    step: Any
    first: Any
    count: Any


def axes(height: Any, width: Any, size: tuple[int, int], resize: Resize, *, xp: Any = np) -> tuple[Axis, Axis]:
    """Returns what is shown of an image, up and down and from left to right.

    Args:
        height: of the image.
        width: of the image.
        size: (height, width) of the picture.
        resize: "squeeze" shows all of it and bends its aspect ratio; "crop" cuts off what is too long, the same on both sides;
            "pad" shows all of it between two bars.
        xp: `numpy`; or `tensorflow` for scalars of float64.
    """
    rows, columns = size
    if resize == "crop":
        high, wide = xp.minimum(height, width * (rows / columns)), xp.minimum(width, height * (columns / rows))
        return Axis((height - high) / 2, high / rows, 0, rows), Axis((width - wide) / 2, wide / columns, 0, columns)
    if resize == "pad":
        high = xp.minimum(xp.maximum(xp.round(height / width * columns), 1.0), float(rows))
        wide = xp.minimum(xp.maximum(xp.round(width / height * rows), 1.0), float(columns))
        top, left = xp.round((rows - high) * 0.5), xp.round((columns - wide) * 0.5)
        return Axis(0, height / high, top, high), Axis(0, width / wide, left, wide)
    return Axis(0, height / rows, 0, rows), Axis(0, width / columns, 0, columns)


def nearest(axis: Axis, size: int, there: int) -> np.ndarray:
    """Returns the pixel of the image in the middle of each of the picture's, int64 `(size,)`; `OUTSIDE` in the padding.

    Args:
        axis: from `axes`.
        size: pixels of the picture along this axis.
        there: pixels of the image.
    """
    at = np.arange(size) - axis.first
    places = np.minimum(np.floor(axis.start + (at + 0.5) * axis.step).astype(np.int64), there - 1)
    return np.where((at >= 0) & (at < axis.count), places, OUTSIDE)


def put_back(axis: Axis, size: int, there: Any, *, xp: Any = np) -> Any:
    """Returns where each pixel of the whole image, squeezed to the size of the picture, lies in the picture.

    Args:
        axis: from `axes`.
        size: pixels of both along this axis.
        there: pixels of the image.
        xp: as for `axes`.

    Returns:
        Whole numbers as floats, `(size,)`; `OUTSIDE` for what was cropped away.
    """
    middles = (np.arange(size) + 0.5) * (there / size)
    at = xp.floor((middles - axis.start) / axis.step)
    return xp.where(xp.logical_and(at >= 0, at < axis.count), at + axis.first, float(OUTSIDE))
