"""Large files and standard input in pieces, so that readers of whole files need little memory. Imports no TensorFlow."""

import dataclasses
import gzip
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

STDIN = "-"
PIECE_BYTES = 2 << 20
STDIN_LINES = 32
"""So many lines of standard input are waited for."""
_MOST_PIECES = 8  # a record that never ends, as after a quote that is not closed, is cut after so many times the size
_PACKED = b"\x1f\x8b"


@dataclasses.dataclass(frozen=True)
class Piece:
    """A part of a file, as a file.

    Args:
        path: of this part.
        source: how messages name the whole.
        before: so many lines of the whole stand before this part; those of its header do not count.
        header: so many lines of this part are the header.
    """

    path: str
    source: str
    before: int = 0
    header: int = 0

    def line_of(self, line: int) -> int:
        """Returns the line of the whole."""
        return line if line <= self.header else line + self.before


def pieces(path: str, scheme: str, *, whole: bool = False) -> Iterator[Piece]:
    """Yields a file in pieces that end where a record does; a small one, and one of a scheme without lines, as it is.

    Args:
        path: of a file; "-" is standard input.
        scheme: csv has a header and records of several lines, conll sentences of several lines, jsonl and text neither.
        whole: do not cut files.
    """
    cut = scheme in ("csv", "jsonl", "text", "conll") and not whole
    small = path != STDIN and (os.path.getsize(path) <= PIECE_BYTES or (scheme == "jsonl" and _is_list(path)))
    if path != STDIN and (small or not cut):
        yield Piece(path, path)
        return
    name = "stdin" if path == STDIN else path
    with tempfile.TemporaryDirectory(prefix="tfpretune-") as folder, _open(path) as file:
        part = os.path.join(folder, os.path.basename(name).removesuffix(".gz") or "stdin")
        header = next(_records(file, scheme, 1), b"") if scheme == "csv" else b""
        size = STDIN_LINES if path == STDIN else 0
        lines, before = header.count(b"\n"), 0
        for records in _records(file, scheme, size):
            Path(part).write_bytes(header + records)
            yield Piece(part, name, before, lines)
            before += records.count(b"\n")
        if header and not before:
            Path(part).write_bytes(header)
            yield Piece(part, name)


def _is_list(path: str) -> bool:
    """Whether a JSON file is one list: its lines are no records."""
    with _open(path) as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _open(path: str) -> IO[bytes]:
    if path == STDIN:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    with open(path, "rb") as file:
        packed = file.read(2) == _PACKED
    return gzip.open(path, "rb") if packed else open(path, "rb")  # type: ignore[return-value]


def _records(file: IO[bytes], scheme: str, lines: int) -> Iterator[bytes]:
    """Yields whole records: of so many lines, or, with 0, of `PIECE_BYTES`."""
    held: list[bytes] = []
    size = quotes = 0
    while line := file.readline():
        held.append(line)
        size += len(line)
        quotes += line.count(b'"') if scheme == "csv" else 0
        full = len(held) >= lines if lines else size >= PIECE_BYTES
        ends = not line.strip() if scheme == "conll" else not quotes % 2
        if full and (ends or size > _MOST_PIECES * PIECE_BYTES):
            yield b"".join(held)
            held, size, quotes = [], 0, 0
    if held:
        yield b"".join(held)
