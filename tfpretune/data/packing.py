"""Texts to shards of packed rows: tokenise, cut, write; `tfpretune.data.choosing` says which part each text belongs to."""

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfpretune.config import RunError, UsageError
from tfpretune.data.examples import PARTS
from tfpretune.data.pieces import Piece, read_texts
from tfpretune.data.shard_rows import row_dtype, write_rows
from tfpretune.data.shards import find_faults
from tfpretune.data.tokens import cut_rows, with_ends
from tfpretune.data.vocabulary import VOCABULARY, read_vocabulary
from tfpretune.files import write_atomic

CHUNK_TEXTS = 1024
CHUNK_CHARACTERS = 1 << 20


@dataclasses.dataclass(frozen=True)
class Packing:
    """How texts become rows; the tokenizer is `TextEncoderTokenizer` of `FOLDER/vocabulary.txt` with these settings.

    Args:
        sequence_length: tokens in a row.
        lowercase: fold case.
        strip_accents: drop accents.
        shares: the shares of texts for training, validation and test, as `Examples.split` takes them.
    """

    sequence_length: int
    lowercase: bool = True
    strip_accents: bool = True
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        if self.sequence_length < 3:
            raise UsageError(f"--sequence-length must be at least 3, received {self.sequence_length}")
        if min(self.shares) < 0 or not abs(sum(self.shares) - 1) < 1e-6:
            raise UsageError(f"the shares of validation and test must leave some for training, received {self.shares}")


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
    tokenise, size, padding = _tokeniser(folder / VOCABULARY, packing)
    dtype = row_dtype(size, packing.sequence_length)
    none = np.zeros(0, dtype["token_ids"].base)
    streams: dict[int, list[np.ndarray]] = {part: [] for part in (1, 2, 3)}
    for texts, kept in _chunks(read_texts(piece), parts, piece):
        tokens, lengths = tokenise(tf.constant(texts))
        part_of_token = np.repeat(kept, lengths.numpy())
        ids = tokens.numpy().astype(dtype["token_ids"].base)
        for part, stream in streams.items():
            stream.append(ids[part_of_token == part])
    files = {}
    for part, stream in streams.items():
        rows = cut_rows(np.concatenate([none, *stream]), packing.sequence_length, padding=padding)
        if len(rows):
            name = f"data/{PARTS[part - 1]}-{piece.number:05d}.rows"
            files[name] = write_rows(folder / name, rows, dtype)
    texts_in = {name: int(np.sum(parts == number)) for number, name in enumerate(("dropped", *PARTS))}
    write_atomic(record, json.dumps({"files": files, "texts": texts_in}))


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


@functools.lru_cache(maxsize=2)
def _tokeniser(vocabulary: Path, packing: Packing) -> tuple[Any, int, int]:
    """Returns a function from texts to (tokens, tokens of each text), the number of tokens there are, and the padding id."""
    import keras_hub

    settings = {"lowercase": packing.lowercase, "strip_accents": packing.strip_accents}
    tokenizer = keras_hub.tokenizers.BertTokenizer(read_vocabulary(vocabulary), **settings)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def tokenise(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = with_ends(tokenizer, tokenizer(texts))
        return rows.flat_values, rows.row_lengths()

    return tokenise, tokenizer.vocabulary_size(), tokenizer.pad_token_id


def record_path(folder: Path, piece: int) -> Path:
    """Returns where `pack_piece` notes what it wrote for a piece."""
    return folder / "work" / "records" / f"{piece:05d}.json"
