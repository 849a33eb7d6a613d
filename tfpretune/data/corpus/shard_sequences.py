"""Rows of token ids in files: fixed length, each row with a checksum, found by one global number.

A file is rows one after another without a header: the token ids, little-endian uint16 (int32 when the vocabulary is larger),
and the CRC-32 of these bytes.
"""

import collections
import contextlib
import hashlib
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import RecordSource
from tfpretune.errors import RunError, passed_on
from tfpretune.runtime.files import write_atomic

OPEN_FILES = 128


def row_dtype(vocabulary_size: int, sequence_length: int) -> np.dtype:
    """Returns the form of one row on disk."""
    ids = "<u2" if vocabulary_size <= 1 << 16 else "<i4"
    return np.dtype([("token_ids", ids, (sequence_length,)), ("crc32", "<u4")])


def write_rows(path: Path, token_ids: np.ndarray, dtype: np.dtype) -> dict[str, Any]:
    """Writes one file of rows, whole or not at all.

    Args:
        path: the file.
        token_ids: `(rows, sequence_length)`, any int type.
        dtype: from `row_dtype`.

    Returns:
        `rows`, `bytes` and hex `sha256`, for the manifest.

    Raises:
        RunError: the disk is full.
    """
    rows = np.empty(len(token_ids), dtype)
    rows["token_ids"] = token_ids
    rows["crc32"] = [zlib.crc32(row) for row in rows["token_ids"].copy()]
    data = rows.tobytes()
    write_atomic(path, data)
    return {"rows": len(rows), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


class ShardSequences(RecordSource):
    """The rows of some files as one int32 array `(rows, sequence_length)` that stays on disk.

    Every row is compared with its checksum when it is read. The files are read, not mapped: a file that is cut while it is
    in use gives an error with its name, where a mapped one would end the process.

    Args:
        folder: where the files lie.
        files: (name, rows) in order.
        dtype: from `row_dtype`.
        limit: the number of tokens there are, so that every id is below it; None: not known.
    """

    def __init__(self, folder: Path, files: Sequence[tuple[str, int]], dtype: np.dtype, *, limit: int | None = None):
        self._paths = [folder / name for name, _ in files]
        self._ends = np.cumsum([rows for _, rows in files], dtype=np.int64)
        self._row = dtype
        self.limit = limit
        self._open: collections.OrderedDict[int, int] = collections.OrderedDict()
        self._lock = threading.Lock()
        self.dtype = np.dtype(np.int32)
        self.shape = (int(self._ends[-1]) if len(files) else 0, *dtype["token_ids"].shape)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows with these numbers, int32 `(len(rows), sequence_length)`.

        Raises:
            RunError: a row does not fit its checksum or holds an id that is not below the limit, or its file is gone or too
                short; the message names it.
        """
        rows = np.asarray(rows)
        files = np.searchsorted(self._ends, rows, side="right")
        size = self._row.itemsize
        with self._lock:
            data = b"".join(map(self._read_row, files.tolist(), rows.tolist()))
        found = np.frombuffer(data, self._row)
        for number, row in enumerate(found):
            if zlib.crc32(data[number * size : number * size + size - 4]) != row["crc32"]:
                raise self._damaged(int(files[number]), int(rows[number]), "its checksum differs")
        token_ids = found["token_ids"].astype(np.int32)
        if (
            self.limit is not None and len(rows) and token_ids.view(np.uint32).max() >= self.limit
        ):  # so -1 is large, too
            number, place = np.argwhere(token_ids.view(np.uint32) >= self.limit)[0]
            what = f"it holds {token_ids[number, place]}, outside 0..{self.limit - 1}"
            raise self._damaged(int(files[number]), int(rows[number]), what)
        return token_ids

    def sample(self, most: int) -> np.ndarray:
        """Returns at most `most` rows, evenly spaced."""
        return self.read(np.unique(np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64)))

    def close(self) -> None:
        """Closes the files; the next read opens them again."""
        with self._lock:
            while self._open:
                os.close(self._open.popitem()[1])

    __del__ = close

    def _read_row(self, file: int, row: int) -> bytes:
        first = int(self._ends[file - 1]) if file else 0
        try:
            data = os.pread(self._descriptor(file), self._row.itemsize, (row - first) * self._row.itemsize)
        except OSError as error:
            raise self._damaged(file, row, error.strerror or str(error)) from error
        if len(data) != self._row.itemsize:
            raise self._damaged(file, row, "the file is too short")
        return data

    def _descriptor(self, file: int) -> int:
        if file not in self._open:
            if len(self._open) == OPEN_FILES:
                os.close(self._open.popitem(last=False)[1])
            self._open[file] = os.open(self._paths[file], os.O_RDONLY)
        self._open.move_to_end(file)
        return self._open[file]

    def _damaged(self, file: int, row: int, what: str) -> RunError:
        first = int(self._ends[file - 1]) if file else 0
        return RunError(
            f"{self._paths[file]} is damaged at row {row - first}: {what}: run prepare_text on this folder again"
        )


@contextlib.contextmanager
def damage_named() -> Iterator[None]:
    """Gives back the RunError of a `ShardSequences` that TensorFlow passed on as its own error, out of `fit` or `evaluate`."""
    try:
        yield
    except tf.errors.OpError as error:
        if not (inner := passed_on(error)):
            raise
        raise inner from error
