"""What is in each mask of a source, found in one pass over all files. Imports no TensorFlow."""

import collections
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfpretune.data.image.exif import stored_orientation
from tfpretune.data.image.file_headers import read_header
from tfpretune.data.readers.masks.files import READ_ERRORS, Mask, colour_text, decode_mask
from tfpretune.data.readers.masks.folders import MaskPair
from tfpretune.data.readers.masks.geometry import Frame
from tfpretune.data.readers.masks.records import NO_CLASS
from tfpretune.data.readers.records import Problem


@dataclasses.dataclass(frozen=True)
class Surveyed:
    """One mask.

    Args:
        pair: the files.
        frame: their sizes and orientations.
        form: as `Mask.form`.
        numbers: number -> pixels; None for a picture in colours.
        colours: colour code -> pixels.
        shown: number -> the colour code that it is shown in.
    """

    pair: MaskPair
    frame: Frame
    form: str
    numbers: Mapping[int, int] | None
    colours: Mapping[int, int]
    shown: Mapping[int, int]


def survey(pairs: Sequence[MaskPair]) -> list[Surveyed | Problem]:
    """Decodes every mask and reads the header of every photo, in the order of the pairs."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_look, pairs))


def _look(pair: MaskPair) -> Surveyed | Problem:
    try:
        mask = decode_mask(pair.mask)
    except READ_ERRORS as error:
        return Problem(pair.mask, f"cannot be read ({error})", "replace it")
    try:
        photo = read_header(pair.image)
        orientation = stored_orientation(pair.image)
    except READ_ERRORS as error:
        return Problem(pair.image, f"cannot be read ({error})", "replace it")
    size = (photo.height, photo.width)
    frame = Frame(pair.image, pair.mask, size, orientation, mask.size, mask.orientation)
    numbers, colours, shown = _tally(mask)
    return Surveyed(pair, frame, mask.form, numbers, colours, shown)


def _tally(mask: Mask) -> tuple[dict[int, int] | None, dict[int, int], dict[int, int]]:
    if mask.numbers is None:
        codes, counts = np.unique(mask.colours, return_counts=True)
        return None, dict(zip(codes.tolist(), counts.tolist(), strict=True)), {}
    counts = np.bincount(mask.numbers.ravel(), minlength=NO_CLASS + 1)
    numbers = {number: int(counts[number]) for number in np.flatnonzero(counts).tolist()}
    shown = {number: int(mask.shades[number]) for number in numbers}
    colours: collections.Counter[int] = collections.Counter()
    for number, pixels in numbers.items():
        colours[shown[number]] += pixels
    return numbers, dict(colours), shown


def palette_problems(masks: Sequence[Surveyed]) -> Iterator[Problem]:
    """Compares palettes over files: the same number must be shown in the same colour, and the same colour by one number.

    Black and white as palettes have them are compared with grey masks, too, where these are nothing else.
    """
    grey = [mask for mask in masks if mask.form == "grey"]
    plain = {number for mask in grey for number in mask.numbers or ()}
    numbers_of: dict[int, tuple[int, str]] = {}
    colours_of: dict[int, tuple[int, str]] = {}
    if plain == {0, NO_CLASS}:
        numbers_of = {mask.shown[number]: (number, mask.pair.mask) for mask in grey for number in mask.shown}
    todo = "save all with one palette, or list the colours in classes.txt (lines such as: 255 0 0 name)"
    for mask in masks:
        place = mask.pair.mask
        for number, colour in mask.shown.items() if mask.form == "palette" else ():
            other, first = colours_of.setdefault(number, (colour, place))
            what = f"{number} is {colour_text(colour)} here, {colour_text(other)} in {first}" if other != colour else ""
            known, first = numbers_of.setdefault(colour, (number, place))
            if known != number and first != place:
                what = what or f"{colour_text(colour)} is {number} here, {known} in {first}"
            if what:
                yield Problem(place, f"its palette is not that of the others: {what}", todo)
                break


def white_of_bits(masks: Sequence[Surveyed]) -> tuple[int, list[Problem]]:
    """Returns what white is in masks of one bit per pixel: 1, or 255 where the other masks of the set are 0 and 255."""
    bits = [mask for mask in masks if mask.form == "bit"]
    others = {number for mask in masks if mask.form != "bit" for number in mask.numbers or ()}
    if not bits or NO_CLASS not in others:
        return 1, []
    if others <= {0, NO_CLASS}:
        return NO_CLASS, []
    what = f"it has one bit per pixel, other masks hold the numbers {', '.join(map(str, sorted(others)[:6]))}"
    return 1, [Problem(bits[0].pair.mask, what, "save all masks in one way, a number for each class")]
