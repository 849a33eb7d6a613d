"""Texts to shards of packed rows: tokenise, cut, write; `corpus.choosing` says which part each text belongs to."""

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfpretune.data.corpus.chunks import Chunk, read_texts
from tfpretune.data.corpus.packing_settings import Packing
from tfpretune.data.corpus.shard_sequences import row_dtype, write_rows
from tfpretune.data.corpus.shards import find_faults
from tfpretune.data.corpus.vocabulary import VOCABULARY, read_vocabulary
from tfpretune.data.examples.examples import PARTS
from tfpretune.data.text.tokens import cut_rows, with_ends
from tfpretune.errors import RunError
from tfpretune.runtime.files import write_atomic

CHUNK_TEXTS = 1024
CHUNK_CHARACTERS = 1 << 20


def pack_chunk(folder: Path, piece: Chunk, parts: np.ndarray, packing: Packing) -> None:
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


def _chunks(texts: Iterable[str], parts: np.ndarray, piece: Chunk) -> Iterator[tuple[list[str], list[int]]]:
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
        raise RunError(f"{where} changed while it was prepared: prepare into another `out_dir`") from error
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


def record_path(folder: Path, piece: int) -> Path:
    """Returns where `pack_chunk` notes what it wrote for a piece."""
    return folder / "work" / "records" / f"{piece:05d}.json"
