"""What gradients of single tasks say of each other: which parts oppose another task's, how large they are on shared weights."""

from collections.abc import Sequence

import tensorflow as tf

from tfpretune.objectives.gradients import Gradients


def without_conflict(by_task: Sequence[Gradients], step: tf.Tensor) -> list[Gradients]:
    """Takes from each task's gradient what opposes another task's, one after the other, in an order drawn for each step.

    Args:
        by_task: for each task a gradient of each variable, None where the task does not use it.
        step: int32 scalar, decides the order.
    """
    cleaned = []
    for number, own in enumerate(by_task):
        others = [other for index, other in enumerate(by_task) if index != number]
        for turn in _order(len(others), step, number):
            own = _project(own, others, turn)
        cleaned.append(own)
    return cleaned


def _order(count: int, step: tf.Tensor, number: int) -> list[tf.Tensor | int]:
    if count < 2:
        return list(range(count))
    draws = tf.random.stateless_uniform((count,), tf.stack([step, number]))
    return tf.unstack(tf.argsort(draws))


def _project(own: Gradients, others: Sequence[Gradients], turn: tf.Tensor | int) -> Gradients:
    """Takes the opposing part of one of the others away; its number may be known in the graph only."""
    coefficients = []
    for other in others:
        pairs = [(a, b) for a, b in zip(own, other, strict=True) if a is not None and b is not None]
        dot = tf.add_n([tf.zeros(()), *(tf.reduce_sum(a * b) for a, b in pairs)])
        square = tf.add_n([tf.zeros(()), *(tf.reduce_sum(b * b) for _, b in pairs)])
        coefficients.append(tf.minimum(tf.math.divide_no_nan(dot, square), 0.0))
    for index, (other, coefficient) in enumerate(zip(others, coefficients, strict=True)):
        now = coefficient * tf.cast(tf.equal(turn, index), tf.float32)
        own = [a if a is None or b is None else a - now * b for a, b in zip(own, other, strict=True)]
    return own


def shared_norms(by_task: Sequence[Gradients]) -> tf.Tensor:
    """Returns the norm of each task's gradient over the weights that all tasks use, float32 `(tasks,)`."""
    shared = [all(g is not None for g in gradients) for gradients in zip(*by_task, strict=True)]
    if not any(shared):
        return tf.zeros((len(by_task),))  # a frozen backbone: there is nothing to balance
    norms = [tf.linalg.global_norm([g for g, s in zip(task, shared, strict=True) if s]) for task in by_task]
    return tf.stack(norms)
