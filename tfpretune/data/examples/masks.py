"""Images with a mask each: the class of every pixel. Imports no TensorFlow."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.masks.reader import MaskReader
from tfpretune.data.readers.masks.rows import NO_CLASS
from tfpretune.data.splits.rule import CONTENTS, LABELS, Part


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MaskExamples:
    """Images and their masks.

    Args:
        images: the images, without labels.
        masks: uint8 `(n, height, width)`, or a list of file paths; each pixel is an index into `class_names`, or 255 where
            nothing is known of it.
        class_names: the classes, in the order of their indices.
        read: decodes one of the paths to such pixels, turned as its image is.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import Examples, MaskExamples
        >>> images = Examples("image", np.zeros((1, 2, 2, 3), "uint8"), None, (), ["mine:1"], "mine")
        >>> examples = MaskExamples(images, np.array([[[0, 1], [1, 255]]], "uint8"), ("road", "sky"))
        >>> examples, examples.pixels().tolist()  # of one pixel nothing is known
        (<MaskExamples of mine: 1 images, 2 classes of pixels>, [1, 2])
    """

    images: Examples
    masks: np.ndarray | Sequence[str]
    class_names: tuple[str, ...]
    read: MaskReader = dataclasses.field(default_factory=MaskReader)

    def __post_init__(self) -> None:
        if len(self.masks) != len(self.images):
            raise ValueError(f"masks needs {len(self.images)} values, received {len(self.masks)}")

    def __repr__(self) -> str:
        return f"<MaskExamples of {self.name}: {len(self):,} images, {len(self.class_names)} classes of pixels>"

    def __len__(self) -> int:
        return len(self.images)

    @property
    def name(self) -> str:
        """The source."""
        return self.images.name

    def pixels(self) -> np.ndarray:
        """Counts the pixels of each class, int64 `(classes,)`; masks in files are read."""
        counts = np.zeros(NO_CLASS + 1, np.int64)
        for mask in self.masks:
            pixels = mask if isinstance(mask, np.ndarray) else self.read(mask)
            counts += np.bincount(pixels.ravel(), minlength=NO_CLASS + 1)
        return counts[: len(self.class_names)]

    def fingerprint(self) -> dict[str, str]:
        """Returns what `Examples.fingerprint` does, of the images and of the masks as their labels."""
        masks = self.masks if isinstance(self.masks, np.ndarray) else list(self.masks)
        labels = Examples("image", masks, None, (), self.images.where, self.name).fingerprint()
        return self.images.fingerprint() | {LABELS: labels[CONTENTS]}

    def take(self, indices: Sequence[int] | np.ndarray) -> "MaskExamples":
        """Returns the images at these positions, in this order."""
        rows = np.asarray(indices, np.int64)
        masks = self.masks[rows] if isinstance(self.masks, np.ndarray) else [self.masks[row] for row in rows.tolist()]
        return dataclasses.replace(self, images=self.images.take(rows), masks=masks)

    def sample(self, most: int, seed: int = 0) -> "MaskExamples":
        """Returns at most `most` images, drawn without replacement, in the order of the source."""
        if len(self) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False)))

    def split(self, part: Part, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> "MaskExamples":
        """Returns one part, as `Examples.split` does; equal images land in the same part."""
        return self.take(self.images.split_rows(part, fractions))
