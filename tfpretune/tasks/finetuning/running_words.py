"""Whether raw text is split into the words that a tagger learns: measured and said in every run, and kept with the model."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tfpretune.data.examples.tagged import TaggedExamples
from tfpretune.data.text.given_words import given_words
from tfpretune.data.text.running import running_text
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import CHUNK, STRINGS
from tfpretune.data.text.words import split_for
from tfpretune.serving.card.words import WARN_BELOW, WORDS_BELOW

_MARK = "\x1f"  # between words; no cleaned word holds it


class RunningWords(NamedTuple):
    """How raw text is split, beside the words of a file.

    Args:
        sentences: so many were looked at.
        exact: the share of them whose running text is split into the words of the file.
        alike: the share whose running text is split into what training reads: the words of the file, cut further.
        instead: a word of running text, and what training reads in its place; "" where nothing differs.
    """

    sentences: int
    exact: float
    alike: float
    instead: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        """One line for people."""
        line = (
            f"raw text is split into the words of the file in {self.exact:.1%} of {self.sentences:,} sentences, and into what "
            f"training reads in {self.alike:.1%}"
        )
        if self.alike >= WARN_BELOW:
            return line
        text, words = self.instead
        line += f" ({text!r} where training reads {words!r})" if text else ""
        if self.alike < WORDS_BELOW:
            return f"{line}: the export takes words alone, no raw text"
        return f"{line}: send the words where you have them (signature `words` of the export)"


def measure_words(examples: TaggedExamples, tokenizer: Tokenizer) -> RunningWords:
    """Splits the running text of all sentences as a served model does, and compares the words."""
    joined = _graph(tokenizer, examples.joiner)
    exact = alike = 0
    instead = ("", "")
    for start in range(0, len(examples), CHUNK):
        chunk = examples.words[start : start + CHUNK]
        texts = tf.constant([running_text(words, examples.joiner) for words in chunk], tf.string)
        flat = tf.constant([word for words in chunk for word in words], tf.string)
        for ours, read, split in zip(
            *(each.numpy() for each in joined(flat, list(map(len, chunk)), texts)), strict=True
        ):
            exact += ours == split
            alike += read == split
            if read != split and not instead[0]:
                instead = _first_difference(read.decode().split(_MARK), split.decode().split(_MARK))
    count = len(examples)
    return RunningWords(count, exact / max(1, count), alike / max(1, count), instead)


@functools.lru_cache(maxsize=4)
def _graph(tokenizer: Tokenizer, joiner: str) -> Callable[..., list[tf.Tensor]]:
    """Returns a graph from words and running texts to the words of the file, of training and of running text, joined."""

    def joined(words: tf.Tensor, counts: tf.Tensor, texts: tf.Tensor) -> list[tf.Tensor]:
        ours = tf.RaggedTensor.from_row_lengths(words, counts)
        read = given_words(tokenizer, ours, joiner=joiner).words
        split = split_for(tokenizer, texts).words
        return [tf.strings.reduce_join(each, axis=1, separator=_MARK) for each in (ours, read, split)]

    return tf.function(joined, input_signature=[STRINGS, tf.TensorSpec((None,), tf.int64), STRINGS])


def say_words(examples: TaggedExamples, tokenizer: Tokenizer) -> dict[str, Any]:
    """Prints how often raw text is split into the words of the training sentences; returns what `task.json` says of it."""
    found = measure_words(examples, tokenizer)
    print(f"{'warning: ' if found.alike < WARN_BELOW else ''}{examples.name}: {found}", flush=True)
    return {"joiner": examples.joiner, "words": found._asdict()}


def served_words(task: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how a tagger is exported, from its `task.json`: `joiner` and `words_only` of `serving.export`.

    A run that was trained before there were these facts has the joiner of its source, and takes raw text, as it did.
    """
    demo = str(task.get("source", "")).startswith("demo:")
    alike = task.get("words", {}).get("alike", 1.0)
    return {"joiner": task.get("joiner", "" if demo else " "), "words_only": alike < WORDS_BELOW}


def _first_difference(read: list[str], split: list[str]) -> tuple[str, str]:
    """Returns the first word of running text that training does not read, and the words that stand there instead."""
    for place, (ours, theirs) in enumerate(zip(read, split, strict=False)):
        if ours != theirs:
            instead: list[str] = []
            for word in read[place:]:
                if sum(map(len, instead)) >= len(theirs):
                    break
                instead.append(word)
            words = " ".join(filter(None, instead))
            return (theirs, words) if words != theirs else ("", "")
    return "", ""
