"""Words of a text with their character offsets, and their rows of tokens: the same graph for training and serving."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_text as tf_text

from tfpretune.data.text.normalizers import CHINESE, PUNCTUATION, SPACE, Rule, without_null
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import with_ends
from tfpretune.data.text.wordpiece import AddedToken, escape, longest_first
from tfpretune.errors import UsageError

# White space where KerasHub's WordPiece tokenizers split: RE2 syntax, as in their source. A test compares the tokens.
_KERAS_HUB_SPACE = r"\s|\p{Cc}|\p{Cf}"


class Words(NamedTuple):
    """The words of a batch of texts, all ragged `(batch, words)`.

    Args:
        words: strings, as they stand in the texts.
        starts: int32, the number of the word's first character in the text (Unicode code points, from 0).
        ends: int32, the number of the character behind the word.
    """

    words: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor


class WordInputs(NamedTuple):
    """Words as rows for a model; a text that does not fit into one row has several, one behind the other.

    Args:
        token_ids: int32 `(rows, length)`, each row `[CLS] tokens [SEP]`.
        padding_mask: int32 `(rows, length)`.
        text_of: int32 `(rows,)`, the text of each row.
        word_of: int32 `(rows, length)`: at the first token of a word the number of this word in its text, else -1. Read
            row by row, its other values count up the words of each text, so what a model says at these places is, in
            this order, what it says of the flat words.
    """

    token_ids: tf.Tensor
    padding_mask: tf.Tensor
    text_of: tf.Tensor
    word_of: tf.Tensor


def split_words(
    texts: tf.Tensor, *, split_chinese: bool = True, rule: Rule = "keras_hub", added_tokens: Sequence[AddedToken] = ()
) -> Words:
    """Splits texts at white space and control characters, which are dropped, and around punctuation and Chinese characters.

    Each punctuation mark and each Chinese character is a word. Call it in a `tf.function` or a SavedModel too.

    Args:
        texts: UTF-8 strings `(batch,)`.
        split_chinese: whether Chinese characters stand alone.
        rule: of the tokenizer's `Normalizer`. With "unicode" joiners and other characters that cannot be seen stay in their
            word, where the tokenizer drops what it does not know; with the others they end it.
        added_tokens: words whatever they hold; those that are looked for in normalized text, in capital letters, too.
    """
    space = SPACE if rule == "unicode" else _KERAS_HUB_SPACE
    added = [f"(?i:{escape(text)})" if normalized else escape(text) for text, normalized in longest_first(added_tokens)]
    borders = "|".join([*added, space, PUNCTUATION, *([CHINESE] if split_chinese else [])])
    pieces = tf_text.regex_split(
        without_null(texts), borders, borders
    )  # nothing is dropped yet, so lengths sum to offsets
    lengths = tf.strings.length(pieces.flat_values, unit="UTF8_CHAR")
    ends = tf.cumsum(lengths)
    before = tf.gather(tf.concat([[0], ends], 0), pieces.row_starts())  # characters of the texts before this one
    ends -= tf.gather(before, pieces.value_rowids())
    is_word = tf.logical_not(tf.strings.regex_full_match(pieces.flat_values, space))
    counts = tf.math.unsorted_segment_sum(tf.cast(is_word, tf.int64), pieces.value_rowids(), pieces.nrows())
    words = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(pieces.flat_values, is_word), counts, validate=False)
    places = (words.with_flat_values(tf.boolean_mask(column, is_word)) for column in (ends - lengths, ends))
    return Words(words, *places)


def split_for(tokenizer: Tokenizer, texts: tf.Tensor) -> Words:
    """Splits texts where this tokenizer splits them, so that the words' tokens are the text's tokens.

    Raises:
        UsageError: it is no WordPiece tokenizer that splits.
    """
    if not getattr(tokenizer, "split", False) or not hasattr(tokenizer, "split_on_cjk"):
        raise UsageError(
            f"words with offsets need a WordPiece tokenizer as of BERT, this preset has {type(tokenizer).__name__}"
        )
    return split_words(
        texts,
        split_chinese=tokenizer.split_on_cjk,
        rule=getattr(tokenizer, "rule", "keras_hub"),
        added_tokens=getattr(tokenizer, "added_tokens", ()),
    )


def word_inputs(tokenizer: Tokenizer, words: tf.RaggedTensor, *, sequence_length: int) -> WordInputs:
    """Turns words into rows of tokens; every text has a row at least. Call it in a graph.

    A text with more than `sequence_length - 2` tokens is cut after so many, again and again; no token is lost. A word with
    no token, such as an accent alone, is the unknown token.

    Args:
        tokenizer: a KerasHub BERT-like tokenizer.
        words: strings, ragged `(batch, words)`.
        sequence_length: length of the rows, at least 3.

    Raises:
        UsageError: the rows are too short.
    """
    if sequence_length < 3:
        raise UsageError(f"`sequence_length` must be at least 3, received {sequence_length}")
    pieces = tokenizer(words.flat_values)
    none = tf.cast(pieces.row_lengths() == 0, tf.int64)
    unknown = tf.fill([pieces.nrows(), 1], tf.cast(tokenizer.token_to_id("[UNK]"), pieces.dtype))
    pieces = tf.concat([pieces, tf.RaggedTensor.from_tensor(unknown, lengths=none)], axis=1)
    first = tf.cast(tf.range(tf.size(pieces.flat_values, tf.int64)), tf.int64)
    first = first == tf.gather(pieces.row_starts(), pieces.value_rowids())
    number = tf.range(pieces.nrows()) - tf.gather(words.row_starts(), words.value_rowids())
    word_of = tf.where(first, tf.gather(number, pieces.value_rowids()), -1)
    splits = tf.gather(pieces.row_splits, words.row_splits)  # of the texts, in tokens
    return _cut(tokenizer, pieces.flat_values, tf.cast(word_of, tf.int32), splits, sequence_length)


def _cut(tokenizer: Tokenizer, tokens: tf.Tensor, word_of: tf.Tensor, splits: tf.Tensor, length: int) -> WordInputs:
    room = length - 2
    sizes = splits[1:] - splits[:-1]
    rows = tf.maximum((sizes + room - 1) // room, 1)
    text_of = tf.repeat(tf.range(tf.size(rows), dtype=tf.int64), rows)
    within = tf.range(tf.reduce_sum(rows)) - tf.gather(tf.cumsum(rows, exclusive=True), text_of)
    row_sizes = tf.clip_by_value(tf.gather(sizes, text_of) - within * room, 0, room)
    cut = with_ends(tokenizer, tf.RaggedTensor.from_row_lengths(tokens, row_sizes))
    word_inputs = tf.RaggedTensor.from_row_lengths(word_of, row_sizes).to_tensor(-1, shape=(None, room))
    return WordInputs(
        cut.to_tensor(tokenizer.pad_token_id, shape=(None, length)),
        tf.sequence_mask(row_sizes + 2, length, tf.int32),
        tf.cast(text_of, tf.int32),
        tf.pad(word_inputs, [[0, 0], [1, 1]], constant_values=-1),
    )
