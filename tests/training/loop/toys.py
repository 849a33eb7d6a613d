"""A small objective with dropout, its rows and its settings, for the tests of training."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.objectives import Objective, Term
from tfpretune.settings.run import OptimizerConfig, RunConfig

ROWS = {
    "x": np.random.default_rng(0).normal(size=(10, 3)).astype("float32"),
    "y": np.random.default_rng(1).normal(size=10).astype("float32"),
}


class Toy(Objective):
    """Guesses y from x with one hidden layer; squared error."""

    term_names = ("squared",)

    def __init__(self, dropout=0.0, dtype=None):
        x = keras.Input((3,), name="x")
        hidden = keras.layers.Dense(4, activation="tanh", dtype=dtype, name="hidden")(x)
        hidden = keras.layers.Dropout(dropout, dtype=dtype, name="dropout")(hidden)
        super().__init__(inputs={"x": x}, outputs=keras.layers.Dense(1, dtype=dtype, name="out")(hidden))
        self.add_term_metrics()

    def terms(self, batch, training):
        guesses = tf.cast(self({"x": batch["x"]}, training=training), tf.float32)
        return {"squared": Term(tf.reduce_sum(tf.square(guesses[:, 0] - batch["y"])), tf.size(batch["y"]))}


class Net(Objective):
    """Squared error of a head on a backbone of two layers, the first with batch normalisation."""

    term_names = ("squared",)

    def __init__(self, dropout=0.0, dtype=None):
        x = keras.Input((3,), name="x")
        hidden = keras.layers.Dense(4, activation="tanh", dtype=dtype, name="low")(x)
        hidden = keras.layers.BatchNormalization(dtype=dtype, name="low_norm")(hidden)
        hidden = keras.layers.Dense(4, activation="tanh", dtype=dtype, name="high")(hidden)
        backbone = keras_hub.models.Backbone(inputs={"x": x}, outputs=hidden, name="backbone")
        inputs = {"x": keras.Input((3,), name="x")}
        hidden = keras.layers.Dropout(dropout, dtype=dtype)(backbone(inputs))
        super().__init__(inputs=inputs, outputs=keras.layers.Dense(1, dtype=dtype, name="out")(hidden))
        self.backbone = backbone
        self.add_term_metrics()

    def terms(self, batch, training):
        guesses = tf.cast(self({"x": batch["x"]}, training=training), tf.float32)
        return {"squared": Term(tf.reduce_sum(tf.square(guesses[:, 0] - batch["y"])), tf.size(batch["y"]))}


def add_noise(batch, seed):
    return batch | {"x": batch["x"] + tf.random.stateless_normal(tf.shape(batch["x"]), seed, stddev=0.1)}


def make_batches(transform=add_noise, rows=ROWS):
    return StepIndexed(rows, 4, seed=5, transform=transform)


def make_run(folder, **settings):
    optimizer = OptimizerConfig(
        learning_rate=settings.pop("learning_rate", 0.05), warmup=0.0, **settings.pop("optimizer", {})
    )
    defaults = {"source": "toy", "steps": 9, "batch_size": 4, "save_every_steps": 4, "jit": "off"}
    return RunConfig(out_dir=str(folder), optimizer=optimizer, **defaults | settings)


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C after so many batches."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
