"""The files of each kind of input. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping

TEXT_SUFFIXES = (".txt",)
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
_UNREADABLE_IMAGES = (
    *(".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".svg", ".ico", ".ppm", ".pgm", ".tga"),
)


@dataclasses.dataclass(frozen=True)
class FileKind:
    """The files of one kind of input.

    Args:
        scheme: what names a folder of them.
        suffixes: of those that are read.
        unreadable: of those that would have to be converted.
    """

    scheme: str
    suffixes: tuple[str, ...]
    unreadable: tuple[str, ...] = ()


FILES: Mapping[str, FileKind] = {
    "text": FileKind("text", TEXT_SUFFIXES),
    "image": FileKind("images", IMAGE_SUFFIXES, _UNREADABLE_IMAGES),
}
