"""Which part each text of a corpus belongs to, however large it is: scan (a key and a sketch of each text), then choose.

Scanning works on one piece at a time, is a pure function of its piece and leaves whole files only in `FOLDER/work`. So any
number of processes makes the same files, and a killed preparation goes on where it stopped. Choosing takes of equal texts the
first and follows the rule of `tfpretune.data.splits.rule`: the parts are those that `Examples.split` gives.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfpretune.data.corpus.chunks import Chunk, read_texts
from tfpretune.data.splits.near_copies import CopyCounts, near_copies
from tfpretune.data.splits.rule import Shares, shares_within, sides_of
from tfpretune.data.splits.sides import hash_positions
from tfpretune.data.splits.sketches import VALUES, sketch_chunks
from tfpretune.data.text.cleaning import text_key
from tfpretune.errors import RunError
from tfpretune.runtime.files import atomic_file, atomic_folder, write_atomic

KEYS_AT_ONCE = 1 << 21
SKETCHED = np.dtype([("key", "<u8"), ("position", "<u4"), ("values", "<u2", (VALUES,))])
"""A text that is long enough for a sketch: the first half of its key, its position in its chunk, the sketch."""
COUNTS = "near copies.json"


def key_of(text: str) -> bytes:
    """Returns 16 bytes that are the same for texts that count as equal (`text_key`)."""
    return text_key(text)[:16]


def scan_chunk(folder: Path, piece: Chunk) -> None:
    """Writes the sketches of a piece, unless it knows its positions, and its keys.

    The keys are sorted: all first halves (uint64), all second halves (uint64), their positions (uint32).
    """
    path = _keys_path(folder, piece.number)
    if path.exists():
        return
    keys = bytearray()

    def texts() -> Iterator[str]:
        for text in read_texts(piece):
            keys.extend(key_of(text))
            yield text

    if piece.positions:
        for _ in texts():
            pass
    else:
        with atomic_file(_sketches_path(folder, piece.number)) as file:
            for positions, values in sketch_chunks(texts()):
                found = np.empty(len(positions), SKETCHED)
                found["position"], found["values"] = positions, values
                found["key"] = np.frombuffer(keys, ">u8")[2 * positions]
                file.write(found.tobytes())
    words = np.frombuffer(keys, ">u8").reshape(-1, 2).astype("<u8")
    order = np.lexsort((words[:, 1], words[:, 0]))  # stable: equal keys stay in their order
    write_atomic(path, b"".join([words[order, 0].tobytes(), words[order, 1].tobytes(), order.astype("<u4").tobytes()]))


def choose(folder: Path, pieces: Sequence[Chunk], shares: Shares, *, at_once: int = KEYS_AT_ONCE) -> None:
    """Writes for each piece one byte a text: its part, or 0 for a text that came before.

    Keys are taken from all pieces in ranges of about `at_once`, so memory does not grow with the corpus; near copies are found
    in some 40 bytes for each text that has a sketch.

    Args:
        folder: the folder of shards.
        pieces: all are scanned.
        shares: of train, validation and test.
        at_once: keys in memory, 20 bytes each and what sorting needs.

    Raises:
        RunError: the corpus has no texts.
    """
    final = folder / "work" / "parts"
    if final.exists():
        return
    counts = [_keys_path(folder, piece.number).stat().st_size // 20 for piece in pieces]
    if not sum(counts):
        raise RunError("there are no texts in the source: nothing to prepare")
    splits = {piece.split for piece in pieces}
    within = {piece.number: shares_within(piece.split, splits, shares) for piece in pieces}
    with atomic_folder(final) as temporary:
        for piece, count in zip(pieces, counts, strict=True):
            (temporary / f"{piece.number:05d}").write_bytes(bytes(count))
        ranges = -(-sum(counts) // at_once)
        some = [piece.number for piece, count in zip(pieces, counts, strict=True) if count]
        for index in range(ranges):
            low, high = (index << 64) // ranges, ((index + 1) << 64) // ranges - 1
            _choose_range(folder, temporary, some, low, high, within)
        for piece in pieces:
            if piece.positions:
                _replace(temporary, piece.number, None, sides_of(np.array(piece.positions), shares))
        found = _keep_together(folder, temporary, [p for p in pieces if not p.positions], sum(counts), within)
        (temporary / COUNTS).write_text(json.dumps(dataclasses.asdict(found)))


def read_copies(folder: Path) -> CopyCounts:
    """Returns the counts of near copies that `choose` found; none where the pieces knew their positions."""
    return CopyCounts(**json.loads((folder / "work" / "parts" / COUNTS).read_text()))


def read_parts(folder: Path, piece: int) -> np.ndarray:
    """Returns what `choose` wrote for a piece, uint8 `(texts,)`: 1 train, 2 validation, 3 test, 0 left out."""
    return np.fromfile(folder / "work" / "parts" / f"{piece:05d}", np.uint8)


def _choose_range(
    folder: Path, parts: Path, pieces: list[int], low: int, high: int, shares: Mapping[int, Shares]
) -> None:
    found = [_read_keys(folder, piece, low, high) for piece in pieces]
    first, second, positions = (np.concatenate(column) for column in zip(*found, strict=True))
    sizes = [len(keys) for keys, _, _ in found]
    order = np.lexsort((np.repeat(np.arange(len(pieces)), sizes), second, first))
    repeated = np.zeros(len(order), bool)
    repeated[1:] = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
    dropped = np.zeros(len(order), bool)
    dropped[order[repeated]] = True
    for piece, *texts in zip(pieces, *(_cut(each, sizes) for each in (positions, first, dropped)), strict=True):
        at, keys, again = texts
        if len(at):
            column = np.memmap(parts / f"{piece:05d}", np.uint8, "r+")
            column[at] = np.where(again, 0, sides_of(hash_positions(keys), shares[piece]))
            column.flush()


def _keep_together(
    folder: Path, parts: Path, pieces: list[Chunk], total: int, shares: Mapping[int, Shares]
) -> CopyCounts:
    """Gives all near copies the part of the one with the least key."""
    if not pieces:
        return CopyCounts()
    tables = [_read_sketches(folder, piece.number) for piece in pieces]
    found = near_copies([table["values"] for table in tables], total)
    keys = np.concatenate([np.zeros(0, np.uint64), *(table["key"] for table in tables)])
    least = np.full(len(keys), np.iinfo(np.uint64).max)
    np.minimum.at(least, found.groups, keys)
    least = least[found.groups]
    sizes = [len(table) for table in tables]
    for piece, table, changed, key in zip(pieces, tables, _cut(least != keys, sizes), _cut(least, sizes), strict=True):
        sides = sides_of(hash_positions(key[changed]), shares[piece.number])
        _replace(parts, piece.number, np.array(table["position"])[changed], sides)
    return found.counts


def _replace(parts: Path, piece: int, positions: np.ndarray | None, sides: np.ndarray) -> None:
    """Puts texts that are not left out into other parts."""
    column = np.fromfile(parts / f"{piece:05d}", np.uint8)
    at = np.arange(len(column)) if positions is None else positions
    column[at] = np.where(column[at] == 0, 0, sides)
    column.tofile(parts / f"{piece:05d}")


def _read_sketches(folder: Path, piece: int) -> np.ndarray:
    path = _sketches_path(folder, piece)
    return np.memmap(path, SKETCHED, "r") if path.stat().st_size else np.zeros(0, SKETCHED)


def _read_keys(folder: Path, piece: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    path = _keys_path(folder, piece)
    count = path.stat().st_size // 20
    first = np.memmap(path, "<u8", "r", shape=(count,))
    start = int(np.searchsorted(first, np.uint64(low)))
    end = int(np.searchsorted(first, np.uint64(high), side="right"))
    if start == end:
        return np.zeros(0, "<u8"), np.zeros(0, "<u8"), np.zeros(0, "<u4")
    second = np.memmap(path, "<u8", "r", offset=8 * count, shape=(count,))
    positions = np.memmap(path, "<u4", "r", offset=16 * count, shape=(count,))
    return np.array(first[start:end]), np.array(second[start:end]), np.array(positions[start:end])


def _cut(values: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    return np.split(values, np.cumsum(sizes)[:-1])


def _keys_path(folder: Path, piece: int) -> Path:
    return folder / "work" / "keys" / f"{piece:05d}"


def _sketches_path(folder: Path, piece: int) -> Path:
    return folder / "work" / "sketches" / f"{piece:05d}"
