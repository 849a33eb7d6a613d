"""Rows of tokens to pre-train on: packed in memory, or from shards on disk."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.backbones.sizes import load_tokenizer
from tfpretune.config import UsageError
from tfpretune.data.batches import RowSource
from tfpretune.data.examples import Examples
from tfpretune.data.shards import Shards, open_shards
from tfpretune.data.splits import RULE
from tfpretune.data.tokens import pack, train_wordpiece

VALIDATION_ROWS = 8192
COUNTED_ROWS = 65_536


@dataclasses.dataclass(frozen=True, eq=False)
class TextRows:
    """What pre-training on texts needs.

    Args:
        tokenizer: that made the rows.
        train: int32 `(rows, sequence_length)`, in memory or on disk.
        validation: the same, in memory.
        counted: of `train`, for the unigram loss.
        texts: a few validation texts, for the page of fillings.
        data: the training texts, or the shards that hold them.
    """

    tokenizer: Any
    train: np.ndarray | RowSource
    validation: np.ndarray
    counted: np.ndarray
    texts: Sequence[str]
    data: Examples | Shards


def rows_in_memory(
    examples: Examples,
    *,
    preset: str = "",
    vocabulary_size: int = 8000,
    lowercase: bool = True,
    sequence_length: int = 128,
    seed: int = 0,
) -> TextRows:
    """Packs texts into rows.

    Args:
        examples: of kind "text".
        preset: take its tokenizer; empty: learn a vocabulary from the training texts.
        vocabulary_size: upper bound of the tokens of a new vocabulary.
        lowercase: fold case, in a new vocabulary.
        sequence_length: tokens in a row.
        seed: draws the texts to show.
    """
    train, validation = examples.split("train"), examples.split("validation")
    if preset:
        tokenizer = load_tokenizer(preset)
    else:
        vocabulary = train_wordpiece(train.inputs, vocabulary_size, lowercase=lowercase)
        tokenizer = TextEncoderTokenizer(vocabulary, lowercase=lowercase, strip_accents=lowercase)
    rows, held_out = (pack(tokenizer, part.inputs, sequence_length=sequence_length) for part in (train, validation))
    shown = validation.sample(5, seed=seed).inputs
    return TextRows(tokenizer, rows, held_out, rows, shown, train)


def rows_on_disk(folder: str, *, preset: str = "", sequence_length: int = 128, fast: bool = False) -> TextRows:
    """Opens shards that `recipes/prepare_text.py` made. Training rows stay on disk; of validation at most 8,192 are taken.

    Args:
        folder: the folder of shards.
        preset: the model to start from, whose vocabulary must be that of the shards.
        sequence_length: what the model will be trained with; the rows must have it.
        fast: take 64 validation rows.

    Raises:
        UsageError: the folder, the preset and the length do not go together.
        RunError: a shard is missing or damaged.
    """
    shards = open_shards(folder)
    if sequence_length != shards.sequence_length:
        raise UsageError(
            f"--sequence-length {sequence_length}: the rows of {folder} have {shards.sequence_length} tokens"
        )
    if preset:
        tokenizer = load_tokenizer(preset)
        found = (tokenizer.get_vocabulary(), getattr(tokenizer, "lowercase", None))
        if found != (shards.vocabulary, shards.lowercase):
            raise UsageError(
                f"--preset {preset} has another vocabulary than {folder}: prepare the texts with prepare_text --preset"
            )
    else:
        case = {"lowercase": shards.lowercase, "strip_accents": shards.strip_accents}
        tokenizer = TextEncoderTokenizer(shards.vocabulary, **case)
    if shards.split_rule != RULE:
        print(
            f"note: {folder} was prepared by an earlier version, whose training rows may hold near copies of test texts: "
            "for such figures prepare the texts again",
            flush=True,
        )
    train = shards.rows("train")
    validation = shards.rows("validation").sample(64 if fast else VALIDATION_ROWS)
    special = set(tokenizer.special_token_ids)
    shown = validation[:: max(1, len(validation) // 5)][:5].tolist()
    texts = [str(tokenizer.detokenize([token for token in row if token not in special])) for row in shown]
    return TextRows(tokenizer, train, validation, train.sample(COUNTED_ROWS), texts, shards)
