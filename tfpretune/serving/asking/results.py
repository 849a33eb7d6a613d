"""A file of results that grows by whole rows: a table or JSON lines. Imports no TensorFlow."""

import contextlib
import csv
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tfpretune.errors import UsageError
from tfpretune.runtime.disk_space import full_disk_named
from tfpretune.serving.asking.cells import Cells

SUFFIXES = (".csv", ".jsonl")
WHERE, ERROR = "where", "error"


class Results:
    """A file that is written row by row. A context manager; what is written is flushed, and ends with a whole row.

    Args:
        path: ends in .csv or .jsonl; "" is standard output, JSON lines.
        overwrite: begin anew where there is one.
        resume: go on behind the whole rows that are there.

    Attributes:
        rows: that were there before.

    Raises:
        UsageError: another suffix, or there is a file and neither is asked for.
    """

    def __init__(self, path: Path | str, *, overwrite: bool = False, resume: bool = False):
        self.path = Path(path) if str(path) else None
        self.table = self.path is not None and self.path.suffix == ".csv"
        self.columns: list[str] = []
        self.rows, self.last = 0, ""
        self._waiting: list[Cells] = []
        self._end = 0
        self._file: Any = None
        if self.path is None:
            return
        if self.path.suffix not in SUFFIXES:
            raise UsageError(f"{path}: results are written as {' or '.join(SUFFIXES)}: give such a name")
        there = self.path.exists() and self.path.stat().st_size > 0
        if there and not (overwrite or resume):
            raise UsageError(f"{path} is there: go on where it stopped (`resume`), or begin anew (overwrite)")
        if there and resume and not overwrite:
            self._end = self._read(self.path)

    def __enter__(self) -> Self:
        """Begins behind what is to stay."""
        if self.path is None:
            self._file = sys.stdout.buffer
            return self
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("r+b" if self.path.exists() else "wb")
        self._file.truncate(self._end)
        self._file.seek(self._end)
        return self

    def __exit__(self, *error: object) -> None:
        """Writes what waits, and ends."""
        try:
            self._write(self._waiting)
        finally:
            if self.path is not None:
                self._file.close()

    def add(self, rows: Sequence[Cells]) -> None:
        """Writes rows, each with `where`, what is kept, the answer's cells and `error`.

        A table has the columns of its first answer: rows before it, which have errors alone, wait for it.
        """
        self._waiting += rows
        if not self.table or self.columns or any(not row[ERROR] for row in rows):
            waiting, self._waiting = self._waiting, []  # gone also where the write ends with Ctrl-C
            self._write(waiting)

    def _write(self, rows: Sequence[Cells]) -> None:
        if not rows:
            return
        text = self._lines(rows) if self.table else "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        data = text.encode("utf-8", "replace")
        with full_disk_named(self.path or Path("stdout"), needed=len(data)), held_back():
            self._file.write(data)
            self._file.flush()

    def _lines(self, rows: Sequence[Cells]) -> str:
        flat = [flattened(row) for row in rows]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self.columns:
            first = next((row for row in flat if not row[ERROR]), flat[0])
            self.columns = [*(name for name in first if name != ERROR), ERROR]
            writer.writerow(self.columns)
        for row in flat:
            if unknown := [name for name in row if name not in self.columns]:
                raise UsageError(f"{self.path} has no column {unknown[0]!r}: it is of another model or source")
            writer.writerow([_cell(row.get(name)) for name in self.columns])
        return text.getvalue()

    def _read(self, path: Path) -> int:
        """Counts the whole rows, and returns where they end."""
        end = 0
        with path.open("rb") as file:
            for record in _whole_records(file, self.table):
                end += len(record)
                if self.table and not self.columns:
                    self.columns = next(csv.reader([record.decode("utf-8")]))
                    if self.columns[:1] != [WHERE] or self.columns[-1:] != [ERROR]:
                        raise UsageError(f"{path} is no file of results: its first column is not {WHERE!r}")
                else:
                    self.rows += 1
                    self.last = record.decode("utf-8")
        return end

    @property
    def last_where(self) -> str:
        """The place of the last row that was there."""
        if not self.last:
            return ""
        return next(csv.reader(io.StringIO(self.last, newline="")))[0] if self.table else json.loads(self.last)[WHERE]


def flattened(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row as columns: of an object one for each name, `probabilities/sport`."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= {f"{name}/{key}": one for key, one in value.items()}
        else:
            found[name] = value
    return found


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _whole_records(file: Any, table: bool) -> Iterator[bytes]:
    """Yields records up to the last that is whole; of a table a record may have line breaks between quotes."""
    held, quotes = b"", 0
    for line in file:
        held += line
        quotes += line.count(b'"') if table else 0
        if quotes % 2 == 0 and line.endswith(b"\n"):
            yield held
            held = b""


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Lets Ctrl-C and SIGTERM wait until the block ends. Only the main thread may do so; elsewhere nothing is held back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    old = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        if came:
            os.kill(os.getpid(), came[0])
