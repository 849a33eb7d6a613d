"""Images with a mask each: the class of every pixel. Imports no TensorFlow."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tfpretune.config import RunError, UsageError
from tfpretune.data.demo import read_demo
from tfpretune.data.examples import Examples
from tfpretune.data.folders import IMAGE_SUFFIXES
from tfpretune.data.mask_rows import IMAGES, MASKS, NO_CLASS, MaskRows, is_mask_folder
from tfpretune.data.rows import Problem
from tfpretune.data.splits import CONTENTS, LABELS, Part

MASK_SUFFIXES = (".png", ".bmp", ".gif")
CLASSES_FILE = "classes.txt"


@dataclasses.dataclass(frozen=True, eq=False)
class MaskExamples:
    """Images and their masks.

    Args:
        images: the images, without labels.
        masks: uint8 `(n, height, width)`, or a list of file paths; each pixel is an index into `class_names`, or 255 where
            nothing is known of it.
        class_names: the classes, in the order of their indices.
    """

    images: Examples
    masks: np.ndarray | Sequence[str]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.masks) != len(self.images):
            raise ValueError(f"masks needs {len(self.images)} values, received {len(self.masks)}")

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
            pixels = mask if isinstance(mask, np.ndarray) else read_mask(mask)
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
        return MaskExamples(self.images.take(rows), masks, self.class_names)

    def sample(self, most: int, seed: int = 0) -> "MaskExamples":
        """Returns at most `most` images, drawn without replacement, in the order of the source."""
        if len(self) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False)))

    def split(self, part: Part, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> "MaskExamples":
        """Returns one part, as `Examples.split` does: by a hash of the image; equal images land in the same part."""
        return self.take(self.images.split_rows(part, fractions))


def open_masks(spec: str, *, class_names: Sequence[str] = ()) -> MaskExamples:
    """Opens a source of images with masks and checks all masks.

    Args:
        spec: `images:FOLDER`, where FOLDER/images holds the images and FOLDER/masks for each a mask of the same name and size
            (.png: one channel or a palette; a pixel is the number of its class, 255 of none); or `demo:mnist5k-masks`.
        class_names: the classes in the order of their numbers. Without it the lines of FOLDER/classes.txt, or the numbers.

    Raises:
        UsageError: there is no such source.
        RunError: at the first bad place in it.
    """
    rows = read_masks(spec, class_names=class_names)
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}")
    images = Examples("image", rows.images, None, (), rows.where, spec, rows.licence)
    return MaskExamples(images, rows.masks, rows.class_names)


def read_masks(spec: str, *, class_names: Sequence[str] = ()) -> MaskRows:
    """Reads a source with all its problems; every mask is decoded once.

    Raises:
        UsageError: there is no such source.
    """
    scheme, _, rest = spec.partition(":")
    if scheme == "demo" and rest:
        found: MaskRows = read_demo(rest, kind="masks")
        return found
    if scheme != "images" or not rest:
        raise UsageError(f"{spec!r} is no source of masks: expected images:FOLDER or demo:mnist5k-masks")
    if not is_mask_folder(rest):
        raise UsageError(
            f"{rest} has no folders {IMAGES} and {MASKS}: put the images into one and the masks into the other"
        )
    root = Path(rest).expanduser()
    listed = tuple(class_names) or _listed_classes(root)
    paths = sorted(path for path in (root / IMAGES).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    rows = MaskRows(class_names=listed)
    top = -1
    for path in paths:
        top = max(top, _add(rows, path, root, len(listed) or NO_CLASS))
    if not paths:
        rows.problems.append(Problem(str(root / IMAGES), "there are no images", "give another folder"))
    if not listed:
        rows.class_names = tuple(str(number) for number in range(top + 1))
    return rows


def _listed_classes(root: Path) -> tuple[str, ...]:
    path = root / CLASSES_FILE
    return (
        tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()) if path.is_file() else ()
    )


def _add(rows: MaskRows, path: Path, root: Path, limit: int) -> int:
    """Adds an image with its mask, or notes what is wrong; returns the highest class in it, -1 for none."""
    stem = root / MASKS / path.relative_to(root / IMAGES)
    found = [stem.with_suffix(suffix) for suffix in MASK_SUFFIXES if stem.with_suffix(suffix).is_file()]
    if not found:
        rows.problems.append(
            Problem(str(path), f"there is no mask {stem.with_suffix('.png')}", "add it or remove the image")
        )
        return -1
    place = os.fspath(found[0])
    try:
        pixels = read_mask(place)
        with Image.open(path) as image:
            size = (image.height, image.width)
    except (OSError, ValueError, UnidentifiedImageError) as error:
        rows.problems.append(Problem(place, f"cannot be read ({error})", "replace or remove it and its image"))
        return -1
    if pixels.shape != size:
        what = f"the mask is {pixels.shape[0]} x {pixels.shape[1]} pixels, its image {size[0]} x {size[1]}"
        rows.problems.append(Problem(place, what, "give both the same size"))
        return -1
    classes = np.unique(pixels)
    wrong = classes[(classes >= limit) & (classes != NO_CLASS)]
    if len(wrong):
        what = f"pixels have the class {wrong[0]}, there are {limit}"
        rows.problems.append(Problem(place, what, f"correct it, or mark what has no class by {NO_CLASS}"))
        return -1
    rows.images.append(os.fspath(path))
    rows.masks.append(place)
    rows.where.append(os.fspath(path))
    return int(max(classes[classes != NO_CLASS], default=-1))


def read_mask(path: str) -> np.ndarray:
    """Decodes a mask: uint8 `(height, width)`, the numbers in the file (of a palette, not its colours).

    Raises:
        ValueError: it has several channels, or numbers beyond 255.
    """
    with Image.open(path) as image:
        if image.mode not in ("P", "L", "1", "I", "I;16"):
            raise ValueError(f"it has the channels {image.mode}, expected one number a pixel")
        pixels = np.asarray(image)
    if pixels.size and not 0 <= int(pixels.min()) <= int(pixels.max()) <= NO_CLASS:
        raise ValueError(f"its numbers are {pixels.min()} to {pixels.max()}, expected 0 to {NO_CLASS}")
    return pixels.astype(np.uint8)
