"""Sums over the training steps since they were last taken: what a point of a training curve is the mean of."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_OF_STEPS = ("penalty", "norm", "steps with a norm", "steps")


class RecentSums:
    """One vector on each replica, added to in every training step and read only where a point is due.

    For each term of the loss: its totals, its counts, and its totals times its factor of each step. So a mean is weighed by the
    counts, and the mean loss is right where the factors are learnt. The sums are the same on every replica.

    Args:
        names: the terms, in their order.
    """

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        self._learnt: tuple[str, ...] = ()  # the terms that training has; some are for evaluation only
        self.variable = keras.Variable(
            np.zeros(3 * len(self.names) + len(_OF_STEPS), "float32"),
            trainable=False,
            synchronization="on_read",
            aggregation="only_first_replica",
            name="recent_sums",
        )

    def add(self, totals: tf.Tensor, factors: Mapping[str, Any], penalty: tf.Tensor | None, norm: tf.Tensor) -> None:
        """Adds a step.

        Args:
            totals: totals and counts of the global batch `(terms, 2)`, in the order of `factors`.
            factors: name of the term -> factor of its mean in the loss; None for what is only shown.
            penalty: what is added to the terms.
            norm: of the gradient; one that is not a number (float16 tries scales that are too large) is left out.
        """
        self._learnt = tuple(factors)
        parts = tf.stack([tf.cast(0.0 if value is None else value, tf.float32) for value in factors.values()])
        rows = tf.concat([totals, parts[:, tf.newaxis] * totals[:, :1]], axis=1)
        places = [[self.names.index(name)] for name in factors]
        of_terms = tf.scatter_nd(places, rows, (len(self.names), 3))
        finite = tf.math.is_finite(norm)
        of_steps = [
            tf.zeros(()) if penalty is None else penalty,
            tf.where(finite, tf.cast(norm, tf.float32), 0.0),
            tf.cast(finite, tf.float32),
            tf.ones(()),
        ]
        self.variable.value.assign_add(tf.concat([tf.reshape(of_terms, (-1,)), tf.stack(of_steps)], axis=0))

    def values(self) -> list[float]:
        """Returns the sums, for a checkpoint."""
        return self.variable.numpy().tolist()

    def put(self, values: Sequence[float]) -> None:
        """Goes on from sums of a checkpoint; from none where they are of other terms, as where there are none."""
        fits = len(values) == self.variable.shape[0]
        self.variable.assign(np.asarray(values if fits else np.zeros(self.variable.shape), "float32"))

    def take(self, model: Any) -> dict[str, float]:
        """Returns the means since the last time and begins anew: loss, terms, the model's figures of them, gradient norm.

        What had no item is left out; where no step was made there is nothing.
        """
        found = self.variable.numpy().astype("float64")
        self.put(())
        totals, counts, weighted = found[: -len(_OF_STEPS)].reshape(len(self.names), 3).T
        penalty, norm, steps_with_norm, steps = found[-len(_OF_STEPS) :]
        if not steps:
            return {}
        means = {
            name: total / count for name, total, count in zip(self.names, totals, counts, strict=True) if count > 0
        }
        losses = [value / count for value, count in zip(weighted, counts, strict=True) if count > 0]
        result = {"loss": float(sum(losses) + penalty / steps), **means}
        if set(means) >= set(self._learnt):
            figures = model.figures({name: tf.constant(value, tf.float32) for name, value in means.items()})
            result |= {name: float(value) for name, value in figures.items()}
        return result | ({"gradient_norm": norm / steps_with_norm} if steps_with_norm else {})
