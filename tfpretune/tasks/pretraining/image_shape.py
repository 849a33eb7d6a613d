"""The shape that images are brought to where nobody names one: found in the data, or as the run that goes on has it."""

import dataclasses
import json
import math
from typing import TypeVar

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.image.file_headers import Header, read_headers
from tfpretune.errors import UsageError
from tfpretune.tasks.pretraining.settings import ImagePretrainingConfig

_SMALL = 32  # up to here images keep their size
_SIDES = (32, 48, 64)  # of larger ones; a step costs the square
Run = TypeVar("Run", bound=ImagePretrainingConfig)


def with_image_shape(run: Run, examples: Examples) -> Run:
    """Fills in the image shape and the patch size that a run without a preset does not name, and says where they come from.

    A run that goes on has those that it began with. Otherwise small images keep the size that they have in the median, larger
    ones get the nearest of 32, 48 and 64 pixels below it, each side by itself; colours are kept where there are any.

    Args:
        run: the settings.
        examples: all images of the source; of files only the headers are read.

    Raises:
        UsageError: no header can be read.

    Examples:
        >>> from tfpretune.data import open_source
        >>> from tfpretune.tasks import ImagePretrainingConfig
        >>> from tfpretune.tasks.pretraining.image_shape import with_image_shape
        >>> run = ImagePretrainingConfig("demo:digits", "runs/digits", steps=1)
        >>> run = with_image_shape(run, open_source("demo:digits"))
        >>> run.image_shape, run.patch_size
        ((8, 8, 1), 2)
    """
    shape, patch = begun_with(run)
    if not any(run.image_shape):
        run = dataclasses.replace(run, image_shape=shape if any(shape) else fitting_shape(run, examples))
    return dataclasses.replace(run, patch_size=run.patch_size or patch or patch_size_for(run.image_shape))


def fitting_shape(run: ImagePretrainingConfig, examples: Examples) -> tuple[int, int, int]:
    """Returns the shape that fits the images, and says it where they have another one.

    Raises:
        UsageError: no header can be read.
    """
    shape, seen = _found_in(examples)
    if shape != seen:
        where = " where the preset takes any size" if run.preset else ""
        median = "" if isinstance(examples.inputs, np.ndarray) else " in the median"
        print(
            f"{examples.name}: images of {_told(seen)}{median}, brought to {_told(shape)}{where}; "
            f"--image-shape HEIGHT WIDTH CHANNELS names another shape",
            flush=True,
        )
    return shape


def patch_size_for(shape: tuple[int, int, int]) -> int:
    """Returns the largest patch that divides both sides: at most a quarter of small images, an eighth of larger ones."""
    height, width = shape[:2]
    short, common = min(height, width), math.gcd(height, width)
    most = max(1, short // (4 if short <= _SMALL else 8))
    found = max(size for size in range(1, most + 1) if common % size == 0)
    return found if found > 1 else most  # what cuts images into patches says that it does not fit


def begun_with(run: ImagePretrainingConfig) -> tuple[tuple[int, int, int], int]:
    """Returns shape and patch size of the run that goes on in the folder; nothing where none does."""
    file = run.shared_dir / "config.json"
    if run.resume != "auto" or not (run.shared_dir / "checkpoints").is_dir() or not file.is_file():
        return (0, 0, 0), 0
    try:
        old = json.loads(file.read_text("utf-8"))
        shape, patch = tuple(old["image_shape"]), old["patch_size"]
    except (OSError, ValueError, KeyError, TypeError):
        return (0, 0, 0), 0  # `fit` says what is wrong with it
    return ((0, 0, 0), 0) if old.get("fast") != run.fast else (shape, patch)


def _found_in(examples: Examples) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Returns the shape that fits, and what the images have in the median."""
    if isinstance(examples.inputs, np.ndarray):
        height, width, channels = examples.inputs.shape[1:]
    else:
        headers = [found for found in read_headers(examples.inputs) if isinstance(found, Header)]
        if not headers:
            raise UsageError(f"{examples.name}: none of its images can be read: tfpretune check {examples.name}")
        height, width = (int(np.median([getattr(found, side) for found in headers])) for side in ("height", "width"))
        channels = 1 if all(found.grey for found in headers) else 3
    return (_side(height), _side(width), channels), (height, width, channels)


def _side(pixels: int) -> int:
    if pixels <= _SMALL:
        return max(8, 4 * math.ceil(pixels / 4))
    return max(side for side in _SIDES if side <= pixels)


def _told(shape: tuple[int, int, int]) -> str:
    height, width, channels = shape
    return f"{height} x {width} pixels in {'grey' if channels == 1 else 'colour'}"
