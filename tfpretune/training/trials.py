"""Short training runs that leave nothing on disk, for comparisons over seeds."""

import keras
import numpy as np

from tfpretune.config import OptimizerConfig
from tfpretune.data.batches import StepIndexed
from tfpretune.training.averages import AverageWeights
from tfpretune.training.optimizers import make_optimizer


def train_briefly(model: keras.Model, batches: StepIndexed, optimizer: OptimizerConfig, *, steps: int) -> None:
    """Trains an `Objective` for so many steps, without checkpoints, logs or a word.

    As with `fit` it ends with the average of the weights, where the optimizer has one, and the statistics that go with it.
    A model that was trained so before keeps its traced step, and its optimizer begins again; it takes the same settings.
    """
    if model.compiled:
        _forget(model.optimizer)
    else:
        made = make_optimizer(optimizer, steps, rate_factors=getattr(model, "rate_factors", ()))
        model.compile(made, clip_norm=optimizer.clip_norm or None)
    unfreezing = [] if model.unfreezing is None else [model.unfreezing]
    for callback in unfreezing:
        callback.stand_after(0)
    data = batches.from_step(0, steps)
    model.fit(data, epochs=1, steps_per_epoch=steps, callbacks=unfreezing, shuffle=False, verbose=0)
    average = AverageWeights(batches)
    average.set_model(model)
    average.put_in()


def start_like(model: keras.Model, other: keras.Model) -> None:
    """Gives a model the variables of another of the same make: weights, statistics, the state of its random numbers."""
    for mine, its in zip(model.variables, other.variables, strict=True):
        mine.assign(its)


def _forget(optimizer: keras.optimizers.Optimizer) -> None:
    for variable in optimizer.variables:
        if variable is not optimizer._learning_rate:
            variable.assign(np.zeros(variable.shape, variable.dtype))
