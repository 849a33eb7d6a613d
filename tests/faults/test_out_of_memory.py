"""A batch that is too big for a process with a memory limit: one line, or parts of it that fit."""

import resource
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.faults import state
from tests.faults.children import run
from tests.training.loop.toys import make_run
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.objectives import Objective, Term
from tfpretune.settings import launch
from tfpretune.settings.run import RunConfig
from tfpretune.training import fit
from tfpretune.training.devices.free_memory import free_memory, peak_memory

ROWS, LENGTH, WIDTH = 8192, 16, 256
MEBIBYTES = 700


class Wide(Objective):
    """Three layers at each of 16 places: 128 MB an activation for 8,192 rows."""

    term_names = ("squared",)

    def __init__(self):
        ids = keras.Input((LENGTH,), dtype="int32", name="token_ids")
        hidden = keras.layers.Embedding(4, 8)(ids)
        for _ in range(3):
            hidden = keras.layers.Dense(WIDTH, activation="tanh")(hidden)
        super().__init__(inputs={"token_ids": ids}, outputs=keras.layers.Dense(1)(hidden))
        self.add_term_metrics()

    def terms(self, batch, training):
        guesses = self({"token_ids": batch["token_ids"]}, training=training)
        return {"squared": Term(tf.reduce_sum(tf.square(guesses)), tf.size(guesses))}


def batches(rows):
    return StepIndexed({"token_ids": np.random.default_rng(0).integers(0, 4, (ROWS, LENGTH)).astype("int32")}, rows)


def learn(out_dir, parts):
    """Warms TensorFlow up, sets the limit so many MiB above what that took, and fits."""
    keras.utils.set_random_seed(0)
    warm = Wide()
    warm.compile("sgd")
    warm.fit(batches(4).from_step(0, 1), steps_per_epoch=1, verbose=0)
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
    limit = (int(held.split()[1]) << 10) + (MEBIBYTES << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    settings = {"steps": 2, "save_every_steps": 2, "optimizer": {"name": "sgd"}, "batch_size": ROWS}
    run = make_run(out_dir, accumulate_steps=parts, **settings)
    launch.parse = lambda *args, **kwargs: run
    launch.run(RunConfig, lambda run: fit(Wide(), batches(ROWS), run), None)


def test_one_line_says_what_to_try(tmp_path):
    code, printed = run(tmp_path / "log", learn, tmp_path / "run", 1)
    assert code == 1, printed
    last = printed.splitlines()[-1]
    assert last.startswith(f"failed: out of memory: batch size {ROWS}, sequence length {LENGTH}; try --batch-size ")
    assert last.endswith(", shorter sequences, or --batch-size auto, which trains each batch in micro-batches that fit")
    assert 1 <= int(last.split("try --batch-size ")[1].split(",")[0]) < ROWS
    assert "Traceback" not in printed
    assert state.steps(tmp_path / "run") == []


def test_auto_finishes_under_the_same_limit_in_parts(tmp_path):
    code, printed = run(tmp_path / "log", learn, tmp_path / "run", 0)
    assert code == 0, printed
    assert "each batch is trained in " in printed
    assert state.steps(tmp_path / "run") == [2]


def test_a_peak_is_seen_and_a_limit_counts():
    needed = peak_memory(lambda: np.ones(64 << 17).sum())  # 64 MiB of float64
    assert needed == pytest.approx(64 << 20, rel=0.2)
    assert 0 < free_memory() < 1 << 50
