"""Rows of tokens to pre-train on: packed in memory, or from shards on disk."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.data.batches.step_indexed import RecordSource
from tfpretune.data.corpus.shards import Shards, open_shards
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.pretraining import PretrainingParts
from tfpretune.data.splits.rule import WITH_COPIES
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import pack, train_wordpiece
from tfpretune.data.text.unknown import count_in_rows
from tfpretune.errors import UsageError
from tfpretune.settings.vocabulary import VocabularyConfig
from tfpretune.tasks.finetuning.known_words import judge, require_known

VALIDATION_ROWS = 8192
COUNTED_ROWS = 65_536


@dataclasses.dataclass(frozen=True, eq=False)
class TextSequences:
    """What pre-training on texts needs.

    Args:
        tokenizer: that made the rows.
        train: int32 `(rows, sequence_length)`, in memory or on disk.
        validation: the same, in memory.
        counted: of `train`, for the unigram entropy.
        texts: a few validation texts, for the page of fillings.
        data: the training texts, or the shards that hold them.
    """

    tokenizer: Tokenizer
    train: np.ndarray | RecordSource
    validation: np.ndarray
    counted: np.ndarray
    texts: Sequence[str]
    data: Examples | Shards


def sequences_in_memory(
    parts: PretrainingParts, run: VocabularyConfig, *, preset: str = "", seed: int = 0
) -> TextSequences:
    """Packs texts into rows, and says how much of them the vocabulary does not know.

    Args:
        parts: texts.
        run: the vocabulary, the length of a row, and how much may be unknown.
        preset: take its tokenizer; empty: learn a vocabulary from the training texts.
        seed: draws the texts to show.

    Raises:
        UsageError: too much of the texts is unknown.
    """
    train, validation = parts
    if preset:
        tokenizer = load_tokenizer(preset)
    else:
        tokenizer = TextEncoderTokenizer(train_wordpiece(train.inputs, run.vocabulary_size, **run.case), **run.case)
    require_known(tokenizer, train.inputs, source=train.name, preset=preset, limit=run.most_unknown)
    rows, held_out = (pack(tokenizer, part.inputs, sequence_length=run.sequence_length) for part in (train, validation))
    shown = validation.sample(5, seed=seed).inputs
    return TextSequences(tokenizer, rows, held_out, rows, shown, train)


def sequences_on_disk(folder: str, run: VocabularyConfig, *, preset: str = "", fast: bool = False) -> TextSequences:
    """Opens shards that `recipes/prepare_text.py` made. Training rows stay on disk; of validation at most 8,192 are taken.

    Args:
        folder: the folder of shards.
        run: the length of a row, which those of the shards must have, and how much may be unknown.
        preset: the model to start from, whose vocabulary must be that of the shards.
        fast: take 64 validation rows.

    Raises:
        UsageError: the folder, the preset and the length do not go together, or too much of the texts is unknown.
        RunError: a shard is missing or damaged.
    """
    shards = open_shards(folder)
    if run.sequence_length != shards.sequence_length:
        raise UsageError(
            f"--sequence-length {run.sequence_length}: the rows of {folder} have {shards.sequence_length} tokens"
        )
    if preset:
        tokenizer = load_tokenizer(preset)
        _require_same(tokenizer, shards, preset)
    else:
        tokenizer = TextEncoderTokenizer(shards.vocabulary, **shards.settings)
    if shards.split_rule < WITH_COPIES:
        print(
            f"note: {folder} was prepared by an earlier version, whose training rows may hold near copies of test texts: "
            "for such figures prepare the texts again",
            flush=True,
        )
    train = shards.rows("train")
    counted = train.sample(COUNTED_ROWS)
    judge(count_in_rows(tokenizer, counted), source=folder, preset=preset or folder, limit=run.most_unknown)
    validation = shards.rows("validation").sample(64 if fast else VALIDATION_ROWS)
    special = set(tokenizer.special_token_ids)
    shown = validation[:: max(1, len(validation) // 5)][:5].tolist()
    texts = [str(tokenizer.detokenize([token for token in row if token not in special])) for row in shown]
    return TextSequences(tokenizer, train, validation, counted, texts, shards)


def settings_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """Returns what a WordPiece tokenizer does beside looking up its vocabulary, as `Packing` and `Shards` name it."""
    return {
        "lowercase": getattr(tokenizer, "lowercase", None),
        "strip_accents": getattr(tokenizer, "strip_accents", None),
        "normalizer": getattr(tokenizer, "rule", "keras_hub"),
        "split_on_cjk": getattr(tokenizer, "split_on_cjk", True),
        "added_tokens": getattr(tokenizer, "added_tokens", ()),
    }


def _require_same(tokenizer: Tokenizer, shards: Shards, preset: str) -> None:
    todo = "prepare the texts with prepare_text --preset"
    if tokenizer.get_vocabulary() != shards.vocabulary:
        raise UsageError(f"--preset {preset} has another vocabulary than {shards.folder}: {todo}")
    for name, value in settings_of(tokenizer).items():
        theirs = shards.settings[name]
        if value != theirs:
            raise UsageError(f"--preset {preset}: its {name} is {value}, that of {shards.folder} is {theirs}: {todo}")
