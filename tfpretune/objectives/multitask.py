"""Several tasks on one backbone, with losses weighed by hand, by uncertainty, by gradient norms, or without conflict."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import keras_hub
import tensorflow as tf

from tfpretune.objectives.base import Batch, Objective, Term
from tfpretune.objectives.gradients import Found, Gradients, gradients_by_term, plus, summed
from tfpretune.objectives.target import Target
from tfpretune.objectives.targets import Numbers
from tfpretune.objectives.terms import Weight

Weighting = Literal["fixed", "uncertainty", "gradnorm", "pcgrad"]


@keras.saving.register_keras_serializable("tfpretune")
class MultiTask(Objective):
    """A functional model from a backbone's inputs to one output for each task.

    Batches: the model's inputs and every target's column, with -1 for tasks that an example has no truth for.

    Args:
        inputs: the model's Keras inputs.
        outputs: task -> `(batch, …, target.num_outputs)`.
        name: a name.
        targets: task -> what its output is to say; each with a column of its own.
        weighting: "fixed": the factors in `weights`. "uncertainty": factors learnt as variances (Kendall et al. 2018,
            arXiv:1705.07115, section 3.2): exp(-s) for each loss, half of it for `Numbers`, with a penalty of s / 2.
            "gradnorm": factors that keep the tasks learning at like rates (Chen et al. 2018, arXiv:1711.02257, algorithm 1).
            "pcgrad": gradients without the part that opposes another task's (Yu et al. 2020, arXiv:2001.06782, algorithm 1),
            after the factors in `weights`.
        weights: task -> factor, at least 0 ("fixed", "pcgrad"); 1 for tasks without one.
        balance: gradnorm only: its alpha; 0 evens out the norms, more lets slow tasks have larger ones.
        balance_rate: gradnorm only: how fast the factors move, a step.
    """

    def __init__(
        self,
        inputs: Any,
        outputs: Mapping[str, Any],
        name: str | None = None,
        *,
        targets: Mapping[str, Target],
        weighting: Weighting = "fixed",
        weights: Mapping[str, float] | None = None,
        balance: float = 1.5,
        balance_rate: float = 0.025,
    ):
        super().__init__(inputs=inputs, outputs=dict(outputs), name=name)
        _check(outputs, targets, weighting, weights or {})
        self.tasks = tuple(targets)
        self.targets = dict(targets)
        self.weighting = weighting
        self.weights_by_hand = dict(weights or {})
        self.balance = balance
        self.balance_rate = balance_rate
        self.needs_whole_batch = any(target.whole_batch for target in targets.values())
        self.term_names = tuple(f"{task}_{term}" for task, target in targets.items() for term in target.term_names)
        self._add_learnt_weights()
        self.add_term_metrics()

    @property
    def backbone(self) -> keras_hub.models.Backbone:
        """The shared, pre-trained part."""
        return next(layer for layer in self.layers if isinstance(layer, keras_hub.models.Backbone))

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """The terms of every task, `TASK_TERM`.

        In evaluation the weights are those by hand, 1 where there are none: a loss under weights that are learnt says
        nothing of which step was better.
        """
        outputs = self(self.pick_inputs(batch), training=training)
        terms = {}
        for task, target in self.targets.items():
            found = target.terms(tf.cast(outputs[task], tf.float32), batch, training)
            for name, term in found.items():
                weight = self.task_weight(task, training=training)
                terms[f"{task}_{name}"] = term._replace(weight=weight if term.weight else 0.0)
        return terms

    def task_weight(self, task: str, *, training: bool) -> Weight:
        """Returns the factor of a task's loss; in training, where it is learnt, a function that reads it."""
        if training and self.weighting == "uncertainty":
            half = 0.5 if isinstance(self.targets[task], Numbers) else 1.0
            return lambda: half * tf.exp(-tf.convert_to_tensor(self.log_variances[task]))
        if training and self.weighting == "gradnorm":
            return lambda: tf.convert_to_tensor(self.balanced)[self.tasks.index(task)]
        return self.weights_by_hand.get(task, 1.0)

    def global_gradients(self, data: Batch, slopes: Gradients) -> Found:
        """As the base finds them; with gradnorm and pcgrad from the gradients of each task on its own."""
        if self.weighting in ("fixed", "uncertainty"):
            return super().global_gradients(data, slopes)
        found, term_weights, sums = gradients_by_term(self, data)
        by_task = [summed(gradients) for gradients in found.values()]
        if self.weighting == "gradnorm":
            losses = tf.math.divide_no_nan(sums[:, 0], sums[:, 1])
            self._balance(by_task, tf.stack([losses[i] for i, name in enumerate(term_weights) if name in found]))
        else:
            by_task = without_conflict(by_task, tf.cast(self.optimizer.iterations, tf.int32))
        gradients = summed(slopes)
        for each in by_task:
            gradients = plus(gradients, each)
        return gradients, term_weights, sums

    def _add_learnt_weights(self) -> None:
        if self.weighting == "uncertainty":
            self.log_variances = {
                task: self.add_weight(
                    name=f"log_variance_{task}", shape=(), initializer="zeros", dtype="float32", regularizer=_half
                )
                for task in self.tasks
            }
        if self.weighting == "gradnorm":
            shape, kept = (len(self.tasks),), {"dtype": "float32", "trainable": False}
            same = {"aggregation": "only_first_replica"}  # every replica finds the same
            self.balanced = self.add_weight(name="balanced", shape=shape, initializer="ones", **kept, **same)
            self.first_losses = self.add_weight(name="first_losses", shape=shape, initializer="zeros", **kept, **same)

    def _balance(self, by_task: list[Gradients], losses: tf.Tensor) -> None:
        """Moves the factors: each task's gradient on the shared weights towards the mean norm times its relative rate."""
        present, first = losses > 0.0, tf.convert_to_tensor(self.first_losses)
        first = tf.where(first > 0.0, first, losses)
        self.first_losses.assign(first)
        norms = shared_norms(by_task) / self.optimizer.scale_loss(tf.constant(1.0))
        rates = tf.math.divide_no_nan(losses, first)
        mean_norm, mean_rate = (
            tf.math.divide_no_nan(tf.reduce_sum(tf.where(present, x, 0.0)), tf.reduce_sum(tf.cast(present, tf.float32)))
            for x in (norms, rates)
        )
        wanted = mean_norm * tf.math.divide_no_nan(rates, mean_rate) ** self.balance
        factors = tf.convert_to_tensor(self.balanced)
        slopes = tf.sign(norms - wanted) * tf.math.divide_no_nan(norms / factors, mean_norm)
        moved = tf.where(present, tf.maximum(factors - self.balance_rate * slopes, 1e-3), factors)
        self.balanced.assign(moved * len(self.tasks) / tf.reduce_sum(moved))

    def get_config(self) -> dict[str, Any]:
        """Returns the functional graph's config and this class's own settings."""
        own = {
            "targets": {task: keras.saving.serialize_keras_object(target) for task, target in self.targets.items()},
            "weighting": self.weighting,
            "weights": dict(self.weights_by_hand),
            "balance": self.balance,
            "balance_rate": self.balance_rate,
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "MultiTask":
        """Rebuilds the model from `get_config`'s answer."""
        own = ("targets", "weighting", "weights", "balance", "balance_rate")
        graph = {key: value for key, value in config.items() if key not in own}
        functional = keras.Model.from_config(graph, custom_objects=custom_objects)
        settings = {key: config[key] for key in own}
        settings["targets"] = {
            task: keras.saving.deserialize_keras_object(target, custom_objects=custom_objects)
            for task, target in config["targets"].items()
        }
        return cls(functional.input, functional.output, config["name"], **settings)


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


def _half(log_variance: tf.Tensor) -> tf.Tensor:
    return 0.5 * log_variance


def _check(
    outputs: Mapping[str, Any], targets: Mapping[str, Target], weighting: str, weights: Mapping[str, float]
) -> None:
    if len(targets) < 2 or set(outputs) != set(targets):
        raise ValueError(f"expected the same 2 or more tasks, received outputs {[*outputs]} and targets {[*targets]}")
    columns = [target.column for target in targets.values()]
    if len(set(columns)) < len(columns):
        raise ValueError(f"every task needs a column of its own, received {columns}")
    for task, target in targets.items():
        if outputs[task].shape[-1] != target.num_outputs:
            raise ValueError(f"task {task} needs {target.num_outputs} outputs, received {outputs[task].shape}")
    if weighting not in ("fixed", "uncertainty", "gradnorm", "pcgrad"):
        raise ValueError(f"weighting must be fixed, uncertainty, gradnorm or pcgrad, received {weighting!r}")
    if weights and weighting not in ("fixed", "pcgrad"):
        raise ValueError(f"weighting {weighting!r} finds the weights itself, received {dict(weights)}")
    if set(weights) - set(targets) or any(not 0.0 <= value < math.inf for value in weights.values()):
        raise ValueError(f"weights must be at least 0, one a task of {[*targets]}, received {dict(weights)}")
