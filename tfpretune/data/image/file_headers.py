"""What the header of an image file says, without decoding it: size, colours, bits. Imports no TensorFlow."""

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from tfpretune.data.image.limits import MAX_JPEG_PIXELS, MAX_PIXELS, MAX_PROGRESSIVE_PIXELS

NO_IMAGE = "not an image (its first bytes are not those of a jpg, png, bmp, gif or webp)"
_CUT_OFF = "its header is cut off"
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))  # ITU-T T.81, table B.1


@dataclasses.dataclass(frozen=True)
class Header:
    """One image file.

    Args:
        height: pixels, as stored.
        width: pixels, as stored.
        grey: it has no colours.
        bits: per pixel and channel.
        most: pixels that an image of its form may have.
    """

    height: int
    width: int
    grey: bool = False
    bits: int = 8
    most: int = MAX_PIXELS


def read_headers(paths: Sequence[str]) -> list[Header | str]:
    """Returns the header of each file, or in words what is wrong with it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_header_or_fault, paths))


def read_header(path: str) -> Header:
    """Reads one header.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no image that can be decoded; says why.
    """
    with Path(path).open("rb") as file:
        head = file.read(32)
        if not head:
            raise ValueError("the file is empty")
        read = next((read for magic, read in _FORMS.items() if head.startswith(magic)), None)
        if read is None or (read is _webp and head[8:12] not in (b"WEBP", b"")):
            raise ValueError(NO_IMAGE)
        found = read(file, head.ljust(32, b"\0"))
    if len(head) < 26 or not (found.height and found.width):
        raise ValueError(_CUT_OFF)
    if found.height * found.width > found.most:
        size = f"{found.width} x {found.height} pixels in 1 frame(s)"
        raise ValueError(f"the image has {size}, more than the {found.most:,} that are read")
    return found


def _header_or_fault(path: str) -> Header | str:
    try:
        return read_header(path)
    except OSError as error:
        return f"the file cannot be read ({error.strerror}): check that it is there and that you may read it"
    except ValueError as error:
        return str(error)


def _jpeg(file: BinaryIO, head: bytes) -> Header:
    at = 2
    while True:
        file.seek(at)
        part = file.read(10)
        if len(part) < 10:
            raise ValueError(_CUT_OFF)
        if part[:2] == b"\xff\xff":
            at += 1
        elif part[0] == 0xFF and part[1] in _FRAMES:
            most = MAX_PROGRESSIVE_PIXELS if part[1] % 4 == 2 else MAX_JPEG_PIXELS
            height, width = (int.from_bytes(part[start : start + 2], "big") for start in (5, 7))
            return Header(height, width, part[9] == 1, part[4], most)
        elif part[0] != 0xFF or part[1] < 0xC0 or part[1] == 0xDA:
            raise ValueError("the image is corrupt: no frame before its pixels")
        else:
            at += 2 + int.from_bytes(part[2:4], "big")


def _png(file: BinaryIO, head: bytes) -> Header:
    width, height = (int.from_bytes(head[start : start + 4], "big") for start in (16, 20))
    bits, colours = head[24], head[25]
    grey = colours in (0, 4)
    at = 33
    while colours == 3:  # a palette
        file.seek(at)
        chunk = file.read(8)
        size = int.from_bytes(chunk[:4], "big")
        if chunk[4:] == b"PLTE":
            grey = _is_grey(file.read(min(size, 768)), 3)
        if len(chunk) < 8 or chunk[4:] in (b"PLTE", b"IDAT"):
            break
        at += 12 + size
    return Header(height, width, grey, bits)


def _gif(file: BinaryIO, head: bytes) -> Header:
    width, height = (int.from_bytes(head[start : start + 2], "little") for start in (6, 8))
    file.seek(13)
    palette = file.read(3 * 2 ** (head[10] % 8 + 1)) if head[10] >= 128 else b""
    return Header(height, width, bool(palette) and _is_grey(palette, 3))


def _bmp(file: BinaryIO, head: bytes) -> Header:
    width, height = (int.from_bytes(head[start : start + 4], "little", signed=True) for start in (18, 22))
    bits = int.from_bytes(head[28:30], "little")
    file.seek(14 + int.from_bytes(head[14:18], "little"))
    return Header(abs(height), width, bits <= 8 and _is_grey(file.read(4 * 2**bits), 4), min(bits, 8))


def _webp(file: BinaryIO, head: bytes) -> Header:
    if head[12:16] == b"VP8X":
        height, width = (1 + int.from_bytes(head[start : start + 3], "little") for start in (27, 24))
        return Header(height, width)
    if head[12:16] == b"VP8L":
        both = int.from_bytes(head[21:25], "little")
        return Header(1 + (both >> 14) % 2**14, 1 + both % 2**14)
    width, height = (int.from_bytes(head[start : start + 2], "little") % 2**14 for start in (26, 28))
    return Header(height, width)


_FORMS = {b"\xff\xd8": _jpeg, b"\x89PNG": _png, b"GIF8": _gif, b"BM": _bmp, b"RIFF": _webp}


def _is_grey(palette: bytes, size: int) -> bool:
    colours = (palette[start : start + 3] for start in range(0, len(palette), size))
    return all(len(set(colour)) == 1 for colour in colours)
