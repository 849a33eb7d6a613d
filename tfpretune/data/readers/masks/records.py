"""What the readers of images with masks share. Imports no TensorFlow."""

import dataclasses
from typing import Any

from tfpretune.data.readers.records import Problem

NO_CLASS = 255
"""The number of a pixel of which nothing is known, as in PASCAL VOC."""


@dataclasses.dataclass
class MaskRecords:
    """All that a reader found, good and bad, in the order of the source.

    Args:
        images: file paths, or uint8 `(n, height, width, channels)`.
        masks: file paths, or uint8 `(n, height, width)`.
        where: one place an image.
        class_names: the classes, in the order of their numbers.
        problems: what makes the source unusable as it is.
        license: terms of use, where known.
        splits: the split of each image, where the source itself has splits.
        notes: what was found out about the source and decides how it is read.
        reader: decodes a path of `masks`.
        pixels: class index (255: none) -> pixels, of each mask in a file.
    """

    images: Any = dataclasses.field(default_factory=list)
    masks: Any = dataclasses.field(default_factory=list)
    where: list[str] = dataclasses.field(default_factory=list)
    class_names: tuple[str, ...] = ()
    problems: list[Problem] = dataclasses.field(default_factory=list)
    license: str = ""
    splits: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    reader: Any = None
    pixels: list[dict[int, int]] = dataclasses.field(default_factory=list)
