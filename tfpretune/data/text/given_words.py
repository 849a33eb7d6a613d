"""Words that are given, as in a tagged file or a request, as the tokenizer's: the same graph for training and serving."""

from typing import NamedTuple

import tensorflow as tf

from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.words import split_for


class GivenWords(NamedTuple):
    """Given words beside those that the tokenizer makes of their running text.

    Args:
        words: strings, ragged `(batch, n)`: the tokenizer's words. A given word of which it makes none, such as white space, is
            one of them as "", which becomes the unknown token: so each given word has a word that speaks for it.
        place: int64 `(all given words,)`: which of the flat `words` speaks for it.
        inside: bool `(all given words,)`: that one begins before it, so its tag goes on.
        source_of: int64 `(all words,)`: the given word in which it begins.
        goes_on: bool `(all words,)`: it begins behind that one's start.
    """

    words: tf.RaggedTensor
    place: tf.Tensor
    inside: tf.Tensor
    source_of: tf.Tensor
    goes_on: tf.Tensor


def given_words(tokenizer: Tokenizer, given: tf.RaggedTensor, *, joiner: str) -> GivenWords:
    """Matches given words with the tokenizer's by their characters. Call it in a graph.

    Args:
        tokenizer: one that `split_for` takes.
        given: strings, ragged `(batch, words)`.
        joiner: what stands between words in running text.
    """
    found = split_for(tokenizer, tf.strings.reduce_join(given, axis=1, separator=joiner))
    lengths = tf.strings.length(given.flat_values, unit="UTF8_CHAR")
    after = tf.concat([[0], tf.cumsum(lengths + len(joiner))], 0)
    starts = after[:-1] + tf.cast(given.value_rowids(), tf.int32)  # one more for each text, so that texts lie apart
    shifts = tf.gather(after, given.row_starts()) + tf.range(tf.cast(given.nrows(), tf.int32))
    own = tf.gather(shifts, found.words.value_rowids())
    theirs, their_ends = found.starts.flat_values + own, found.ends.flat_values + own
    place = _not_above(their_ends, starts)  # the first that ends behind the start
    begins = tf.gather(tf.concat([theirs, [tf.int32.max]], 0), place)
    speaks = begins < starts + lengths
    lacking = tf.reshape(tf.where(tf.logical_not(speaks)), (-1,))
    keys = tf.concat([tf.gather(starts, lacking), theirs], 0)
    order = tf.argsort(keys, stable=True)
    in_order = tf.cast(tf.math.invert_permutation(order), tf.int64)
    of_lacking = tf.cumsum(tf.cast(tf.logical_not(speaks), tf.int64)) - 1
    place = tf.where(speaks, tf.cast(place, tf.int64) + tf.size(lacking, tf.int64), of_lacking)
    text_of = tf.concat([tf.gather(given.value_rowids(), lacking), found.words.value_rowids()], 0)
    words = tf.concat([tf.fill([tf.size(lacking)], ""), found.words.flat_values], 0)
    source_of = tf.gather(tf.concat([lacking, tf.cast(_not_above(starts, theirs), tf.int64) - 1], 0), order)
    return GivenWords(
        tf.RaggedTensor.from_value_rowids(tf.gather(words, order), tf.gather(text_of, order), nrows=given.nrows()),
        tf.gather(in_order, place),
        tf.logical_and(speaks, begins < starts),
        source_of,
        tf.gather(keys, order) > tf.gather(starts, source_of),
    )


def _not_above(increasing: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns how many of the first are not above each of the second. `tf.searchsorted` needs one at least of both."""
    last = [tf.int32.max]
    return tf.searchsorted(tf.concat([increasing, last], 0), tf.concat([values, last], 0), side="right")[:-1]
