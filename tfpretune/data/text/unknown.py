"""How much of a text a vocabulary does not know: the tokens that are [UNK], all of which look the same to a model."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.words import split_for

MOST_TEXTS = 2048
MOST_CHARACTERS = 8192
_CHUNK = 256


@dataclasses.dataclass(frozen=True)
class Unknown:
    """What was found.

    Args:
        tokens: all that were looked at.
        unknown: how many of them are the unknown token.
        words: of the unknown ones the most frequent, where the tokenizer has words.

    Examples:
        >>> from tfpretune.data import Unknown
        >>> Unknown(tokens=200, unknown=3, words=("qubit",)).share
        0.015
    """

    tokens: int
    unknown: int
    words: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Unknown tokens / all tokens; 0 where there are none."""
        return self.unknown / max(self.tokens, 1)


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Returns the id of the unknown token; None where a tokenizer has none, as one of bytes."""
    own = (getattr(tokenizer, "oov_token", None), getattr(tokenizer, "unk_token", None))
    for name in filter(None, (*own, "<unk>", "[UNK]")):
        try:
            return int(tokenizer.token_to_id(name))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return None


def never_masked(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Returns the ids that a masked language model neither hides nor is to guess: special tokens, and the unknown one.

    To guess [UNK] is right wherever a vocabulary does not fit, and tells nothing of the text.

    Examples:
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> from tfpretune.data import never_masked
        >>> tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"])
        >>> sorted(never_masked(tokenizer))
        [0, 1, 2, 3, 4]
    """
    unknown = unknown_id(tokenizer)
    return tuple(sorted({*tokenizer.special_token_ids, *([] if unknown is None else [unknown])}))


def count_unknown(tokenizer: Tokenizer, texts: Sequence[str]) -> Unknown | None:
    """Counts the unknown tokens of texts; of a long list of 2,048 that are spread over it, of a long text its start.

    Args:
        tokenizer: of KerasHub.
        texts: cleaned or not.

    Returns:
        None where the tokenizer has no unknown token.
    """
    unknown = unknown_id(tokenizer)
    if unknown is None:
        return None
    spread = [texts[at * len(texts) // MOST_TEXTS] for at in range(MOST_TEXTS)] if len(texts) > MOST_TEXTS else texts
    call = _counter(tokenizer, unknown)
    tokens = hits = 0
    words: collections.Counter[bytes] = collections.Counter()
    for start in range(0, len(spread), _CHUNK):
        chunk = tf.constant([str(text)[:MOST_CHARACTERS] for text in spread[start : start + _CHUNK]])
        found, missed, where = (value.numpy() for value in call(chunk))
        tokens, hits = tokens + int(found), hits + int(missed)
        words.update(where.tolist())
    names = sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    return Unknown(tokens, hits, tuple(word.decode("utf-8", "replace") for word, _ in names))


def count_in_rows(tokenizer: Tokenizer, rows: np.ndarray) -> Unknown | None:
    """Counts the unknown tokens of rows of ids, `(rows, length)`, where there are no texts any more."""
    unknown = unknown_id(tokenizer)
    if unknown is None:
        return None
    special = np.isin(rows, tuple(tokenizer.special_token_ids))
    return Unknown(int(rows.size - special.sum()), int((rows == unknown).sum()))


def _counter(tokenizer: Tokenizer, unknown: int) -> Any:
    """Returns a function of texts: their tokens, the unknown ones, and the words that hold these."""
    splits = getattr(tokenizer, "split", False) and hasattr(tokenizer, "split_on_cjk")

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def count(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        units = split_for(tokenizer, texts).words.flat_values if splits else texts
        ids = tokenizer(units)
        missed = ids.with_values(tf.cast(ids.values == unknown, tf.int32))
        where = tf.boolean_mask(units, tf.reduce_sum(missed, axis=1) > 0) if splits else tf.constant([], tf.string)
        return tf.size(ids.flat_values), tf.reduce_sum(missed.flat_values), where

    return count
