"""A mask file -> the class of each pixel, lying as its photo is read. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfpretune.data.image.exif import UPRIGHT, turned
from tfpretune.data.readers.masks.files import Mask, decode_mask
from tfpretune.data.readers.masks.records import NO_CLASS


@dataclasses.dataclass(frozen=True, eq=False)
class MaskReader:
    """Decodes the masks of one source.

    Args:
        codes: number (or colour code) -> class index; what is not in it has no class. None: numbers are classes as they are.
        by_colour: codes are those of colours.
        white: what white is in masks of one bit per pixel.
        turns: path -> the orientation from which a mask is put upright; those that are missing lie right.
    """

    codes: Mapping[int, int] | None = None
    by_colour: bool = False
    white: int = 1
    turns: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __call__(self, path: str) -> np.ndarray:
        """Returns the classes, uint8 `(height, width)`; 255 where there is none.

        Raises:
            READ_ERRORS: the file cannot be decoded.
        """
        return np.ascontiguousarray(turned(self._classes(decode_mask(path), path), self.turns.get(path, UPRIGHT)))

    def _classes(self, mask: Mask, path: str) -> np.ndarray:
        if self.by_colour:
            return _looked_up(mask.colours, self.codes or {})
        if mask.numbers is None:
            raise ValueError(f"{path}: the mask is in colours, expected one number per pixel")
        numbers = mask.numbers * self.white if mask.form == "bit" else mask.numbers
        if self.codes is None:
            return numbers.astype(np.uint8)
        table = np.full(NO_CLASS + 1, NO_CLASS, np.uint8)
        for number, index in self.codes.items():
            table[number] = index
        return table[numbers]


def _looked_up(colours: np.ndarray, codes: Mapping[int, int]) -> np.ndarray:
    known = np.array(sorted(codes), np.int32)
    classes = np.array([codes[code] for code in known.tolist()], np.uint8)
    places = np.minimum(np.searchsorted(known, colours), len(known) - 1)
    return np.where(known[places] == colours, classes[places], np.uint8(NO_CLASS))
