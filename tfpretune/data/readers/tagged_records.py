"""What the readers of tagged sentences share. Imports no TensorFlow."""

import dataclasses
import functools
from collections.abc import Sequence

from tfpretune.data.readers.records import Problem
from tfpretune.data.text.cleaning import clean

clean_word = functools.lru_cache(maxsize=1 << 16)(clean)  # a million words are a few thousand different ones


@dataclasses.dataclass
class TaggedRecords:
    """All that a reader found, good and bad, in the order of the source.

    Args:
        words: of each sentence.
        tags: one a word, as written; None for a sentence without tags.
        where: one place a sentence.
        word_where: one place a word.
        problems: what makes the source unusable as it is.
        notes: how the source was read, where it could be read in another way.
        license: terms of use, where known.
        joiner: what stands between words in running text.
        in_order: the parts are to be cut in the order of the source.
    """

    words: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    tags: list[list[str] | None] = dataclasses.field(default_factory=list)
    where: list[str] = dataclasses.field(default_factory=list)
    word_where: list[Sequence[str]] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    license: str = ""
    joiner: str = " "
    in_order: bool = False

    def add(self, words: Sequence[str], tags: Sequence[str] | None, word_where: Sequence[str]) -> None:
        """Adds a sentence, or notes a word that is none. White space alone, such as U+3000, is a word, as it is written."""
        cleaned = [clean_word(word) or word for word in words]
        if "" in cleaned:
            self.problems.append(Problem(word_where[cleaned.index("")], "the word is empty", "fill it in or remove it"))
            return
        self.words.append(tuple(cleaned))
        self.tags.append(None if tags is None else list(tags))
        self.where.append(word_where[0])
        self.word_where.append(word_where)
