"""Questions and contexts as rows for a model, and its scores as answers: the same graph for training and serving."""

from typing import NamedTuple

import tensorflow as tf

from tfpretune.data.text.pairs import join_pairs, require_room
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.words import split_for

NOWHERE = -1e9


class QuestionWindows(NamedTuple):
    """Rows `[CLS] question [SEP] part of the context [SEP]`; a context that does not fit has several, which overlap.

    Args:
        token_ids: int32 `(rows, length)`.
        padding_mask: int32 `(rows, length)`.
        segment_ids: int32 `(rows, length)`, 1 from the context to its [SEP].
        example_of: int32 `(rows,)`, the example of each row.
        starts: int32 `(rows, length)`: for each token of the context the first character of its word, else -1.
        ends: int32 `(rows, length)`: the same for the character behind the word.
    """

    token_ids: tf.Tensor
    padding_mask: tf.Tensor
    segment_ids: tf.Tensor
    example_of: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor


class SequenceAnswers(NamedTuple):
    """The best answer in each row: int32 first character and the one behind, and float32 scores, all `(rows,)`.

    Args:
        starts: first character of the answer in the context.
        ends: the character behind it.
        scores: score of the start plus score of the end.
        none_scores: the same for "no answer here", read at the context's [SEP].
    """

    starts: tf.Tensor
    ends: tf.Tensor
    scores: tf.Tensor
    none_scores: tf.Tensor


def question_windows(
    tokenizer: Tokenizer, questions: tf.Tensor, contexts: tf.Tensor, *, sequence_length: int, stride: int = 0
) -> QuestionWindows:
    """Makes rows of questions and contexts. Call it in a `tf.function` or a SavedModel.

    A question keeps at most half of the room. No token of the context is lost.

    Args:
        tokenizer: a KerasHub WordPiece tokenizer.
        questions: strings `(batch,)`.
        contexts: strings `(batch,)`.
        sequence_length: length of the rows, at least 5.
        stride: tokens by which the next row of a context starts later (BERT's doc_stride); 0 takes half of the context's
            room in a row.

    Raises:
        UsageError: the rows are too short, or the tokenizer is none that splits into words.
    """
    require_room(sequence_length)
    asked = tokenizer(questions)[:, : (sequence_length - 3) // 2]
    words = split_for(tokenizer, contexts)
    pieces = tokenizer(words.words.flat_values)
    word_of = pieces.value_rowids()
    splits = tf.gather(pieces.row_splits, words.words.row_splits)  # of the contexts, in tokens
    sizes = splits[1:] - splits[:-1]
    room = sequence_length - 3 - asked.row_lengths()
    step = tf.maximum(tf.minimum(tf.constant(stride, tf.int64), room) if stride else room // 2, 1)
    rows = 1 + tf.maximum((sizes - room + step - 1) // step, 0)
    example_of = tf.repeat(tf.range(tf.size(rows, tf.int64)), rows)
    within = tf.range(tf.reduce_sum(rows)) - tf.gather(tf.cumsum(rows, exclusive=True), example_of)
    first = within * tf.gather(step, example_of)
    last = tf.minimum(first + tf.gather(room, example_of), tf.gather(sizes, example_of))
    begin = tf.gather(splits[:-1], example_of)
    tokens = tf.ragged.range(begin + first, begin + last)  # numbers of all contexts' tokens
    asked = tf.gather(asked, example_of)
    columns = join_pairs(
        tokenizer,
        asked,
        tokens.with_flat_values(tf.gather(pieces.flat_values, tokens.flat_values)),
        sequence_length=sequence_length,
    )
    token_word = tf.gather(word_of, tokens.flat_values)
    before = asked.row_lengths() + 2
    nothing = tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(before)], -1), before)

    def placed(offsets: tf.RaggedTensor) -> tf.Tensor:
        values = tokens.with_flat_values(tf.gather(offsets.flat_values, token_word))
        return tf.concat([nothing, values], axis=1).to_tensor(-1, shape=(None, sequence_length))

    return QuestionWindows(
        columns["token_ids"],
        columns["padding_mask"],
        columns["segment_ids"],
        tf.cast(example_of, tf.int32),
        placed(words.starts),
        placed(words.ends),
    )


def none_positions(padding_mask: tf.Tensor) -> tf.Tensor:
    """Returns the place of the context's [SEP] in each row, which stands for "no answer here": int32 `(rows,)`."""
    return tf.reduce_sum(padding_mask, axis=1) - 1


def sequence_answers(
    outputs: tf.Tensor, padding_mask: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, *, most_tokens: int = 30
) -> SequenceAnswers:
    """Finds the best answer in each row: the start and the end behind it whose scores sum highest.

    Args:
        outputs: float32 `(rows, length, 2)`, scores of starts and ends, such as `ExtractiveQA.activate` gives.
        padding_mask: as in `QuestionWindows`.
        starts: as in `QuestionWindows`.
        ends: as in `QuestionWindows`.
        most_tokens: longest answer.

    Returns:
        The answers; a row without context has the answer 0 to 0 with a score below `NOWHERE`.
    """
    inside = starts >= 0
    begin = tf.where(inside, outputs[:, :, 0], NOWHERE)
    finish = tf.where(inside, outputs[:, :, 1], NOWHERE)
    length = tf.shape(outputs)[1]
    band = tf.linalg.band_part(tf.ones([length, length]), 0, tf.minimum(most_tokens, length) - 1)
    sums = begin[:, :, None] + finish[:, None, :] + (band - 1.0) * -4.0 * NOWHERE
    best = tf.argmax(tf.reshape(sums, [-1, length * length]), axis=1, output_type=tf.int32)
    none = tf.gather(outputs, none_positions(padding_mask), batch_dims=1)
    return SequenceAnswers(
        tf.maximum(tf.gather(starts, best // length, batch_dims=1), 0),
        tf.maximum(tf.gather(ends, best % length, batch_dims=1), 0),
        tf.gather(tf.reshape(sums, [-1, length * length]), best, batch_dims=1),
        tf.reduce_sum(none, axis=1),
    )


def best_answers(answers: SequenceAnswers, example_of: tf.Tensor, num_examples: tf.Tensor | int) -> SequenceAnswers:
    """Picks the row with the highest score for each example; "no answer" has the lowest of its scores, as in BERT."""
    top = tf.math.unsorted_segment_max(answers.scores, example_of, num_examples)
    numbers = tf.range(tf.size(example_of))
    is_top = answers.scores >= tf.gather(top, example_of)
    rows = tf.math.unsorted_segment_min(tf.where(is_top, numbers, tf.size(example_of)), example_of, num_examples)
    none = tf.math.unsorted_segment_min(answers.none_scores, example_of, num_examples)
    return SequenceAnswers(tf.gather(answers.starts, rows), tf.gather(answers.ends, rows), top, none)
