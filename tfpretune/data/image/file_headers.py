"""What the header of an image file says, without decoding it: size, colours, bits. Imports no TensorFlow."""

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from tfpretune.data.image.limits import MAX_JPEG_PIXELS, MAX_PIXELS, MAX_PROGRESSIVE_PIXELS

NO_IMAGE = "not an image (its first bytes are not those of a jpg, png, bmp, gif or webp)"
_TAIL = 4096
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
        animated: it has several frames.
        whole: it ends as a file of its form does; one that was cut off does not, and one with something behind it may not.
    """

    height: int
    width: int
    grey: bool = False
    bits: int = 8
    most: int = MAX_PIXELS
    animated: bool = False
    whole: bool = True


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
        found = dataclasses.replace(read(file, head.ljust(32, b"\0")), whole=_ends_well(file, head))
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
    grey, animated = colours in (0, 4), False
    at = 33
    while True:
        file.seek(at)
        chunk = file.read(8)
        size, name = int.from_bytes(chunk[:4], "big"), chunk[4:]
        if name == b"PLTE" and colours == 3:
            grey = _is_grey(file.read(min(size, 768)), 3)
        animated = animated or name == b"acTL"
        if len(chunk) < 8 or name == b"IDAT":
            return Header(height, width, grey, bits, animated=animated)
        at += 12 + size


def _gif(file: BinaryIO, head: bytes) -> Header:
    width, height = (int.from_bytes(head[start : start + 2], "little") for start in (6, 8))
    file.seek(13)
    palette = file.read(3 * 2 ** (head[10] % 8 + 1)) if head[10] >= 128 else b""
    return Header(height, width, bool(palette) and _is_grey(palette, 3), animated=_has_second_frame(file))


def _has_second_frame(file: BinaryIO) -> bool:
    """Goes through the blocks of a GIF file (GIF89a specification, sections 15 to 26) up to the second frame."""
    frames = 0
    while (mark := file.read(1)) in (b"!", b","):
        frames += mark == b","
        if frames > 1:
            return True
        flags = file.read(9)[8:] if mark == b"," else file.read(1) and b"\0"
        file.seek((3 * 2 ** (flags[0] % 8 + 1) if flags and flags[0] >= 128 else 0) + (mark == b","), os.SEEK_CUR)
        while (size := file.read(1)) not in (b"", b"\0"):
            file.seek(size[0], os.SEEK_CUR)
    return False


def _bmp(file: BinaryIO, head: bytes) -> Header:
    width, height = (int.from_bytes(head[start : start + 4], "little", signed=True) for start in (18, 22))
    bits = int.from_bytes(head[28:30], "little")
    file.seek(14 + int.from_bytes(head[14:18], "little"))
    return Header(abs(height), width, bits <= 8 and _is_grey(file.read(4 * 2**bits), 4), min(bits, 8))


def _webp(file: BinaryIO, head: bytes) -> Header:
    if head[12:16] == b"VP8X":
        height, width = (1 + int.from_bytes(head[start : start + 3], "little") for start in (27, 24))
        return Header(height, width, animated=bool(head[20] & 2))
    if head[12:16] == b"VP8L":
        both = int.from_bytes(head[21:25], "little")
        return Header(1 + (both >> 14) % 2**14, 1 + both % 2**14)
    width, height = (int.from_bytes(head[start : start + 2], "little") % 2**14 for start in (26, 28))
    return Header(height, width)


def _ends_well(file: BinaryIO, head: bytes) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    if head[:2] == b"BM":
        return size >= int.from_bytes(head[2:6], "little")
    if head[:4] == b"RIFF":
        return size >= 8 + int.from_bytes(head[4:8], "little")
    return {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND", b"GI": b"\0;"}[head[:2]] in tail


_FORMS = {b"\xff\xd8": _jpeg, b"\x89PNG": _png, b"GIF8": _gif, b"BM": _bmp, b"RIFF": _webp}


def _is_grey(palette: bytes, size: int) -> bool:
    colours = (palette[start : start + 3] for start in range(0, len(palette), size))
    return all(len(set(colour)) == 1 for colour in colours)
