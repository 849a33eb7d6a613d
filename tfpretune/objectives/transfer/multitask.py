"""Several tasks on one backbone, with losses weighed by hand, by uncertainty, by gradient norms, or without conflict."""

import functools
import math
from collections.abc import Mapping
from typing import Any, Literal

import keras
import keras_hub
import tensorflow as tf

from tfpretune.objectives.base import Batch, Objective, Term
from tfpretune.objectives.gradients import Gradients, SearchResult, gradients_by_term, plus, summed
from tfpretune.objectives.targets.base import Target
from tfpretune.objectives.targets.standard import Regression
from tfpretune.objectives.terms import Weight, factor
from tfpretune.objectives.transfer.task_gradients import shared_norms, without_conflict

Weighting = Literal["fixed", "uncertainty", "gradnorm", "pcgrad"]


@keras.saving.register_keras_serializable("tfpretune")
class MultiTask(Objective):
    """A functional model from a backbone's inputs to one output for each task.

    Batches: the model's inputs and every target's column. Where an example has no truth for a task, the column has -1; for
    `Regression`, of which -1 may be one, NaN. Such an example does not count for that task.

    Args:
        inputs: the model's Keras inputs.
        outputs: task -> `(batch, …, target.num_outputs)`.
        name: a name.
        targets: task -> what its output is to say; each with a column of its own.
        weighting: "fixed": the factors in `weights`. "uncertainty": factors learnt as variances (Kendall et al. 2018,
            arXiv:1705.07115, section 3.2): exp(-s) for each loss, half of it for `Regression`, with a penalty of s / 2 in
            batches with truth for the task.
            "gradnorm": factors that keep the tasks learning at like rates (Chen et al. 2018, arXiv:1711.02257, algorithm 1).
            "pcgrad": gradients without the part that opposes another task's (Yu et al. 2020, arXiv:2001.06782, algorithm 1),
            after the factors in `weights`.
        weights: task -> factor, at least 0 ("fixed", "pcgrad"); 1 for tasks without one.
        balance: gradnorm only: its alpha; 0 evens out the norms, more lets slow tasks have larger ones.
        balance_rate: gradnorm only: how fast the factors move, a step.
        r_drop: see `set_r_drop`.

    Raises:
        ValueError: fewer than 2 tasks, two with one column, or outputs, weights or a weighting that do not fit.

    Examples:
        >>> import keras, numpy as np
        >>> from tfpretune.objectives import Classification, MultiTask, Regression
        >>> x = keras.Input((3,), name="x")
        >>> outputs = {"topic": keras.layers.Dense(2)(x), "price": keras.layers.Dense(1)(x)}
        >>> topic = Classification(2, column="topic", may_lack=True)
        >>> targets = {"topic": topic, "price": Regression(column="price", may_lack=True)}
        >>> model = MultiTask({"x": x}, outputs, targets=targets)
        >>> batch = {"x": np.zeros((2, 3), "float32"), "topic": np.array([1, -1]), "price": np.float32([3, np.nan])}
        >>> terms = model.terms(batch, training=False)
        >>> {name: round(float(term.total), 3) for name, term in terms.items() if term.weight}  # ln 2 and (0 - 3)^2
        {'topic_cross_entropy': 0.693, 'price_squared_error': 9.0}
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
        r_drop: float = 0.0,
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
        self._add_learnt_weights()
        self.set_r_drop(r_drop)

    @property
    def backbone(self) -> keras_hub.models.Backbone:
        """The shared, pre-trained part."""
        return next(layer for layer in self.layers if isinstance(layer, keras_hub.models.Backbone))

    def set_r_drop(self, weight: float) -> None:
        """Sets the weight of the divergence of two passes, from 0, which makes one pass; see `finetune.enable_r_drop`.

        It is in the loss of each task: whatever weighs a task weighs its cross-entropy and its divergence alike.
        """
        for target in self.targets.values():
            target.require_r_drop(weight)
        self.r_drop = weight
        more = (*(("r_drop",) if weight else ()), *(("penalty",) if self.weighting == "uncertainty" else ()))
        self.term_names = tuple(
            f"{task}_{name}" for task, each in self.targets.items() for name in (*each.term_names, *more)
        )
        self.add_term_metrics()

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """The terms of every task, `TASK_TERM`.

        In evaluation the weights are those by hand, 1 where there are none: a loss under weights that are learnt says
        nothing of which step was better.
        """
        inputs = self.pick_inputs(batch)
        passes = [self(inputs, training=training) for _ in range(2 if self.r_drop and training else 1)]
        terms: dict[str, Term] = {}
        for task, target in self.targets.items():
            own = [tf.cast(each[task], tf.float32) for each in passes]
            found = target.terms_of_passes(own, batch, training, r_drop=self.r_drop)
            weight = self.task_weight(task, training=training)
            terms |= {
                f"{task}_{name}": term._replace(weight=_times(weight, term.weight)) for name, term in found.items()
            }
            if self.weighting == "uncertainty":
                terms[f"{task}_penalty"] = self._penalty(task, found[target.term_names[0]], training=training)
        return terms

    def _penalty(self, task: str, loss: Term, *, training: bool) -> Term:
        """Returns s / 2, which keeps a learnt factor from 0, where the batch has truth for the task: else it would grow."""
        present = tf.cast(loss.count > 0, tf.float32)
        half = 0.5 * tf.convert_to_tensor(self.log_variances[task])
        return Term(half * present, present, weight=1.0 if training else 0.0)

    def task_weight(self, task: str, *, training: bool) -> Weight:
        """Returns the factor of a task's loss; in training, where it is learnt, a function that reads it."""
        if training and self.weighting == "uncertainty":
            half = 0.5 if isinstance(self.targets[task], Regression) else 1.0
            return lambda: half * tf.exp(-tf.convert_to_tensor(self.log_variances[task]))
        if training and self.weighting == "gradnorm":
            return lambda: tf.convert_to_tensor(self.balanced)[self.tasks.index(task)]
        return self.weights_by_hand.get(task, 1.0)

    def global_gradients(self, data: Batch, slopes: Gradients) -> SearchResult:
        """As the base finds them; with gradnorm and pcgrad from the gradients of each task on its own."""
        if self.weighting in ("fixed", "uncertainty"):
            return super().global_gradients(data, slopes)
        found, term_weights, sums = gradients_by_term(self, data)
        by_task = [summed(functools.reduce(plus, own)) for task in self.tasks if (own := self._of_task(task, found))]
        if self.weighting == "gradnorm":
            term_weights = {name: _as_now(weight) for name, weight in term_weights.items()}
            means = dict(zip(term_weights, tf.unstack(tf.math.divide_no_nan(sums[:, 0], sums[:, 1])), strict=True))
            self._balance(by_task, tf.stack([self._task_loss(task, means) for task in self.tasks]))
        else:
            by_task = without_conflict(by_task, tf.cast(self.optimizer.iterations, tf.int32))
        gradients = summed(slopes)
        for each in by_task:
            gradients = plus(gradients, each)
        return gradients, term_weights, sums

    def _of_task(self, task: str, found: Mapping[str, Any]) -> list[Any]:
        """Those of the values by term that belong to a task's loss: of the loss itself, then of the divergence."""
        names = (f"{task}_{self.targets[task].term_names[0]}", f"{task}_r_drop")
        return [found[name] for name in names if name in found]

    def _task_loss(self, task: str, means: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """A task's loss before its factor."""
        loss, *apart = self._of_task(task, means)
        return tf.add_n([loss, *(self.r_drop / 2.0 * each for each in apart)])

    def _add_learnt_weights(self) -> None:
        if self.weighting == "uncertainty":
            self.log_variances = {
                task: self.add_weight(name=f"log_variance_{task}", shape=(), initializer="zeros", dtype="float32")
                for task in self.tasks
            }
        if self.weighting == "gradnorm":
            shape, kept = (len(self.tasks),), {"dtype": "float32", "trainable": False}
            same = {"aggregation": "only_first_replica"}  # every replica finds the same
            self.balanced = self.add_weight(name="balanced", shape=shape, initializer="ones", **kept, **same)
            self.first_losses = self.add_weight(name="first_losses", shape=shape, initializer="zeros", **kept, **same)

    def _balance(self, by_task: list[Gradients], losses: tf.Tensor) -> None:
        """Moves the factors: each task's gradient on the shared weights towards the mean norm times its relative rate.

        Losses or gradients that are not numbers, as where float16 tries a scale that is too large, move nothing.
        """
        norms = shared_norms(by_task) / self.optimizer.scale_loss(tf.constant(1.0))
        finite = tf.reduce_all(tf.math.is_finite(tf.concat([norms, losses], axis=0)))
        before = tf.convert_to_tensor(self.first_losses)
        present, first = losses > 0.0, tf.where(before > 0.0, before, losses)
        self.first_losses.assign(tf.where(finite, first, before))
        rates = tf.math.divide_no_nan(losses, first)
        mean_norm, mean_rate = (
            tf.math.divide_no_nan(tf.reduce_sum(tf.where(present, x, 0.0)), tf.reduce_sum(tf.cast(present, tf.float32)))
            for x in (norms, rates)
        )
        wanted = mean_norm * tf.math.divide_no_nan(rates, mean_rate) ** self.balance
        factors = tf.convert_to_tensor(self.balanced)
        slopes = tf.sign(norms - wanted) * tf.math.divide_no_nan(norms / factors, mean_norm)
        moved = tf.where(present, tf.maximum(factors - self.balance_rate * slopes, 1e-3), factors)
        self.balanced.assign(tf.where(finite, moved * len(self.tasks) / tf.reduce_sum(moved), factors))

    def get_config(self) -> dict[str, Any]:
        """Returns the functional graph's config and this class's own settings."""
        own = {
            "targets": {task: keras.saving.serialize_keras_object(target) for task, target in self.targets.items()},
            "weighting": self.weighting,
            "weights": dict(self.weights_by_hand),
            "balance": self.balance,
            "balance_rate": self.balance_rate,
            "r_drop": self.r_drop,
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "MultiTask":
        """Rebuilds the model from `get_config`'s answer."""
        own = ("targets", "weighting", "weights", "balance", "balance_rate", "r_drop")
        graph = {key: value for key, value in config.items() if key not in own}
        functional = keras.Model.from_config(graph, custom_objects=custom_objects)
        settings = {key: config[key] for key in own if key in config}
        settings["targets"] = {
            task: keras.saving.deserialize_keras_object(target, custom_objects=custom_objects)
            for task, target in config["targets"].items()
        }
        return cls(functional.input, functional.output, config["name"], **settings)


def _times(weight: Weight, inner: Weight) -> Weight:
    """Returns a task's weight times that of a term within the task; 0 for what is only shown."""
    if not inner or not weight:
        return 0.0
    if callable(inner) or callable(weight):
        return lambda: factor(inner) * factor(weight)
    return inner * weight


def _as_now(weight: Weight) -> Weight:
    """Returns a weight that stays what it is now, whatever moves its variable."""
    if not callable(weight):
        return weight
    value = weight()
    return lambda: value


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
