"""Shards of texts to pre-train on: which vocabulary, and who makes them."""

import functools
import itertools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_hub

from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.data.corpus.chunks import Corpus, read_texts
from tfpretune.data.corpus.prepare import find_parts, prepare
from tfpretune.data.corpus.shards import read_manifest
from tfpretune.data.corpus.vocabulary import VOCABULARY, read_vocabulary, vocabulary_sample
from tfpretune.data.text.tokens import train_wordpiece
from tfpretune.data.text.unknown import Unknown
from tfpretune.errors import UsageError
from tfpretune.settings.vocabulary import VocabularyConfig
from tfpretune.tasks.finetuning.known_words import judge


def find_vocabulary(folder: Path, corpus: Corpus, run: VocabularyConfig, *, given: str, sample_bytes: int) -> list[str]:
    """Returns the vocabulary that was given, that an interrupted run has left, or that is learnt from the corpus.

    Args:
        folder: of the shards.
        corpus: the texts.
        run: how a vocabulary is learnt.
        given: a file with a token per line; "": none.
        sample_bytes: most text that one is learnt from.
    """
    if given:
        return read_vocabulary(given)
    if (folder / VOCABULARY).is_file():
        return read_vocabulary(folder / VOCABULARY)
    return train_wordpiece(vocabulary_sample(folder, corpus, sample_bytes), run.vocabulary_size, **run.case)


def load_wordpiece(preset: str) -> Any:
    """Loads the tokenizer of a preset; only WordPiece is known here."""
    tokenizer = load_tokenizer(preset)
    if not isinstance(tokenizer, keras_hub.tokenizers.BertTokenizer):
        raise UsageError(f"--preset {preset} has a {type(tokenizer).__name__}: a WordPiece tokenizer of BERT is needed")
    return tokenizer


def makers(*, workers: int, beam: str) -> tuple[Callable[..., None], Callable[..., Any]]:
    """Returns `find_parts` and `prepare` for so many processes or, with flags of Apache Beam, for its workers."""
    if not beam:
        return functools.partial(find_parts, workers=workers), functools.partial(prepare, workers=workers)
    from tfpretune.data.corpus import beam as on_beam

    flags = shlex.split(beam)
    find = functools.partial(on_beam.find_parts_with_beam, flags=flags)
    return find, functools.partial(on_beam.prepare_with_beam, flags=flags)


def first_texts(corpus: Corpus, count: int = 2048) -> list[str]:
    """Returns about so many texts, the first ones of every piece."""
    each = -(-count // len(corpus.pieces))
    return [text for piece in corpus.pieces for text in itertools.islice(read_texts(piece), each)]


def print_counts(folder: Path, *, source: str, preset: str, limit: float) -> None:
    """Prints what a whole folder of shards holds; the other arguments are those of `judge`.

    Raises:
        UsageError: more than the limit is unknown.
    """
    manifest = read_manifest(folder)
    rows, texts, copies = manifest["rows"], manifest["texts"], manifest["near_copies"]
    print(", ".join(f"{part} {rows[part]:,} rows of {texts[part]:,} texts" for part in rows))
    judge(Unknown(**manifest.get("tokens", {"tokens": 0, "unknown": 0})), source=source, preset=preset, limit=limit)
    print(f"left out: {texts['dropped']:,} texts that came before")
    print(f"near copies: {copies['texts']:,} texts in {copies['groups']:,} groups, each in one split")
