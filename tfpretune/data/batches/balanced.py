"""Batches that hold several examples of a class, for losses that compare examples with each other."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import Load, StepIndexed, Transform
from tfpretune.errors import UsageError


class ClassBalanced(StepIndexed):
    """Batches of `batch_size / per_class` times `per_class` examples of one class, a pure function of (seed, step), too.

    Each pass over the classes is a new permutation of them, and each pass over the examples of a class a new permutation of
    these (what does not fill a last group waits for another pass). So all classes are seen equally often, however many
    examples they have; a class with fewer than `per_class` gives some twice.

    Args:
        columns: as for `StepIndexed`, with int32 `labels` `(rows,)`.
        batch_size: a multiple of `per_class`.
        per_class: examples of a class that come together, at least 2.
        seed: decides the order and the seeds that `transform` gets.
        transform: as for `StepIndexed`.
        load: as for `StepIndexed`.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        batch_size: int,
        *,
        per_class: int,
        seed: int = 0,
        transform: Transform | None = None,
        load: Load | None = None,
    ):
        super().__init__(columns, batch_size, seed=seed, transform=transform, load=load)
        if per_class < 2 or batch_size % per_class:
            raise UsageError(
                f"`per_class` must be at least 2 and divide `batch_size` {batch_size}, received {per_class}"
            )
        labels = np.asarray(columns["labels"])
        _, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        self.per_class = per_class
        self._rows_by_class = np.argsort(members, kind="stable")
        self._sizes = sizes.astype(np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def _shuffled_rows(self, step: tf.Tensor) -> tf.Tensor:
        """Group g of the whole run is class number g % C in the order of pass g // C, and this class's group number g // C."""
        groups, count = self.batch_size // self.per_class, len(self._sizes)
        numbers = tf.cast(step, tf.int64) * groups + tf.range(groups, dtype=tf.int64)
        passes = numbers // count
        keys = tf.stack([self._key(passes[place]) for place in range(groups)])
        classes = tf.raw_ops.RandomIndexShuffle(
            index=numbers % count, seed=keys, max_index=tf.constant(count - 1, tf.int64), rounds=8
        )
        sizes = tf.gather(tf.constant(self._sizes), classes)
        in_a_pass = tf.maximum(sizes // self.per_class, 1)
        own = tf.stack([self._class_key(classes[place], passes[place] // in_a_pass[place]) for place in range(groups)])
        first = passes % in_a_pass * self.per_class
        places = (first[:, tf.newaxis] + tf.range(self.per_class, dtype=tf.int64)) % sizes[:, tf.newaxis]
        inside = tf.raw_ops.RandomIndexShuffle(
            index=tf.reshape(places, (-1,)),
            seed=tf.repeat(own, self.per_class, axis=0),
            max_index=tf.repeat(sizes - 1, self.per_class),
            rounds=8,
        )
        starts = tf.repeat(tf.gather(tf.constant(self._starts), classes), self.per_class)
        return tf.gather(tf.constant(self._rows_by_class.astype(np.int64)), starts + inside)

    def _class_key(self, number: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Draws the three numbers that decide the order of one class's examples in one pass over them."""
        seed = tf.stack([tf.constant(self.seed % 2**31, tf.int32), -1 - tf.cast(epoch % 2**31, tf.int32)])
        own = tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int32))
        return tf.random.stateless_uniform((3,), own, None, None, tf.int32)


def class_balanced(batches: StepIndexed, per_class: int) -> StepIndexed:
    """Returns the same rows in class-balanced batches; the batches themselves where `per_class` is 0.

    Args:
        batches: with int32 `labels` `(rows,)`.
        per_class: examples of a class that come together; it must divide the batch size.

    Returns:
        `batch_size / per_class` groups a batch; all classes are seen equally often, see `ClassBalanced`.

    Raises:
        UsageError: `per_class` is 1 or does not divide the batch size.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import StepIndexed, class_balanced
        >>> labels = np.array([0] * 8 + [1] * 2, "int32")
        >>> batches = class_balanced(StepIndexed({"x": np.arange(10), "labels": labels}, 4), per_class=2)
        >>> [sorted(batch["labels"].numpy().tolist()) for batch in batches.from_step(0, 2)]
        [[0, 0, 1, 1], [0, 0, 1, 1]]
    """
    if not per_class:
        return batches
    return ClassBalanced(
        batches.columns,  # type: ignore[arg-type]  # labels are an array
        batches.batch_size,
        per_class=per_class,
        seed=batches.seed,
        transform=batches.transform,
        load=batches.load,
    )
