"""The loss of embeddings: near for examples of one class, far for others."""

import dataclasses

import keras
import tensorflow as tf

from tfpretune.objectives.replicas import gather_from_replicas
from tfpretune.objectives.targets.base import Batch, Target, was_called, whole
from tfpretune.objectives.terms import Term


@was_called("Similar")
@keras.saving.register_keras_serializable("tfpretune")
@dataclasses.dataclass(frozen=True)
class SupervisedContrastive(Target):
    """Vectors that are near for examples of one class: supervised contrastive learning.

    Khosla et al. 2020 (arXiv:2004.11362), equation 2, over the whole global batch; examples alone in their class do not
    count. The truth is int32 `(batch,)`, any numbers.

    Args:
        size: of the vectors.
        temperature: of the softmax over the other examples, above 0.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.objectives import SupervisedContrastive
        >>> target, outputs = SupervisedContrastive(2, temperature=1.0), tf.constant([[3.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> loss = target.terms(outputs, {"labels": [7, 7, 8]}, training=False)["contrastive"]
        >>> round(float(loss.total), 4), float(loss.count)  # 2 ln((e + 1) / e); the third is alone in its class
        (0.6265, 2.0)
        >>> target.activate(outputs)[0].numpy().tolist()
        [1.0, 0.0]
    """

    size: int
    temperature: float = 0.1
    term_names = ("contrastive", "nearest_right")
    monitor = ("nearest_right", "max")
    whole_batch = True

    def __post_init__(self) -> None:
        if self.size < 1 or not self.temperature > 0.0:
            raise ValueError(
                f"size must be at least 1, temperature above 0, received {self.size} and {self.temperature}"
            )

    @property
    def num_outputs(self) -> int:
        """The vector's numbers."""
        return self.size

    def terms(self, outputs: tf.Tensor, batch: Batch, training: bool) -> dict[str, Term]:
        """The contrastive loss, and the fraction of the examples whose nearest other one is of their class."""
        del training
        labels, vectors = whole(batch[self.column]), self.activate(outputs)
        all_vectors, first = gather_from_replicas(vectors)
        all_labels, _ = gather_from_replicas(labels)
        mine = first + tf.range(tf.shape(vectors)[0])
        others = tf.range(tf.shape(all_vectors)[0])[tf.newaxis] != mine[:, tf.newaxis]
        same = tf.cast((labels[:, tf.newaxis] == all_labels[tf.newaxis]) & others, tf.float32)
        nearness = tf.matmul(vectors, all_vectors, transpose_b=True)
        logits = tf.where(others, nearness / self.temperature, -1e9)
        matches = tf.reduce_sum(same, axis=-1)
        losses = -tf.math.divide_no_nan(tf.reduce_sum(tf.nn.log_softmax(logits) * same, axis=-1), matches)
        count = tf.reduce_sum(tf.cast(matches > 0.0, tf.float32))
        nearest = tf.argmax(logits, axis=-1, output_type=tf.int32)
        hits = tf.gather(same, nearest, batch_dims=1)
        return {
            "contrastive": Term(tf.reduce_sum(losses), count),
            "nearest_right": Term(tf.reduce_sum(hits), count, weight=0.0),
        }

    def activate(self, outputs: tf.Tensor) -> tf.Tensor:
        """Vectors of length 1."""
        return tf.math.l2_normalize(outputs, axis=-1)
