"""The one training step: right on one device and on many, however unevenly the items fall over the replicas."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers import LossScaleOptimizer

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.objectives.gradients import (
    Gradients,
    SearchResult,
    gradients_at_once,
    gradients_in_parts,
    penalty_gradients,
    plus,
    summed,
)
from tfpretune.objectives.keras_calls import as_batch, as_columns, as_steps, refuse_losses
from tfpretune.objectives.recent import RecentSums
from tfpretune.objectives.replicas import sum_over_replicas, test_function, training_function
from tfpretune.objectives.skipped import may_be_skipped, put_back_unless, statistics
from tfpretune.objectives.targets.base import Target
from tfpretune.objectives.terms import Term, factor, sums, weights
from tfpretune.runtime.keras_internals import all_layers

Batch = Mapping[str, tf.Tensor]


class Objective(keras.Model):
    """Base of all models that train here: a functional `keras.Model` that says its loss as terms.

    A subclass calls `super().__init__(inputs=…, outputs=…)` and writes `terms`. The loss is the weighted sum of the terms'
    means over the *global* batch: totals and counts are summed over replicas before the division, so that N replicas learn
    what one learns.

    Examples:
        >>> import keras, numpy as np, tensorflow as tf
        >>> from tfpretune.objectives import Objective, Term
        >>> class Line(Objective):
        ...     term_names = ("squares",)
        ...     def terms(self, batch, training):
        ...         errors = tf.square(self(self.pick_inputs(batch), training=training) - batch["y"])
        ...         return {"squares": Term(tf.reduce_sum(errors), tf.size(errors))}
        >>> x = keras.Input((1,), name="x")
        >>> model = Line({"x": x}, keras.layers.Dense(1, kernel_initializer="ones")(x))
        >>> model.compile(run_eagerly=True)
        >>> batch = {"x": np.float32([[1], [2]]), "y": np.float32([[0], [4]])}
        >>> model.evaluate(batch, verbose=0, return_dict=True)["squares"]  # ((1 - 0)^2 + (2 - 4)^2) / 2
        2.5
    """

    term_names: tuple[str, ...] = ()
    needs_whole_batch = False
    """The loss compares examples with each other: a batch cannot be learnt from in parts."""
    unfreezing: Any = None
    """A `finetune.GradualUnfreezing` puts itself here: what learns in which step."""
    rate_factors: tuple[tuple[str, float], ...] = ()
    """Of `finetune.layerwise_rates`, for `make_optimizer`."""
    recent: RecentSums | None = None
    """Sums over the training steps since a curve's last point, once the optimizer is built."""
    train_function: Any  # Keras sets both
    test_function: Any

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str = "adamw",
        loss: None = None,
        *,
        clip_norm: float | None = None,
        accumulate_steps: int = 1,
        jit_compile: bool = False,
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
        auto_scale_loss: bool = True,
        loss_weights: None = None,
        metrics: None = None,
        weighted_metrics: None = None,
    ) -> None:
        """Sets up training. The loss and the metrics are the model's own: those of Keras' `compile` are refused.

        Args:
            optimizer: a Keras optimizer, or its name, without its own clipping (that clips before the replicas are summed).
            clip_norm: largest norm of the global gradient; larger ones are scaled down to it.
            accumulate_steps: parts that a batch is learnt from one after the other, with the memory of one and the update of
                the whole; every replica's rows are split so.
            jit_compile: compile with XLA: the whole step on one replica; the part before the sum over replicas on several.
            steps_per_execution: steps in one call of the training function; what `fit` shows is the last one's.
            run_eagerly: run without `tf.function`, for debugging.
            auto_scale_loss: with a float16 policy, wrap the optimizer in a `LossScaleOptimizer`.
            loss: none.
            loss_weights: none.
            metrics: none.
            weighted_metrics: none.

        Raises:
            ValueError: a loss or metrics, an optimizer that clips, parts or XLA that the model cannot be learnt with.
        """
        refuse_losses(
            self,
            {"loss": loss, "loss_weights": loss_weights, "metrics": metrics, "weighted_metrics": weighted_metrics},
        )
        optimizer = keras.optimizers.get(optimizer)
        for clip in ("clipnorm", "global_clipnorm", "clipvalue"):
            if (most := getattr(optimizer, clip, None)) is not None:
                raise ValueError(f"the optimizer has {clip}={most}: use compile(clip_norm=…) instead")
        if accumulate_steps < 1:
            raise ValueError(f"accumulate_steps must be at least 1, received {accumulate_steps}")
        several = tf.distribute.get_strategy().num_replicas_in_sync > 1
        if self.needs_whole_batch and (accumulate_steps > 1 or (jit_compile and several)):
            raise ValueError(
                f"{type(self).__name__} compares the examples of a batch with each other: it takes accumulate_steps 1, "
                "and no jit_compile on several replicas"
            )
        if not hasattr(self, "term_metrics"):
            self.add_term_metrics()
        self.clip_norm, self.accumulate_steps = clip_norm, accumulate_steps
        policies = {layer.dtype_policy.name for layer in all_layers(self, include_self=False)}
        if auto_scale_loss and "mixed_float16" in policies and not isinstance(optimizer, LossScaleOptimizer):
            optimizer = LossScaleOptimizer(optimizer)  # Keras asks for the model's own policy, the layers' one counts
        super().compile(
            optimizer=optimizer,
            jit_compile=False,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            auto_scale_loss=False,
        )
        self._jit_compile = jit_compile  # Keras' own setter says no where the operations are deterministic

    def get_compile_config(self) -> None:
        """Returns nothing: a loaded model is compiled by whoever trains it."""
        return

    def compile_from_config(self, config: Any) -> None:
        """Does nothing, for the same reason."""

    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1, **settings: Any) -> Any:
        """Trains as `keras.Model.fit` does.

        Args:
            x: `StepIndexed` batches; a `tf.data.Dataset` of batches by name, or of tuples of inputs and labels; arrays by
                name; or one array where the model has one input.
            y: labels, where `x` is arrays without them, of any number type; for several tasks by task.
            batch_size: of arrays.
            epochs: passes.
            **settings: Keras' own; `validation_data` may be what `x` may be, or `(x, y)`.

        Returns:
            Keras' `History`.

        Raises:
            ValueError: weights of classes or examples, labels that do not fit, columns that are missing.
        """
        for name in ("class_weight", "sample_weight"):
            if settings.pop(name, None) is not None:
                raise ValueError(f"fit({name}=…): the weights of classes are the head's: classifier(class_weights=…)")
        if isinstance(settings.get("validation_data"), StepIndexed):
            settings["validation_data"] = settings["validation_data"].in_order()
        if isinstance(x, StepIndexed):
            if y is not None:
                raise ValueError("fit: batches have their labels within, leave y out")
            settings |= as_steps(x, epochs, settings.get("initial_epoch", 0), settings.get("steps_per_epoch"))
            return super().fit(epochs=epochs, **settings)
        if isinstance(x, tf.data.Dataset):
            settings.setdefault("shuffle", False)  # Keras warns of its own default
        return super().fit(as_columns(self, x, y), batch_size=batch_size, epochs=epochs, **settings)

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, **settings: Any) -> Any:
        """Evaluates as `keras.Model.evaluate` does; `x` and `y` as for `fit`, `StepIndexed` batches each row once."""
        if settings.pop("sample_weight", None) is not None:
            raise ValueError("evaluate(sample_weight=…): there are no weights of examples")
        data = x.in_order() if isinstance(x, StepIndexed) else as_columns(self, x, y)
        return super().evaluate(data, batch_size=batch_size, **settings)

    def predict(self, x: Any, batch_size: int | None = None, **settings: Any) -> Any:
        """Returns raw outputs as `keras.Model.predict` does; `x` as for `fit`, columns that are not inputs are left out."""
        data = x.in_order() if isinstance(x, StepIndexed) else as_columns(self, x)
        return super().predict(data, batch_size=batch_size, **settings)

    def all_targets(self) -> dict[str, Target]:
        """Returns what each head is trained towards, by task; of one head under ""; none where there are no labels."""
        own = getattr(self, "target", None)
        return dict(getattr(self, "targets", {})) if own is None else {"": own}

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """Returns the terms of the loss on this replica's part of the batch, by name."""
        raise NotImplementedError(f"{type(self).__name__} must define terms(batch, training)")

    def figures(self, means: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns what a person reads, computed from the terms' running means (a perplexity, a PSNR)."""
        del means
        return {}

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Learns from one batch. Keras calls it on every replica."""
        data = as_batch(self, data)
        before = statistics(self) if may_be_skipped(self) else []
        penalty, slopes = penalty_gradients(self)
        gradients, term_weights, totals = self.global_gradients(data, slopes)
        factors = {name: factor(weight) for name, weight in term_weights.items()}  # before the update changes them
        used = [(g, v) for g, v in zip(gradients, self.trainable_variables, strict=True) if g is not None]
        scale = self.optimizer.scale_loss(tf.constant(1.0))
        norm = tf.linalg.global_norm([g for g, _ in used]) / scale
        share = tf.constant(1.0 / tf.distribute.get_strategy().num_replicas_in_sync)  # the optimizer sums once more
        if self.clip_norm is not None:
            share *= self.clip_norm / tf.maximum(norm, self.clip_norm)
        shares = [g * tf.cast(share, g.dtype) for g, _ in used]
        self.optimizer.apply(shares, [v for _, v in used])
        if before:
            put_back_unless(self.optimizer.check_finite(shares), before)
        logs = self._update(factors, totals, penalty) | {"gradient_norm": norm}
        if self.recent is not None:
            self.recent.add(totals, factors, penalty, norm)
        return logs

    def global_gradients(self, data: Batch, slopes: Gradients) -> SearchResult:
        """Returns the gradients of the loss over all replicas, the terms' weights, and the terms' sums.

        Args:
            data: this replica's part of the batch.
            slopes: this replica's fraction of the penalties' gradients, which is to be added.
        """
        several = tf.distribute.get_strategy().num_replicas_in_sync > 1
        in_parts = self.accumulate_steps > 1 or (several and self.jit_compile)
        found, term_weights, totals = (gradients_in_parts if in_parts else gradients_at_once)(self, data)
        return summed(plus(found, slopes)), term_weights, totals

    def test_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Evaluates one batch. Keras calls it on every replica."""
        terms = self.terms(as_batch(self, data), training=False)
        factors = {name: factor(weight) for name, weight in weights(terms).items()}
        return self._update(factors, sum_over_replicas([sums(terms)])[0], None)

    def make_train_function(self, force: bool = False) -> Any:
        """Keras' hook: the function that `fit` calls."""
        if self.train_function is None or force:
            self.train_function = training_function(self)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Keras' hook: the function that `evaluate` calls."""
        if self.test_function is None or force:
            self.test_function = test_function(self)
        return self.test_function

    def predict_step(self, data: Batch) -> Any:
        """Returns the model's output for one batch; columns that are not inputs are left out."""
        return self(self.pick_inputs(as_batch(self, data)), training=False)

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
        self.build_optimizer()

    def build_optimizer(self) -> None:
        """Creates the optimizer's slots, if there are none yet: for all variables that learn in any step of the run."""
        with self.distribute_strategy.scope():
            self.recent = self.recent or RecentSums(self.term_names)
            if self.optimizer is None or self.optimizer.built:
                return
            if self.unfreezing is not None:
                self.unfreezing.build(self.optimizer)
            else:
                self.optimizer.build(self.trainable_variables)

    def _update(self, factors: dict[str, Any], totals: tf.Tensor, penalty: tf.Tensor | None) -> dict[str, tf.Tensor]:
        means = {}
        for index, name in enumerate(factors):
            metric, (total, count) = self._mean(name), (totals[index, 0], totals[index, 1])
            metric.update_state(tf.math.divide_no_nan(total, count), sample_weight=count)
            means[name] = metric.result()
        parts = [value * tf.cast(means[name], tf.float32) for name, value in factors.items() if value is not None]
        loss = tf.add_n(parts)
        if penalty is not None:
            loss += penalty
        return {"loss": loss} | means | self.figures(means)

    def _mean(self, name: str) -> keras.metrics.Mean:
        if name not in self.term_names:
            raise ValueError(
                f"{type(self).__name__}.terms returned {name!r}, which is not in its term_names {self.term_names}"
            )
        return self.term_metrics[self.term_names.index(name)]

    def add_term_metrics(self) -> None:
        """Creates one running mean for each of `term_names`, in the place of those there were."""
        getattr(self, "term_metrics", []).clear()  # or Keras would keep them beside the new ones
        self.term_metrics = [keras.metrics.Mean(name=name, dtype="float32") for name in self.term_names]

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Returns nothing: `train_step` and `test_step` return all there is to show, and Keras then shows just that."""
        return {}
