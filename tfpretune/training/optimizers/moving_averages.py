"""Averages of the weights: what is evaluated and kept in the end, while training goes on without them."""

from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.finetune.methods.normalization import Statistics
from tfpretune.runtime.keras_internals import averages_of, own_trainable_variables, set_update_of_averages
from tfpretune.training.devices.strategies import separate_dropout

MOST_BATCHES = 100


class AverageWeights(keras.callbacks.Callback):
    """Evaluates with the optimizer's average of the weights in their place, and leaves it there when the run ends.

    The average is a moving one (Polyak and Juditsky 1992) or that of all steps since a start (`average_equally`). Does nothing
    where the optimizer has none, and before the start. Add it before the callbacks that look at the weights.

    A model with `BatchNormalization` layers that learn is given the statistics that go with the average (Izmailov et al. 2018,
    section 3.2): over the batches of the first pass, at most 100, augmented and with dropout as in training. That is done each
    time, so that a figure in the middle of a run is that of the model which would be kept.

    Args:
        batches: the training batches; without them the statistics stay those of the last steps.

    Examples:
        >>> import keras, numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.training import AverageWeights
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), run_eagerly=True)
        >>> history = model.fit(np.zeros((2, 8, 8, 1)), np.array([0, 1]), verbose=0, callbacks=[AverageWeights()])
    """

    def __init__(self, batches: StepIndexed | None = None) -> None:
        super().__init__()
        self.batches = batches
        self._kept: list[tuple[keras.Variable, Any]] | None = None
        self._statistics: Statistics | None = None

    @property
    def begun(self) -> bool:
        """Whether what is evaluated is what would be kept: False before an equal average's first step, and true without one."""
        count = _averaged_steps(self.model)
        return count is None or bool(count.numpy())

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the averages in the place of the weights."""
        self.put_in()

    def put_in(self) -> None:
        """Puts the averages in the place of the weights."""
        pairs = _pairs(self.model)
        if not pairs or self._kept is not None:
            return
        self._statistics = self._statistics or Statistics(self.model)
        changed = [weight for weight, _ in pairs] + (self._statistics.variables if self.batches is not None else [])
        self._kept = [(variable, variable.numpy()) for variable in changed]
        for weight, average in pairs:
            weight.assign(average.numpy())
        if self.batches is not None:
            steps = min(self.batches.steps_per_epoch, MOST_BATCHES)
            self._statistics.refresh(self.batches.from_step(0, steps))

    def put_back(self) -> None:
        """Puts the weights back, if the averages are in their place."""
        if self._kept is not None:
            for variable, value in self._kept:
                variable.assign(value)
            separate_dropout(self.model)  # the pass over the batches may have drawn from it
            self._kept = None


def average_equally(optimizer: keras.optimizers.Optimizer, *, start: int) -> None:
    """Lets an optimizer keep the equal average of the weights after every step from `start` on (steps count from 0).

    Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407, algorithm 1) with a cycle of one step. The average
    lies in the slots of Keras' `use_ema`, with the number of steps in it as one more variable: both are in every checkpoint.
    Until the start it is the weights themselves. Call it before the optimizer is built.

    Args:
        optimizer: any Keras optimizer.
        start: the first step whose weights count.
    """
    optimizer.use_ema = True
    keep_weights_when_fit_ends(optimizer)
    optimizer.averaged_steps = count = optimizer.add_variable(
        (), dtype="int", name="averaged_steps", aggregation="only_first_replica"
    )

    def update(weights: list[keras.Variable]) -> None:
        step = tf.convert_to_tensor(optimizer.iterations)
        steps = tf.where(step < start, tf.zeros_like(step), tf.convert_to_tensor(count) + 1)
        count.assign(steps)
        share = 1.0 / tf.cast(tf.maximum(steps, 1), tf.float32)
        for weight, average in zip(weights, averages_of(optimizer), strict=True):
            if average is not None:
                now, old = tf.convert_to_tensor(weight), tf.convert_to_tensor(average)
                average.assign(tf.where(steps <= 1, now, old + (now - old) * tf.cast(share, now.dtype)))

    set_update_of_averages(optimizer, update)


def keep_weights_when_fit_ends(optimizer: keras.optimizers.Optimizer) -> None:
    """Stops Keras' `fit` from putting the averages in the place of the weights: a run calls `fit` several times."""
    optimizer.finalize_variable_values = lambda var_list: None


def _averaged_steps(model: keras.Model) -> keras.Variable | None:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return getattr(optimizer, "averaged_steps", None)


def _pairs(model: keras.Model) -> list[tuple[keras.Variable, keras.Variable]]:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    count = _averaged_steps(model)
    if not optimizer.use_ema or (count is not None and not count.numpy()):
        return []
    averages = averages_of(optimizer)
    return [(w, a) for w, a in zip(own_trainable_variables(optimizer), averages, strict=True) if a is not None]
