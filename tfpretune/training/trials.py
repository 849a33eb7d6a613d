"""Short training runs that leave nothing on disk, for comparisons over seeds."""

import keras

from tfpretune.config import OptimizerConfig
from tfpretune.data.batches import StepIndexed
from tfpretune.training.optimizers import make_optimizer


def train_briefly(model: keras.Model, batches: StepIndexed, optimizer: OptimizerConfig, *, steps: int) -> None:
    """Trains a fresh `Objective` for so many steps, without checkpoints, logs or a word."""
    model.compile(make_optimizer(optimizer, steps), clip_norm=optimizer.clip_norm or None)
    model.fit(batches.from_step(0, steps), epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0)
