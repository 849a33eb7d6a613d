"""Text files that are packed, and files that are no text at all. Imports no TensorFlow."""

import gzip
import zlib

KINDS = (
    (b"\x1f\x8b", "packed with gzip", "unpack it: gunzip -k {}"),
    (b"PK\x03\x04", "a ZIP archive or a workbook (.zip, .xlsx)", "unpack it, or save the table as CSV"),
    (b"BZh", "packed with bzip2", "unpack it: bunzip2 -k {}"),
    (b"\xfd7zXZ", "packed with xz", "unpack it: unxz -k {}"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it: unzstd {}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it: 7z x {}"),
    (b"PAR1", "a Parquet file", "write it as JSON lines or CSV"),
    (b"ARROW1", "an Arrow file", "write it as JSON lines or CSV"),
    (b"%PDF-", "a PDF", "extract its text: pdftotext {}"),
    (b"\xd0\xcf\x11\xe0", "an old Office document (.xls, .doc)", "save it as CSV or text"),
    (b"SQLite format 3\0", "an SQLite database", "write the table as CSV"),
    (b"\x89PNG", "a PNG image", "give a file of text"),
    (b"\xff\xd8\xff", "a JPEG image", "give a file of text"),
)
"""First bytes, what such a file is, and what to do."""


def unpacked(data: bytes) -> bytes:
    """Returns the content of a gzip file, and any other data as they are.

    Raises:
        ValueError: the file is damaged.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the gzip file is damaged ({error})") from error


def no_text(data: bytes, path: str) -> tuple[str, str] | None:
    """Says what a file is, and what to do, if it is none of text."""
    for start, what, todo in KINDS:
        if data.startswith(start):
            return f"the file is {what}, no text", todo.format(path)
    return None
