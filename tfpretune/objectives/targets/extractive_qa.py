"""Answers in a text, as extractive question answering is trained."""

import dataclasses

import keras
import tensorflow as tf

from tfpretune.objectives.targets.base import Batch, Target, was_called, whole
from tfpretune.objectives.terms import Term


@was_called("Spans")
@keras.saving.register_keras_serializable("tfpretune")
@dataclasses.dataclass(frozen=True)
class ExtractiveQA(Target):
    """The first and the last token of an answer in a row of tokens (Devlin et al. 2018, section 4.2).

    The outputs are `(batch, length, 2)`, with large negative numbers where no answer can be. The truth are int32 `starts`
    and `ends` `(batch,)` in [0, length), the end included; a row with -1 does not count.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.objectives import ExtractiveQA
        >>> scores = tf.zeros((1, 4, 2))  # one row of four tokens
        >>> batch = {"starts": tf.constant([1]), "ends": tf.constant([2])}
        >>> loss = ExtractiveQA().terms(scores, batch, training=False)["span_cross_entropy"]
        >>> round(float(loss.total), 4)  # ln 4 for the start, ln 4 for the end, their mean
        1.3863
    """

    column: str = "starts"
    end_column: str = "ends"
    term_names = ("span_cross_entropy", "exact_match")
    monitor = ("exact_match", "max")

    @property
    def num_outputs(self) -> int:
        """A score of the start and one of the end."""
        return 2

    def terms(self, outputs: tf.Tensor, batch: Batch, training: bool) -> dict[str, Term]:
        """The mean of the two cross-entropies, and the fraction of the rows where both ends are right."""
        del training
        truth = tf.stack([whole(batch[self.column]), whole(batch[self.end_column])], axis=-1)
        known = self._known(batch)
        truth, scores = tf.maximum(truth, 0), tf.transpose(outputs, (0, 2, 1))
        losses = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, scores), axis=-1)
        hits = tf.reduce_all(tf.argmax(scores, axis=-1, output_type=tf.int32) == truth, axis=-1)
        return {
            "span_cross_entropy": Term(tf.reduce_sum(losses * known), tf.reduce_sum(known)),
            "exact_match": Term(tf.reduce_sum(tf.cast(hits, tf.float32) * known), tf.reduce_sum(known), weight=0.0),
        }

    def activate(self, outputs: tf.Tensor) -> tf.Tensor:
        """Logarithms of the probabilities of each start and each end."""
        return tf.nn.log_softmax(outputs, axis=1)

    def divergence(self, outputs: tf.Tensor, others: tf.Tensor, batch: Batch) -> Term:
        """The mean of the two Kullback-Leibler divergences, and over starts and ends."""
        known = self._known(batch)
        logs, other_logs = self.activate(outputs), self.activate(others)
        apart = 0.25 * tf.reduce_sum((tf.exp(logs) - tf.exp(other_logs)) * (logs - other_logs), axis=(1, 2))
        return Term(tf.reduce_sum(apart * known), tf.reduce_sum(known))

    def _known(self, batch: Batch) -> tf.Tensor:
        """1.0 where a row has an answer, or is known to have none."""
        return tf.cast((whole(batch[self.column]) >= 0) & (whole(batch[self.end_column]) >= 0), tf.float32)
