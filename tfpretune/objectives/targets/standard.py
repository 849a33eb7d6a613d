"""The losses of fine-tuning as terms: classes, labels, numbers, answers in a text."""

import dataclasses
import math

import keras
import tensorflow as tf

from tfpretune.objectives.targets.base import Batch, Target, was_called, whole
from tfpretune.objectives.terms import Term


@was_called("Classes")
@keras.saving.register_keras_serializable("tfpretune")
@dataclasses.dataclass(frozen=True)
class Classification(Target):
    """One class of several for each item: an example, a token, a pixel. Softmax cross-entropy.

    The truth is int32, of the outputs' shape without the last dimension, in [0, num_classes); items with -1 do not count.

    Args:
        num_classes: at least 2.
        label_smoothing: fraction of the target spread over all classes, in [0, 1) (Szegedy et al. 2015, section 7).
        class_weights: one factor for each class; an item counts as much as its class's factor.
        may_lack: items without a label are meant; otherwise `fit` refuses a -1 before the first step.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.objectives import Classification
        >>> target, logits = Classification(2), tf.constant([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
        >>> loss = target.terms(logits, {"labels": [0, 1, -1]}, training=False)["cross_entropy"]
        >>> round(float(loss.total), 4), float(loss.count)  # 2 ln 2; the third has no label
        (1.3863, 2.0)
        >>> target.activate(logits)[0].numpy().tolist()
        [0.5, 0.5]
    """

    num_classes: int
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    may_lack: bool = False
    term_names = ("cross_entropy", "accuracy")
    monitor = ("accuracy", "max")

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, received {self.num_classes}")
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be in [0, 1), received {self.label_smoothing}")
        if self.class_weights is not None and len(self.class_weights) != self.num_classes:
            raise ValueError(f"class_weights needs {self.num_classes} values, received {len(self.class_weights)}")

    @property
    def num_outputs(self) -> int:
        """A logit for each class."""
        return self.num_classes

    def terms(self, outputs: tf.Tensor, batch: Batch, training: bool) -> dict[str, Term]:
        """Cross-entropy and accuracy over the items that have a label."""
        labels, known = self._labels(batch)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
        if self.label_smoothing and training:
            uniform = -tf.reduce_mean(tf.nn.log_softmax(outputs), axis=-1)
            losses = (1.0 - self.label_smoothing) * losses + self.label_smoothing * uniform
        weights = known if self.class_weights is None else known * tf.gather(tf.constant(self.class_weights), labels)
        hits = tf.cast(tf.argmax(outputs, axis=-1, output_type=tf.int32) == labels, tf.float32)
        return {
            "cross_entropy": Term(tf.reduce_sum(losses * weights), tf.reduce_sum(weights)),
            "accuracy": Term(tf.reduce_sum(hits * known), tf.reduce_sum(known), weight=0.0),
        }

    def activate(self, outputs: tf.Tensor) -> tf.Tensor:
        """Probabilities that sum to 1."""
        return tf.nn.softmax(outputs)

    def divergence(self, outputs: tf.Tensor, others: tf.Tensor, batch: Batch) -> Term:
        """The mean of the two Kullback-Leibler divergences of the distributions."""
        _, known = self._labels(batch)
        logs, other_logs = tf.nn.log_softmax(outputs), tf.nn.log_softmax(others)
        apart = 0.5 * tf.reduce_sum((tf.exp(logs) - tf.exp(other_logs)) * (logs - other_logs), axis=-1)
        return Term(tf.reduce_sum(apart * known), tf.reduce_sum(known))

    def label_range(self) -> tuple[int, int]:
        """The classes, and -1 where items may lack a label."""
        return (-1 if self.may_lack else 0), self.num_classes - 1

    def _labels(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the labels, 0 where there is none, and 1.0 or 0.0 for whether there is one."""
        given = whole(batch[self.column])
        return tf.maximum(given, 0), tf.cast(given >= 0, tf.float32)


@keras.saving.register_keras_serializable("tfpretune")
@dataclasses.dataclass(frozen=True)
class MultiLabel(Target):
    """Any number of labels for each example. Sigmoid cross-entropy, summed over the labels.

    The truth is 0 or 1, `(batch, labels)`, any number type; -1 where it is not known whether the label fits.

    Args:
        labels: number of labels, at least 1.
        positive_weights: one factor for each label, of the loss where it fits.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.objectives import MultiLabel
        >>> target, logits = MultiLabel(2), tf.constant([[0.0, 0.0]])
        >>> loss = target.terms(logits, {"labels": [[1, 0]]}, training=False)["binary_cross_entropy"]
        >>> round(float(loss.total), 4), float(loss.count)  # ln 2 for each label, one example
        (1.3863, 1.0)
        >>> target.activate(logits).numpy().tolist()
        [[0.5, 0.5]]
    """

    labels: int
    positive_weights: tuple[float, ...] | None = None
    term_names = ("binary_cross_entropy", "f1")
    monitor = ("binary_cross_entropy", "min")

    def __post_init__(self) -> None:
        if self.labels < 1:
            raise ValueError(f"labels must be at least 1, received {self.labels}")
        if self.positive_weights is not None and len(self.positive_weights) != self.labels:
            raise ValueError(f"positive_weights needs {self.labels} values, received {len(self.positive_weights)}")

    @property
    def num_outputs(self) -> int:
        """A logit for each label."""
        return self.labels

    def terms(self, outputs: tf.Tensor, batch: Batch, training: bool) -> dict[str, Term]:
        """Cross-entropy an example, and micro F1 at probability 0.5: 2 hits / (labels that fit + labels found)."""
        del training
        truth, known = self._truth(batch)
        weights = 1.0 if self.positive_weights is None else tf.constant(self.positive_weights)
        losses = tf.nn.weighted_cross_entropy_with_logits(truth, outputs, weights) * known
        found = tf.cast(outputs > 0.0, tf.float32) * known
        truth *= known
        examples = tf.reduce_sum(tf.cast(tf.reduce_any(known > 0.0, axis=-1), tf.float32))
        return {
            "binary_cross_entropy": Term(tf.reduce_sum(losses), examples),
            "f1": Term(2.0 * tf.reduce_sum(found * truth), tf.reduce_sum(found) + tf.reduce_sum(truth), weight=0.0),
        }

    def activate(self, outputs: tf.Tensor) -> tf.Tensor:
        """A probability for each label, each on its own."""
        return tf.sigmoid(outputs)

    def divergence(self, outputs: tf.Tensor, others: tf.Tensor, batch: Batch) -> Term:
        """The mean of the two Kullback-Leibler divergences of the labels' Bernoulli distributions, summed over them."""
        _, known = self._truth(batch)
        apart = 0.5 * (tf.sigmoid(outputs) - tf.sigmoid(others)) * (outputs - others) * known
        return Term(tf.reduce_sum(apart), tf.reduce_sum(tf.cast(tf.reduce_any(known > 0.0, axis=-1), tf.float32)))

    def label_range(self) -> tuple[int, int]:
        """0 and 1, and -1 for what is not known."""
        return -1, 1

    def _truth(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        given = tf.cast(batch[self.column], tf.float32)
        return tf.maximum(given, 0.0), tf.cast(given >= 0.0, tf.float32)


@was_called("Numbers")
@keras.saving.register_keras_serializable("tfpretune")
@dataclasses.dataclass(frozen=True)
class Regression(Target):
    """A number for each example, or several: regression with the squared error.

    The truth is a float, `(batch,)` or `(batch, size)`; NaN where it is not known: such numbers do not count (-1 is a number as
    any other). The head's outputs are in units of `scale` around `offset`, so that it learns numbers near 0 with a spread near
    1, whatever the data's units.

    Args:
        size: numbers per example.
        offset: mean of the training labels.
        scale: their standard deviation, above 0.
        may_lack: numbers that are not known are meant; otherwise `fit` refuses a NaN before the first step.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.objectives import Regression
        >>> target, outputs = Regression(offset=100.0, scale=10.0), tf.constant([[0.5]])
        >>> float(target.activate(outputs)[0, 0])  # 0.5 * 10 + 100
        105.0
        >>> terms = target.terms(outputs, {"labels": [110.0]}, training=False)
        >>> {name: float(term.total) for name, term in terms.items()}
        {'squared_error': 0.25, 'mean_absolute_error': 5.0}
    """

    size: int = 1
    offset: float = 0.0
    scale: float = 1.0
    may_lack: bool = False
    term_names = ("squared_error", "mean_absolute_error")
    monitor = ("mean_absolute_error", "min")

    def __post_init__(self) -> None:
        if self.size < 1 or not self.scale > 0.0:
            raise ValueError(f"size must be at least 1 and scale above 0, received {self.size} and {self.scale}")

    @property
    def num_outputs(self) -> int:
        """The numbers."""
        return self.size

    def terms(self, outputs: tf.Tensor, batch: Batch, training: bool) -> dict[str, Term]:
        """Squared error in units of `scale`, absolute error in the data's units; means over the known numbers."""
        del training
        truth, known = self._truth(outputs, batch)
        count = tf.reduce_sum(known)
        squares = tf.square(outputs - (truth - self.offset) / self.scale) * known
        errors = tf.abs(self.activate(outputs) - truth) * known
        return {
            "squared_error": Term(tf.reduce_sum(squares), count),
            "mean_absolute_error": Term(tf.reduce_sum(errors), count, weight=0.0),
        }

    def activate(self, outputs: tf.Tensor) -> tf.Tensor:
        """The numbers in the data's units."""
        return outputs * self.scale + self.offset

    def divergence(self, outputs: tf.Tensor, others: tf.Tensor, batch: Batch) -> Term:
        """The squared difference of the known numbers, in units of `scale`."""
        _, known = self._truth(outputs, batch)
        return Term(tf.reduce_sum(tf.square(outputs - others) * known), tf.reduce_sum(known))

    def label_range(self) -> tuple[float, float] | None:
        """Any number, and where numbers may lack NaN, too."""
        return None if self.may_lack else (-math.inf, math.inf)

    def _truth(self, outputs: tf.Tensor, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the numbers, `offset` where they are not known, and 1.0 or 0.0 for whether they are."""
        given = tf.reshape(tf.cast(batch[self.column], tf.float32), tf.shape(outputs))
        lacking = tf.math.is_nan(given)
        return tf.where(lacking, self.offset, given), 1.0 - tf.cast(lacking, tf.float32)
