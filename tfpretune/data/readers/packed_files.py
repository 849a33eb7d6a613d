"""Text files that are packed, and files that are no text at all. Imports no TensorFlow."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
"""Endings of files that are unpacked as they are read."""
_ZIP, _GZIP, _XZ, _ZSTD = b"PK\x03\x04", b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
_BZIP2 = re.compile(b"BZh[1-9]1AY&SY")
_PICKLE = "write the table as CSV or Parquet where it was made"
KINDS = (
    (_GZIP, "packed with gzip twice", "unpack it: gunzip -k {}"),
    (b"BZh91AY&SY", "packed with bzip2 twice", "unpack it: bunzip2 -k {}"),
    (_XZ, "packed with xz twice", "unpack it: unxz -k {}"),
    (_ZSTD, "packed with zstd twice", "unpack it: unzstd {}"),
    (_ZIP, "a ZIP archive", "unpack it: unzip {}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it: 7z x {}"),
    (b"Rar!", "a RAR archive", "unpack it: unrar x {}"),
    (b"PAR1", "a Parquet file", "read it as parquet:{}"),
    (b"ARROW1", "an Arrow file", "write it as Parquet, JSON lines or CSV"),
    (b"Obj\x01", "an Avro file", "write it as Parquet, JSON lines or CSV"),
    (b"ORC", "an ORC file", "write it as Parquet, JSON lines or CSV"),
    (b"\x89HDF", "an HDF5 file", "write the table as Parquet, JSON lines or CSV"),
    (b"\x93NUMPY", "a NumPy array", "write the table as Parquet, JSON lines or CSV"),
    (b"%PDF-", "a PDF", "extract its text: pdftotext {}"),
    (b"\xd0\xcf\x11\xe0", "an old Office document (.xls, .doc)", "save it as CSV or text"),
    (b"SQLite format 3\0", "an SQLite database", 'write the table as CSV: sqlite3 -csv -header {} "SELECT * FROM …"'),
    (b"\x89PNG", "a PNG image", "give a file of text"),
    (b"\xff\xd8\xff", "a JPEG image", "give a file of text"),
    (b"\x80\x02", "a pickle, which can run code when it is opened", _PICKLE),
    (b"\x80\x03", "a pickle, which can run code when it is opened", _PICKLE),
    (b"\x80\x04", "a pickle, which can run code when it is opened", _PICKLE),
    (b"\x80\x05", "a pickle, which can run code when it is opened", _PICKLE),
)
"""First bytes, what such a file is, and what to do."""
_INSIDE = (
    ("xl/", "a workbook (.xlsx)", "save the sheet as CSV"),
    ("word/", "a Word document (.docx)", "save it as text"),
    ("", "a ZIP archive", "unpack it: unzip {}"),
)
_LFS = b"version https://git-lfs.github.com/spec/"
_HTML = re.compile(r"\s*(<!doctype html|<html[\s>])", re.IGNORECASE)


def unpacked(data: bytes) -> bytes:
    """Returns the content of a file that is packed with gzip, bzip2, xz or zstd, and any other data as they are.

    Raises:
        ValueError: the file is damaged.
    """
    found = _packer(data)
    if not found:
        return data
    name, unpack = found
    try:
        return unpack(data)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"the {name} file is damaged ({error})") from error


def is_packed(path: str) -> bool:
    """Returns whether a file begins as a packed one does; of one that cannot be read it is not known."""
    try:
        with open(path, "rb") as file:
            return _packer(file.read(16)) is not None
    except OSError:
        return False


def _packer(data: bytes) -> tuple[str, Callable[[bytes], bytes]] | None:
    if data.startswith(_GZIP):
        return "gzip", gzip.decompress
    if _BZIP2.match(data):
        return "bzip2", bz2.decompress
    if data.startswith(_XZ):
        return "xz", lzma.decompress
    return ("zstd", _unzstd) if data.startswith(_ZSTD) else None


def _unzstd(data: bytes) -> bytes:
    import pyarrow  # takes a third of a second

    return pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "zstd").read()


def without_packed_suffix(path: str) -> str:
    """Returns a path without the ending that says how the file is packed."""
    return next((path[: -len(end)] for end in PACKED_SUFFIXES if path.lower().endswith(end)), path)


def is_pointer(data: bytes) -> bool:
    """Returns whether a file is what Git LFS leaves in the place of another."""
    return data.startswith(_LFS)


def no_text(data: bytes, path: str) -> tuple[str, str] | None:
    """Says what a file is, and what to do, if it is none of text.

    Args:
        data: all of it; what can be read as text is looked at no further.
        path: for what to do.
    """
    if is_pointer(data):
        return "the file is a pointer of Git LFS, not the file itself", "fetch it: git lfs pull"
    found = next((kind for kind in KINDS if data.startswith(kind[0])), None)
    if found is None or (b"\0" not in data[:4096] and _is_utf8(data)):
        return None
    start, what, todo = found
    what, todo = _in_archive(data) if start == _ZIP else (what, todo)
    return f"the file is {what}, no text", todo.format(path)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _in_archive(data: bytes) -> tuple[str, str]:
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        names = []
    return next(
        (what, todo) for start, what, todo in _INSIDE if not start or any(name.startswith(start) for name in names)
    )


def no_table(text: str) -> tuple[str, str] | None:
    """Says what a file of text is, and what to do, if it is no table: a page, mostly of an address that was no download."""
    if _HTML.match(text[:1024]):
        return "the file is an HTML page, no table", "download the file itself: the address led to a page about it"
    return None
