"""Runs of a small model with all the state that a run can have, for processes that are killed, starved or left alone."""

import resource

import keras
import numpy as np
import tensorflow as tf

from tests.training.loop.toys import make_run
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.objectives import Objective, Term
from tfpretune.runtime.lock import alone_in
from tfpretune.settings import launch
from tfpretune.settings.run import RunConfig
from tfpretune.training import fit, make_strategy

ROWS = {
    "x": np.random.default_rng(0).normal(size=(60, 8)).astype("float32"),
    "y": np.random.default_rng(1).normal(size=60).astype("float32"),
}


class Everything(Objective):
    """Normalisation statistics and dropout; `width` decides how long a save takes."""

    term_names = ("squared",)

    def __init__(self, width=8):
        x = keras.Input((8,), name="x")
        hidden = keras.layers.Dense(width, name="wide")(x)
        hidden = keras.layers.BatchNormalization(name="normalization")(hidden)
        hidden = keras.layers.Dropout(0.5, name="dropout")(keras.layers.Activation("relu")(hidden))
        super().__init__(inputs={"x": x}, outputs=keras.layers.Dense(1, name="out")(hidden))
        self.add_term_metrics()

    def terms(self, batch, training):
        guesses = self({"x": batch["x"]}, training=training)[:, 0]
        return {"squared": Term(tf.reduce_sum(tf.square(guesses - batch["y"])), tf.size(batch["y"]))}


def noisy(batch, seed):
    return batch | {"x": batch["x"] + tf.random.stateless_normal(tf.shape(batch["x"]), seed, stddev=0.1)}


def train(out_dir, settings, replicas=1, width=8, limits=None):
    """Runs `fit` as a recipe would: errors become one line and an exit code."""
    for name, value in (limits or {}).items():
        resource.setrlimit(getattr(resource, name), (value, value))
    run = make_run(out_dir, **{"batch_size": 6, "optimizer": {"name": "adamw", "ema": 0.9}} | settings)

    def main(run):
        strategy = make_strategy(replicas)
        keras.utils.set_random_seed(run.seed)
        with strategy.scope():
            model = Everything(width)
        batches = StepIndexed(ROWS, run.batch_size, seed=1, transform=noisy)
        validation = StepIndexed(ROWS, 20).in_order()
        fit(model, batches, run, validation=validation, patience=30 if run.steps < 1000 else 0, restore_best=True)

    launch.parse = lambda *args, **kwargs: run
    launch.run(RunConfig, main, None)


def hold(out_dir, seconds):
    """Holds a folder's lock."""
    import time
    from pathlib import Path

    with alone_in(Path(out_dir)):
        print("held", flush=True)
        time.sleep(seconds)
