"""Pairs of texts -> rows `[CLS] first [SEP] second [SEP]`, in training and in the serving graph."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpretune.config import UsageError
from tfpretune.data.batches import StepIndexed, Transform
from tfpretune.data.columns import label_columns, require_kind
from tfpretune.data.examples import Examples
from tfpretune.data.tokens import CHUNK, STRINGS


def pair_batches(
    examples: Examples,
    batch_size: int,
    *,
    tokenizer: Any,
    sequence_length: int,
    seed: int = 0,
    transform: Transform | None = None,
    more_labels: Sequence[str] = (),
) -> StepIndexed:
    """Serves pairs as int32 `token_ids`, `padding_mask` and `segment_ids` `(batch, sequence_length)`, with `labels` if any.

    Args:
        examples: of kind "text", with second texts.
        batch_size: pairs a step.
        tokenizer: a KerasHub BERT-like tokenizer.
        sequence_length: length of the rows, at least 5.
        seed: decides order and transforms.
        transform: applied to batches.
        more_labels: further label columns of the examples, served under their own names.

    Raises:
        UsageError: the examples are no pairs, or the rows too short.
    """
    require_kind(examples, "text")
    if examples.seconds is None:
        raise UsageError(f"--source {examples.name} holds single texts, expected pairs: name the second text's column")
    columns = encode_all_pairs(tokenizer, examples.inputs, examples.seconds, sequence_length=sequence_length)
    columns |= label_columns(examples, more_labels)
    return StepIndexed(columns, batch_size, seed=seed, transform=transform)


def encode_pairs(
    tokenizer: Any, firsts: tf.Tensor, seconds: tf.Tensor, *, sequence_length: int
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
    tokenizer: Any, firsts: tf.RaggedTensor, seconds: tf.RaggedTensor, *, sequence_length: int
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


def encode_all_pairs(
    tokenizer: Any, firsts: Sequence[str], seconds: Sequence[str], *, sequence_length: int
) -> dict[str, np.ndarray]:
    """Encodes all pairs once, before training; arrays as `encode_pairs` gives them."""
    require_room(sequence_length)
    call = _encoder(tokenizer, sequence_length)
    parts = [
        call(*(tf.constant(list(texts[start : start + CHUNK])) for texts in (firsts, seconds)))
        for start in range(0, len(firsts), CHUNK)
    ]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def require_room(sequence_length: int) -> None:
    """Refuses rows that are too short for a token of either text.

    Raises:
        UsageError: they are.
    """
    if sequence_length < 5:
        raise UsageError(f"--sequence-length must be at least 5 for two texts, received {sequence_length}")


@functools.lru_cache(maxsize=4)
def _encoder(tokenizer: Any, sequence_length: int) -> Callable[..., dict[str, tf.Tensor]]:
    return tf.function(
        lambda firsts, seconds: encode_pairs(tokenizer, firsts, seconds, sequence_length=sequence_length),
        input_signature=[STRINGS, STRINGS],
    )


def _cut(pieces: tf.RaggedTensor, most: tf.Tensor) -> tf.RaggedTensor:
    """Keeps the first tokens of each row, at most so many."""
    numbers = tf.range(tf.size(pieces.flat_values, tf.int64)) - tf.gather(pieces.row_starts(), pieces.value_rowids())
    return tf.ragged.boolean_mask(pieces, pieces.with_flat_values(numbers < tf.gather(most, pieces.value_rowids())))
