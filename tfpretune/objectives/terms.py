"""The loss as an objective states it: sums over its items, and what `train_step` makes of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Weight = float | Callable[[], tf.Tensor]


class Term(NamedTuple):
    """One sum of per-item values on this replica, and the number of items in it.

    Attributes:
        total: scalar float32, the sum of the per-item values. Never a mean.
        count: scalar, the number of items.
        weight: factor of the term's mean in the loss; 0 for a value that is only shown. Where the factor is learnt, a
            function that reads it.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.objectives import Term
        >>> losses = tf.constant([0.5, 1.5, 4.0])  # of three tokens
        >>> term = Term(tf.reduce_sum(losses), tf.size(losses))
        >>> float(term.total), int(term.count), term.weight
        (6.0, 3, 1.0)
    """

    total: tf.Tensor
    count: tf.Tensor
    weight: Weight = 1.0


def sums(terms: dict[str, Term]) -> tf.Tensor:
    """Returns totals and counts `(terms, 2)`, float32."""
    return tf.stack([tf.stack([tf.cast(t.total, tf.float32), tf.cast(t.count, tf.float32)]) for t in terms.values()])


def factor(weight: Weight) -> Any:
    """Returns the factor that a weight says now, a float or a scalar tensor; None for a value that is only shown."""
    if callable(weight):
        return weight()
    return weight or None


def weights(terms: dict[str, Term]) -> dict[str, Weight]:
    """Returns the factor of each term, by name."""
    factors = {name: term.weight for name, term in terms.items()}
    if not any(factors.values()):
        raise ValueError("no term has a weight: there is nothing to learn")
    return factors


def share(terms: dict[str, Term], counts: tf.Tensor) -> tf.Tensor:
    """Returns the weighted sum of the totals, each divided by its count."""
    return tf.add_n(
        [
            factor(term.weight) * tf.math.divide_no_nan(tf.cast(term.total, tf.float32), counts[index])
            for index, term in enumerate(terms.values())
            if term.weight
        ]
    )
