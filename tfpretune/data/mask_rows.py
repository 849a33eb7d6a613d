"""What the readers of images with masks share. Imports no TensorFlow."""

import dataclasses
import os
from typing import Any

from tfpretune.data.rows import Problem

IMAGES, MASKS = "images", "masks"
NO_CLASS = 255
"""The number of a pixel of which nothing is known, as in PASCAL VOC."""


@dataclasses.dataclass
class MaskRows:
    """All that a reader found, good and bad, in the order of the source.

    Args:
        images: file paths, or uint8 `(n, height, width, channels)`.
        masks: file paths, or uint8 `(n, height, width)`.
        where: one place an image.
        class_names: the classes, in the order of their numbers.
        problems: what makes the source unusable as it is.
        licence: terms of use, where known.
    """

    images: Any = dataclasses.field(default_factory=list)
    masks: Any = dataclasses.field(default_factory=list)
    where: list[str] = dataclasses.field(default_factory=list)
    class_names: tuple[str, ...] = ()
    problems: list[Problem] = dataclasses.field(default_factory=list)
    licence: str = ""


def is_mask_folder(folder: str) -> bool:
    """Returns whether a folder holds two folders, images and masks."""
    root = os.path.expanduser(folder)
    return all(os.path.isdir(os.path.join(root, name)) for name in (IMAGES, MASKS))
