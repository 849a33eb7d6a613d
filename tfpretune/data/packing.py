"""Texts to shards of packed rows: scan (the key of each text), choose (drop duplicates, split), pack (tokenise, cut, write).

Each step works on one piece at a time, is a pure function of its piece and of what the step before left in `FOLDER/work`, and
leaves whole files only. So any number of processes makes the same files, and a killed preparation goes on where it stopped.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfpretune.config import RunError
from tfpretune.data.examples import PARTS, text_key
from tfpretune.data.packing_settings import Packing
from tfpretune.data.pieces import Piece, read_texts
from tfpretune.data.shard_rows import row_dtype, write_rows
from tfpretune.data.shards import find_faults
from tfpretune.data.tokens import cut_rows, with_ends
from tfpretune.data.vocabulary import VOCABULARY, read_vocabulary
from tfpretune.files import atomic_folder, write_atomic

KEYS_AT_ONCE = 1 << 21
CHUNK_TEXTS = 1024
CHUNK_CHARACTERS = 1 << 20


def key_of(text: str) -> bytes:
    """Returns 16 bytes that are the same for texts that count as equal (`text_key`)."""
    return text_key(text)[:16]


def parts_of(keys: np.ndarray, shares: tuple[float, float, float]) -> np.ndarray:
    """Splits texts by their keys, as `Examples.split` does.

    Args:
        keys: uint64 `(n,)`, the first 8 bytes of each key as a number, big-endian.
        shares: of train, validation and test.

    Returns:
        uint8 `(n,)`: 1 train, 2 validation, 3 test; 0 for what falls outside of all.
    """
    positions = keys / 2.0**64
    parts = 1 + (positions >= shares[0]).astype(np.uint8) + (positions >= shares[0] + shares[1])
    return np.where((parts == 3) & (shares[2] == 0), 0, parts).astype(np.uint8)


def scan_piece(folder: Path, piece: Piece) -> None:
    """Writes the keys of a piece, sorted: all first halves (uint64), all second halves (uint64), their positions (uint32)."""
    path = _keys_path(folder, piece.number)
    if path.exists():
        return
    words = np.frombuffer(b"".join(map(key_of, read_texts(piece))), ">u8").reshape(-1, 2).astype("<u8")
    order = np.lexsort((words[:, 1], words[:, 0]))  # stable: equal keys stay in their order
    data = b"".join([words[order, 0].tobytes(), words[order, 1].tobytes(), order.astype("<u4").tobytes()])
    write_atomic(path, data)


def choose(folder: Path, pieces: int, shares: tuple[float, float, float], *, at_once: int = KEYS_AT_ONCE) -> None:
    """Writes for each piece one byte a text: its part, or 0 for a text that came before.

    Keys are taken from all pieces in ranges of about `at_once`, so memory does not grow with the corpus.

    Args:
        folder: the folder of shards.
        pieces: how many there are; all are scanned.
        shares: of train, validation and test.
        at_once: keys in memory, 20 bytes each and what sorting needs.

    Raises:
        RunError: the corpus has no texts.
    """
    final = folder / "work" / "parts"
    if final.exists():
        return
    counts = [_keys_path(folder, piece).stat().st_size // 20 for piece in range(pieces)]
    if not sum(counts):
        raise RunError("there are no texts in the source: nothing to prepare")
    with atomic_folder(final) as temporary:
        for number, count in enumerate(counts):
            (temporary / f"{number:05d}").write_bytes(bytes(count))
        ranges = -(-sum(counts) // at_once)
        for index in range(ranges):
            low, high = (index << 64) // ranges, ((index + 1) << 64) // ranges - 1
            _choose_range(
                folder, temporary, [number for number, count in enumerate(counts) if count], low, high, shares
            )


def _choose_range(
    folder: Path, parts: Path, pieces: list[int], low: int, high: int, shares: tuple[float, float, float]
) -> None:
    found = [_read_keys(folder, piece, low, high) for piece in pieces]
    first, second, positions = (np.concatenate(column) for column in zip(*found, strict=True))
    sizes = [len(keys) for keys, _, _ in found]
    order = np.lexsort((np.repeat(np.arange(len(pieces)), sizes), second, first))
    repeated = np.zeros(len(order), bool)
    repeated[1:] = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
    chosen = parts_of(first, shares)
    chosen[order[repeated]] = 0
    for piece, at, part in zip(pieces, _cut(positions, sizes), _cut(chosen, sizes), strict=True):
        if len(at):
            column = np.memmap(parts / f"{piece:05d}", np.uint8, "r+")
            column[at] = part
            column.flush()


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


def read_parts(folder: Path, piece: int) -> np.ndarray:
    """Returns what `choose` wrote for a piece, uint8 `(texts,)`."""
    return np.fromfile(folder / "work" / "parts" / f"{piece:05d}", np.uint8)


def pack_piece(folder: Path, piece: Piece, parts: np.ndarray, packing: Packing) -> None:
    """Writes the rows of a piece, one file a part, and a record of them; what an earlier run wrote whole is kept.

    Args:
        folder: the folder of shards; `vocabulary.txt` is in it.
        piece: the piece.
        parts: uint8 `(texts,)`: 1 train, 2 validation, 3 test, 0 to leave out.
        packing: how.

    Raises:
        RunError: the source changed since it was scanned, or the disk is full.
    """
    record = record_path(folder, piece.number)
    if record.exists() and not find_faults(folder, json.loads(record.read_bytes())["files"]):
        return
    tokenise, ids = _tokeniser(folder / VOCABULARY, packing)
    dtype = row_dtype(ids.vocabulary_size, packing.sequence_length)
    none = np.zeros(0, dtype["token_ids"].base)
    streams: dict[int, list[np.ndarray]] = {part: [] for part in (1, 2, 3)}
    seen = {"tokens": 0, "unknown": 0}
    for texts, kept in _chunks(read_texts(piece), parts, piece):
        tokens, lengths = tokenise(tf.constant(texts))
        part_of_token = np.repeat(kept, lengths.numpy())
        found = tokens.numpy().astype(dtype["token_ids"].base)
        seen["tokens"] += len(found) - 2 * len(texts)
        seen["unknown"] += int(np.count_nonzero(found == ids.unknown))
        for part, stream in streams.items():
            stream.append(found[part_of_token == part])
    files = {}
    for part, stream in streams.items():
        rows = cut_rows(np.concatenate([none, *stream]), packing.sequence_length, padding=ids.padding)
        if len(rows):
            name = f"data/{PARTS[part - 1]}-{piece.number:05d}.rows"
            files[name] = write_rows(folder / name, rows, dtype)
    texts_in = {name: int(np.sum(parts == number)) for number, name in enumerate(("dropped", *PARTS))}
    write_atomic(record, json.dumps({"files": files, "texts": texts_in} | seen))


def _chunks(texts: Iterable[str], parts: np.ndarray, piece: Piece) -> Iterator[tuple[list[str], list[int]]]:
    """Yields the texts that are kept with their parts, at most 1,024 and about a million characters at once."""
    chunk: list[str] = []
    kept: list[int] = []
    characters = 0
    try:
        for text, part in zip(texts, parts.tolist(), strict=True):
            if part:
                chunk.append(text)
                kept.append(part)
                characters += len(text)
            if len(chunk) == CHUNK_TEXTS or characters > CHUNK_CHARACTERS:
                yield chunk, kept
                chunk, kept, characters = [], [], 0
    except ValueError as error:
        where = piece.spans[0].path if piece.spans else "the source"
        raise RunError(f"{where} changed while it was prepared: prepare into another --out-dir") from error
    if chunk:
        yield chunk, kept


class _Ids(NamedTuple):
    vocabulary_size: int
    padding: int
    unknown: int


@functools.lru_cache(maxsize=2)
def _tokeniser(vocabulary: Path, packing: Packing) -> tuple[Any, _Ids]:
    """Returns a function from texts to (tokens, tokens of each text), and what there is to know of the tokens."""
    tokens = read_vocabulary(vocabulary)
    tokenizer = packing.tokenizer(tokens)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def tokenise(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = with_ends(tokenizer, tokenizer(texts))
        return rows.flat_values, rows.row_lengths()

    return tokenise, _Ids(len(tokens), tokenizer.pad_token_id, tokens.index("[UNK]"))


def _keys_path(folder: Path, piece: int) -> Path:
    return folder / "work" / "keys" / f"{piece:05d}"


def record_path(folder: Path, piece: int) -> Path:
    """Returns where `pack_piece` notes what it wrote for a piece."""
    return folder / "work" / "records" / f"{piece:05d}.json"
