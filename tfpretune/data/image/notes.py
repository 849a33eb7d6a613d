"""What is good to know of image files before one is decoded: animations, few bits, photos read smaller. No TensorFlow."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from tfpretune.data.image.file_headers import Header, read_headers
from tfpretune.data.image.limits import DIM, MAX_PIXELS

_LOOKED_AT = 32


def image_notes(paths: Sequence[str]) -> list[str]:
    """Returns a line for each kind of images that are read otherwise than one may think; of files only the headers are read.

    Of images with 16 bits per pixel up to 32 are decoded: those that cameras and scanners leave use the lowest 10 to 14 alone.
    """
    headers = [
        (path, found) for path, found in zip(paths, read_headers(paths), strict=True) if isinstance(found, Header)
    ]
    moving = [path for path, found in headers if found.animated]
    large = [path for path, found in headers if found.height * found.width > MAX_PIXELS]
    deep = [path for path, found in headers if found.bits == 16]
    notes = []
    if moving:
        notes.append(f"{len(moving):,} images are animations, the first is {moving[0]}: their first frame is read")
    if large:
        what = f"{len(large):,} photos have more than {MAX_PIXELS:,} pixels, the first is {large[0]}"
        notes.append(f"{what}: they are decoded at a half or a quarter of their size")
    return notes + (_few_bits(deep) if deep else [])


def _few_bits(paths: Sequence[str]) -> list[str]:
    sample = [paths[row] for row in np.unique(np.linspace(0, len(paths) - 1, _LOOKED_AT).astype(int))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tops = list(pool.map(_brightest, sample))
    low = [(path, top) for path, top in zip(sample, tops, strict=True) if top is not None and top >> 8 <= DIM]
    if not low:
        return []
    bits = max(1, max(top for _, top in low).bit_length())
    who = f"{len(paths):,} images have 16 bits per pixel, and"
    who += " use" if len(low) == len(paths) else f" {len(low):,} of {len(sample):,} that were looked at use"
    what = f"{who} the lowest {bits} alone, the first is {low[0][0]}: they are read nearly black"
    return [f"{what}; multiply their pixels by {2 ** max(1, 16 - bits)} and save them again"]


def _brightest(path: str) -> int | None:
    try:
        with Image.open(path) as image:
            top, wide = int(np.asarray(image).max()), image.mode.startswith("I")
    except (OSError, ValueError, SyntaxError):
        return None  # named where it is decoded
    return top if wide else top << 8
