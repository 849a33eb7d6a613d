"""How a photo is stored, from its Exif block, and turning it upright: in NumPy what `orientation` does in a graph."""

from pathlib import Path
from typing import BinaryIO

import numpy as np

UPRIGHT = 1
_HEAD = 1 << 18  # bytes in which the block must begin
_SEGMENTS = 64
_ORIENTATION, _SHORT = 0x0112, 3


def stored_orientation(path: str) -> int:
    """Returns how a file is stored: 1 (upright, or nothing is said) to 8; of a JPEG, PNG or WebP file.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return _in_chunks(file)
        file.seek(0)
        return orientation_in(file.read(_HEAD))


def orientation_in(data: bytes) -> int:
    """Returns the orientation that the first bytes of a JPEG file tell (Exif 2.32, sections 4.5.2 and 4.6.4)."""
    if data[:2] != b"\xff\xd8":
        return UPRIGHT
    data += bytes(16)  # what is cut off counts as zeros
    at = 2
    for _ in range(_SEGMENTS):
        marker = int.from_bytes(data[at : at + 2], "big")
        if marker == 0xFFE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return _in_tiff(data, at + 10)
        if marker < 0xFFC0 or 0xFFD0 <= marker <= 0xFFDA:
            return UPRIGHT
        at += 1 if marker == 0xFFFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return UPRIGHT


def _in_chunks(file: BinaryIO) -> int:
    """Reads the heads of chunks (PNG specification, section 11.3.4.5; WebP container specification)."""
    file.seek(0)
    head = file.read(30)
    if head[:4] == b"\x89PNG":
        wanted, at, order, extra = b"eXIf", 8, "big", 4
    elif head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20 and head[20] & 8:
        wanted, at, order, extra = b"EXIF", 12, "little", 0
    else:
        return UPRIGHT
    while True:
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            return UPRIGHT
        number, name = (chunk[:4], chunk[4:]) if extra else (chunk[4:], chunk[:4])
        size = int.from_bytes(number, order)  # type: ignore[arg-type]  # one of the two words
        if name == wanted:
            block = file.read(min(size, _HEAD)).removeprefix(b"Exif\0\0")
            return max(UPRIGHT, _in_tiff(block + bytes(16), 0))
        at += 8 + size + (extra or size % 2)


def _in_tiff(data: bytes, tiff: int) -> int:
    order = "little" if data[tiff : tiff + 1] == b"I" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]  # one of the two words

    directory = tiff + number(tiff + 4, 4)
    found = UPRIGHT
    for entry in range(number(directory, 2)):
        at = directory + 2 + 12 * entry
        if at + 12 > len(data):
            break
        value = number(at + 8, 2)
        if number(at, 2) == _ORIENTATION and number(at + 2, 2) == _SHORT and value <= 8:
            found = max(found, value)
    return found


def turned(pixels: np.ndarray, stored: int) -> np.ndarray:
    """Turns and mirrors pixels `(height, width, …)` that are stored as an orientation says, as `orientation.upright` does."""
    if stored >= 5:
        pixels = pixels.swapaxes(0, 1)
    if stored in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if stored in (3, 4, 7, 8) else pixels
