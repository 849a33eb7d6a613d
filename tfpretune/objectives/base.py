"""The one training step: right on one device and on many, however unevenly the items fall over the replicas."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras.optimizers import LossScaleOptimizer

Batch = Mapping[str, tf.Tensor]


class Term(NamedTuple):
    """One sum of per-item values on this replica, and the number of items in it.

    Attributes:
        total: scalar float32, the sum of the per-item values. Never a mean.
        count: scalar, the number of items.
        weight: factor of the term's mean in the loss; 0 for a value that is only shown.
    """

    total: tf.Tensor
    count: tf.Tensor
    weight: float = 1.0


class Objective(keras.Model):
    """Base of all models that train here: a functional `keras.Model` that says its loss as terms.

    A subclass calls `super().__init__(inputs=…, outputs=…)` and writes `terms`. The loss is the weighted sum of the terms'
    means over the *global* batch: totals and counts are summed over replicas before the division, so that N replicas learn
    what one learns.
    """

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str = "adamw",
        *,
        clip_norm: float | None = None,
        jit_compile: bool = False,
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets up training.

        Args:
            optimizer: a Keras optimizer without its own clipping (that clips before the replicas are summed).
            clip_norm: largest norm of the global gradient; larger ones are scaled down to it.
            jit_compile: compile the whole step with XLA.
            steps_per_execution: steps in one call of the training function.
            run_eagerly: run without `tf.function`, for debugging.
            auto_scale_loss: with a float16 policy, wrap the optimizer in a `LossScaleOptimizer`.
        """
        optimizer = keras.optimizers.get(optimizer)
        for clip in ("clipnorm", "global_clipnorm", "clipvalue"):
            if getattr(optimizer, clip, None) is not None:
                raise ValueError(
                    f"the optimizer has {clip}={getattr(optimizer, clip)}: use compile(clip_norm=…) instead"
                )
        self.clip_norm = clip_norm
        policies = {layer.dtype_policy.name for layer in self._flatten_layers(include_self=False)}
        if auto_scale_loss and "mixed_float16" in policies and not isinstance(optimizer, LossScaleOptimizer):
            optimizer = LossScaleOptimizer(optimizer)  # Keras asks for the model's own policy, the layers' one counts
        super().compile(
            optimizer=optimizer,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            auto_scale_loss=False,
        )

    def get_compile_config(self) -> None:
        """Returns nothing: a loaded model is compiled by whoever trains it."""
        return

    def compile_from_config(self, config: Any) -> None:
        """Does nothing, for the same reason."""

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """Returns the terms of the loss on this replica's part of the batch, by name."""
        raise NotImplementedError(f"{type(self).__name__} must define terms(batch, training)")

    def figures(self, means: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns what a person reads, computed from the terms' running means (a perplexity, a PSNR)."""
        del means
        return {}

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Learns from one batch. Keras calls it on every replica."""
        with tf.GradientTape() as tape:
            terms = self.terms(data, training=True)
            loss, sums = _global_loss(terms)
            penalty = tf.add_n([tf.cast(value, tf.float32) for value in self.losses]) if self.losses else None
            if penalty is not None:
                loss += penalty / tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = _sum_over_replicas(tape.gradient(scaled, [v.value for v in variables]), variables)
        norm = tf.linalg.global_norm([g for g in gradients if g is not None]) / self.optimizer.scale_loss(
            tf.constant(1.0)
        )
        factor = tf.constant(1.0 / tf.distribute.get_strategy().num_replicas_in_sync)  # the optimizer sums once more
        if self.clip_norm is not None:
            factor *= self.clip_norm / tf.maximum(norm, self.clip_norm)
        used = [(g * tf.cast(factor, g.dtype), v) for g, v in zip(gradients, variables, strict=True) if g is not None]
        self.optimizer.apply([g for g, _ in used], [v for _, v in used])
        return self._update(terms, sums, penalty) | {"gradient_norm": norm}

    def test_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Evaluates one batch. Keras calls it on every replica."""
        terms = self.terms(data, training=False)
        _, sums = _global_loss(terms)
        return self._update(terms, sums, None)

    def predict_step(self, data: Batch) -> Any:
        """Returns the model's output for one batch; columns that are no inputs are left out."""
        return self(self.pick_inputs(data), training=False)

    def pick_inputs(self, batch: Batch) -> Any:
        """Returns the columns of a batch that are this model's inputs (a dict: every model here has named inputs)."""
        missing = [name for name in self.input if name not in batch]
        if missing:
            raise ValueError(f"{type(self).__name__} needs the columns {list(self.input)}, the batch lacks {missing}")
        return {name: batch[name] for name in self.input}

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds the optimizer; the model is functional, so it is built.

        Keras (3.15) averages the replicas' first batches here to learn their shapes, which fails when the sizes differ.
        """
        if self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    def _update(self, terms: dict[str, Term], sums: tf.Tensor, penalty: tf.Tensor | None) -> dict[str, tf.Tensor]:
        means = {}
        for index, name in enumerate(terms):
            metric = self._mean(name)
            metric.update_state(tf.math.divide_no_nan(sums[index, 0], sums[index, 1]), sample_weight=sums[index, 1])
            means[name] = metric.result()
        loss = tf.add_n([term.weight * tf.cast(means[name], tf.float32) for name, term in terms.items() if term.weight])
        if penalty is not None:
            loss += penalty
        return {"loss": loss} | means | self.figures(means)

    def _mean(self, name: str) -> keras.metrics.Mean:
        for metric in self.term_metrics:
            if metric.name == name:
                return metric
        raise ValueError(
            f"{type(self).__name__}.terms returned {name!r}, which is not in its term_names {self.term_names}"
        )

    term_names: tuple[str, ...] = ()

    def add_term_metrics(self) -> None:
        """Creates one running mean for each of `term_names`; a subclass calls it at the end of its constructor."""
        self.term_metrics = [keras.metrics.Mean(name=name, dtype="float32") for name in self.term_names]

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Returns nothing: `train_step` and `test_step` return all there is to show, and Keras then shows just that."""
        return {}


def _global_loss(terms: dict[str, Term]) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns this replica's share of the loss, and the totals and counts `(terms, 2)` summed over all replicas."""
    local = tf.stack([tf.stack([tf.cast(t.total, tf.float32), tf.cast(t.count, tf.float32)]) for t in terms.values()])
    sums = tf.stop_gradient(local)
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
    shares = [
        term.weight * tf.math.divide_no_nan(tf.cast(term.total, tf.float32), sums[index, 1])
        for index, term in enumerate(terms.values())
        if term.weight
    ]
    if not shares:
        raise ValueError("no term has a weight: there is nothing to learn")
    return tf.add_n(shares), sums


def _sum_over_replicas(gradients: list[Any], variables: list[keras.Variable]) -> list[tf.Tensor | None]:
    dense = [None if g is None else tf.convert_to_tensor(g) for g in gradients]
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return dense
    known = [g for g in dense if g is not None]
    summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, known))
    return [None if g is None else next(summed) for g in dense]
