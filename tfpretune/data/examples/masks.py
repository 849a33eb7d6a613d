"""Images with a mask each: the class of every pixel. Imports no TensorFlow."""

import dataclasses
from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

import numpy as np

from tfpretune.data.examples.base import ExampleSet, Origin
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.masks.reader import MaskReader
from tfpretune.data.readers.masks.records import NO_CLASS
from tfpretune.data.splits.rule import CONTENTS, LABELS
from tfpretune.data.splits.sides import Positions


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MaskExamples(ExampleSet):
    """Images and their masks; equal images are the same if their masks are.

    Args:
        images: the images, without labels.
        masks: uint8 `(n, height, width)`, or a list of file paths; each pixel is an index into `class_names`, or 255 where
            nothing is known of it.
        class_names: the classes, in the order of their indices.
        read: decodes one of the paths to such pixels, turned as its image is.
        origin: the whole source that these were taken from; None: this is it.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import Examples, MaskExamples
        >>> images = Examples("image", np.zeros((1, 2, 2, 3), "uint8"), None, (), ["mine:1"], "mine")
        >>> examples = MaskExamples(images, np.array([[[0, 1], [1, 255]]], "uint8"), ("road", "sky"))
        >>> examples, examples.pixels().tolist()  # of one pixel nothing is known
        (<MaskExamples of mine: 1 images, 2 classes of pixels>, [1, 2])
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("images", "masks")

    images: Examples
    masks: np.ndarray | Sequence[str]
    class_names: tuple[str, ...]
    read: MaskReader = dataclasses.field(default_factory=MaskReader)
    origin: Origin | None = dataclasses.field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"<MaskExamples of {self.name}: {len(self):,} images, {len(self.class_names)} classes of pixels>"

    @property
    def name(self) -> str:  # type: ignore[override]  # what is said of the images is said of all
        """The source."""
        return self.images.name

    @property
    def splits(self) -> Sequence[str] | None:  # type: ignore[override]
        """The split that the source itself puts each image into."""
        return self.images.splits

    def pixels(self) -> np.ndarray:
        """Counts the pixels of each class, int64 `(classes,)`; masks in files are read."""
        counts = np.zeros(NO_CLASS + 1, np.int64)
        for mask in self.masks:
            pixels = mask if isinstance(mask, np.ndarray) else self.read(mask)
            counts += np.bincount(pixels.ravel(), minlength=NO_CLASS + 1)
        return counts[: len(self.class_names)]

    def fingerprint(self) -> dict[str, str]:
        """Returns what `Examples.fingerprint` does, of the images and of the masks as their labels."""
        return self.images.fingerprint() | {LABELS: self._as_images().fingerprint()[CONTENTS]}

    def near_copies(self) -> dict[str, int]:
        """Counts near copies as `Examples.near_copies` does, of the images."""
        return self.images.near_copies()

    def _sameness(self) -> Iterable[Hashable]:
        return zip(self.images.keys(), self._as_images().keys(), strict=True)

    def digests(self) -> list[bytes]:
        """Returns the keys of the images."""
        return self.images.keys()

    def compared_texts(self) -> None:
        """Of images no near copies are looked for."""

    def _places(self) -> Positions:
        return self.images.places

    def _as_images(self) -> Examples:
        masks = self.masks if isinstance(self.masks, np.ndarray) else list(self.masks)
        return Examples("image", masks, None, (), self.images.where, self.name)
