"""Short training runs that leave nothing on disk, for comparisons over seeds."""

import keras
import numpy as np

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.finetune.methods.penalties import pull_like
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training.optimizers.from_settings import make_optimizer
from tfpretune.training.optimizers.moving_averages import AverageWeights


def train_briefly(model: keras.Model, batches: StepIndexed, optimizer: OptimizerConfig, *, steps: int) -> None:
    """Trains an `Objective` for N steps, without checkpoints, logs or a word.

    As with `fit` it ends with the average of the weights, where the optimizer has one, and the statistics that go with it.
    A model that was trained so before with the same settings and as many steps keeps its traced step, and its optimizer begins
    again as a new one; with others it is compiled anew.
    """
    beginning = getattr(model, "beginning", None)
    if model.compiled and beginning is not None and beginning.fits(model, optimizer, steps):
        beginning.come_back()
    else:
        with model.distribute_strategy.scope():
            made = make_optimizer(optimizer, steps, rate_factors=model.rate_factors)
            model.compile(made, clip_norm=optimizer.clip_norm or None)
        model.build_optimizer()
        model.beginning = _Beginning(model, optimizer, steps)
    unfreezing = [] if model.unfreezing is None else [model.unfreezing]
    for callback in unfreezing:
        callback.stand_after(0)
    data = batches.from_step(0, steps)
    model.fit(data, epochs=1, steps_per_epoch=steps, callbacks=unfreezing, shuffle=False, verbose=0)
    average = AverageWeights(batches)
    average.set_model(model)
    average.put_in()


def start_like(model: keras.Model, other: keras.Model) -> None:
    """Gives a model what another of the same make starts from: weights, statistics, random numbers, where penalties pull to."""
    for mine, its in zip(model.variables, other.variables, strict=True):
        mine.assign(its)
    pull_like(model, other)


class _Beginning:
    """The state of an optimizer that has made no step: moments, sums (AdaGrad's begin above 0), the scale of the loss."""

    def __init__(self, model: keras.Model, settings: OptimizerConfig, steps: int):
        self.made_for = (settings, steps, model.rate_factors)
        self.optimizer = model.optimizer
        self._values = [_compact(variable.numpy()) for variable in self.optimizer.variables]

    def fits(self, model: keras.Model, settings: OptimizerConfig, steps: int) -> bool:
        """Says whether the model still has this optimizer, and it is the one that these settings ask for."""
        return model.optimizer is self.optimizer and self.made_for == (settings, steps, model.rate_factors)

    def come_back(self) -> None:
        """Puts the state back."""
        for variable, value in zip(self.optimizer.variables, self._values, strict=True):
            variable.assign(np.broadcast_to(value, variable.shape))


def _compact(value: np.ndarray) -> np.ndarray:
    """Returns one number where all are the same, as in a fresh slot."""
    first = value.flat[:1]
    return first[0] if len(first) and (value == first).all() else value
