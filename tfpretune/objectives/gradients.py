"""The gradients of one replica's fraction of the loss: of the whole batch at once, or of its parts one after the other."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfpretune.objectives.keras_calls import as_batch
from tfpretune.objectives.replicas import sum_over_replicas
from tfpretune.objectives.terms import Weight
from tfpretune.objectives.terms import share as term_share
from tfpretune.objectives.terms import sums as term_sums
from tfpretune.objectives.terms import weights as term_weights

Batch = Mapping[str, tf.Tensor]
Gradients = list[tf.Tensor | None]
SearchResult = tuple[Gradients, dict[str, Weight], tf.Tensor]


def gradients_at_once(model: Any, data: Batch) -> SearchResult:
    """Returns the gradients of this replica's fraction of the loss, the terms' weights, and their sums over all replicas."""
    with tf.GradientTape() as tape:
        terms = model.terms(data, training=True)
        sums = sum_over_replicas([tf.stop_gradient(term_sums(terms))])[0]
        loss = model.optimizer.scale_loss(term_share(terms, sums[:, 1]))
    variables = [v.value for v in model.trainable_variables]
    return _dense(tape.gradient(loss, variables)), term_weights(terms), sums


def gradients_in_parts(model: Any, data: Batch) -> SearchResult:
    """The same, with the rows in parts, one after the other, and XLA around each part where it is wanted."""
    by_term, weights, sums = gradients_by_term(model, data)
    gradients: Gradients = [None] * len(model.trainable_variables)
    for found in by_term.values():
        gradients = plus(gradients, found)
    return gradients, weights, sums


def gradients_by_term(model: Any, data: Batch) -> tuple[dict[str, Gradients], dict[str, Weight], tf.Tensor]:
    """The same, with the gradients of each weighted term on their own.

    The counts of the global batch are known after the last part only. Until then each term's gradients are divided by the
    counts of the first part, so that float16 does not overflow, and put right at the end.
    """
    parts, weights = model.accumulate_steps, dict[str, Weight]()
    counts: tf.Tensor | None = None
    totals: list[Gradients] = []
    sums: list[tf.Tensor] = []

    def learn(part: Batch, counts: tf.Tensor | None) -> tuple[list[Gradients], tf.Tensor, tf.Tensor]:
        with tf.GradientTape(persistent=True) as tape:
            terms = model.terms(part, training=True)
            weights.update(term_weights(terms))
            found = tf.stop_gradient(term_sums(terms))
            divisors = tf.maximum(found[:, 1], 1.0) if counts is None else counts
            shares = [
                model.optimizer.scale_loss(term_share({name: term}, divisors[index : index + 1]))
                for index, (name, term) in enumerate(terms.items())
                if term.weight
            ]
        variables = [v.value for v in model.trainable_variables]
        return [_dense(tape.gradient(share, variables)) for share in shares], found, divisors

    if model.jit_compile and tf.distribute.get_strategy().num_replicas_in_sync > 1:
        learn = tf.function(learn, jit_compile=True)
    for index in range(parts):
        after = [g for gradients in totals for g in gradients if g is not None]
        with tf.control_dependencies(after):  # one part at a time in memory
            part = as_batch(model, _part(data, index, parts))
        new, found, counts = learn(part, counts)
        totals = [plus(old, g) for old, g in zip(totals, new, strict=True)] if totals else new
        sums.append(found)
    total = sum_over_replicas([tf.add_n(sums)])[0]
    ratios = tf.math.divide_no_nan(counts, total[:, 1])
    weighted = [(index, name) for index, (name, weight) in enumerate(weights.items()) if weight]
    by_term = {
        name: [None if g is None else g * tf.cast(ratios[index], g.dtype) for g in gradients]
        for (index, name), gradients in zip(weighted, totals, strict=True)
    }
    return by_term, weights, total


def summed(gradients: Gradients) -> Gradients:
    """Returns the sums of each gradient over all replicas; None stays None."""
    totals = iter(sum_over_replicas([g for g in gradients if g is not None]))
    return [None if g is None else next(totals) for g in gradients]


def penalty_gradients(model: Any) -> tuple[tf.Tensor | None, Gradients]:
    """Returns the sum of the model's own losses (regularizers), and this replica's fraction of its gradients."""
    variables = [v.value for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        losses = model.losses
        if not losses:
            return None, [None] * len(variables)
        penalty = tf.add_n([tf.cast(value, tf.float32) for value in losses])
        share = model.optimizer.scale_loss(penalty / tf.distribute.get_strategy().num_replicas_in_sync)
    return penalty, _dense(tape.gradient(share, variables))


def _dense(gradients: list[Any]) -> Gradients:
    return [None if g is None else tf.convert_to_tensor(g) for g in gradients]


def plus(left: Gradients, right: Gradients) -> Gradients:
    """Adds two lists of gradients; None counts as zero."""
    return [b if a is None else a if b is None else a + b for a, b in zip(left, right, strict=True)]


def _part(data: Batch, index: int, parts: int) -> dict[str, tf.Tensor]:
    """Returns rows `index * n / parts` to `(index + 1) * n / parts` of every column."""
    columns = {}
    for name, column in data.items():
        rows = column.shape[0] if column.shape[0] is not None else tf.shape(column)[0]
        columns[name] = tf.identity(column[rows * index // parts : rows * (index + 1) // parts])
    return columns
