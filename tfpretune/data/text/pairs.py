"""Pairs of texts -> rows `[CLS] first [SEP] second [SEP]`, in training and in the serving graph."""

import tensorflow as tf

from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError


def encode_pairs(
    tokenizer: Tokenizer, firsts: tf.Tensor, seconds: tf.Tensor, *, sequence_length: int
) -> dict[str, tf.Tensor]:
    """Turns pairs of texts into rows. Call it in a `tf.function` or a SavedModel.

    Where a pair is too long, tokens are taken from the end of the longer text, one by one, until it fits ("longest first").

    Args:
        tokenizer: a KerasHub BERT-like tokenizer.
        firsts: strings `(batch,)`.
        seconds: strings `(batch,)`.
        sequence_length: length of the rows, at least 5.

    Returns:
        int32 `token_ids`, `padding_mask` and `segment_ids`, `(batch, sequence_length)`. The segment is 1 from the second text
        to its [SEP], 0 elsewhere.
    """
    require_room(sequence_length)
    pieces, others = tokenizer(firsts), tokenizer(seconds)
    room = sequence_length - 3
    size, other_size = pieces.row_lengths(), others.row_lengths()
    kept = tf.minimum(size, tf.maximum(tf.constant(room - room // 2, tf.int64), room - other_size))
    return join_pairs(tokenizer, _cut(pieces, kept), _cut(others, room - kept), sequence_length=sequence_length)


def join_pairs(
    tokenizer: Tokenizer, firsts: tf.RaggedTensor, seconds: tf.RaggedTensor, *, sequence_length: int
) -> dict[str, tf.Tensor]:
    """Joins two ragged columns of token ids that fit into one row; columns as `encode_pairs` gives them."""
    batch = firsts.nrows()
    start, end = (tf.fill([batch, 1], number) for number in (tokenizer.start_token_id, tokenizer.end_token_id))
    rows = tf.concat([start, tf.cast(firsts, tf.int32), end, tf.cast(seconds, tf.int32), end], axis=1)
    whole = tf.sequence_mask(rows.row_lengths(), sequence_length, tf.int32)
    first = tf.sequence_mask(firsts.row_lengths() + 2, sequence_length, tf.int32)
    return {
        "token_ids": rows.to_tensor(tokenizer.pad_token_id, shape=(None, sequence_length)),
        "padding_mask": whole,
        "segment_ids": whole - first,
    }


def require_room(sequence_length: int) -> None:
    """Refuses rows that are too short for a token of either text.

    Raises:
        UsageError: they are.
    """
    if sequence_length < 5:
        raise UsageError(f"`sequence_length` must be at least 5 for two texts, received {sequence_length}")


def _cut(pieces: tf.RaggedTensor, most: tf.Tensor) -> tf.RaggedTensor:
    """Keeps the first tokens of each row, at most so many."""
    numbers = tf.range(tf.size(pieces.flat_values, tf.int64)) - tf.gather(pieces.row_starts(), pieces.value_rowids())
    return tf.ragged.boolean_mask(pieces, pieces.with_flat_values(numbers < tf.gather(most, pieces.value_rowids())))
