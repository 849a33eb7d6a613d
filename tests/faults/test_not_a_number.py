"""NaN and Inf, each made as it happens in life: stopped in its step, named by its rows, never on the disk."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import ROWS, Toy, make_batches, make_run
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import RunError
from tfpretune.objectives import Objective, Term
from tfpretune.training import fit
from tfpretune.training.loop.checkpoints import CheckpointFolder


def finite_checkpoints(folder):
    """Returns the steps on disk, all values of which are numbers."""
    import safetensors.numpy

    found = CheckpointFolder(folder / "checkpoints")
    for step in found.steps():
        arrays = safetensors.numpy.load_file(found.path(step) / "state.safetensors")
        assert all(np.isfinite(array.astype("float32")).all() for array in arrays.values())
    return found.steps()


@pytest.mark.parametrize(
    ("poison", "dtype"),
    [(np.nan, "float32"), (np.inf, "float32"), (np.nan, "mixed_bfloat16"), (np.nan, "mixed_float16")],
)
def test_a_poisoned_row_is_named(tmp_path, poison, dtype):
    """Row 7 of 10 is poisoned; four rows per batch. The message has the rows of the batch and the step is the first with it."""
    rows = ROWS | {"x": ROWS["x"].copy()}
    rows["x"][7, 1] = poison
    batches = StepIndexed(rows, 4, seed=5)
    bad = next(step for step in range(9) if 7 in batches.rows(step))
    with pytest.raises(RunError) as stopped:
        fit(Toy(dtype=dtype), batches, make_run(tmp_path, save_every_steps=1))
    message = str(stopped.value)
    assert message.startswith(f"step {bad + 1}: ")
    assert f"training rows {', '.join(map(str, batches.rows(bad)))} (the batch of step {bad + 1})" in message
    assert "\n" not in message
    assert max(finite_checkpoints(tmp_path), default=0) == bad


class Rectified(Objective):
    """One layer with a ReLU, whose CPU kernel (MatMul, bias and ReLU in one) turns not-a-number into 0."""

    term_names = ("squared",)

    def __init__(self):
        x = keras.Input((3,), name="x")
        hidden = keras.layers.Dense(4, activation="relu", name="hidden")(x)
        super().__init__(inputs={"x": x}, outputs=keras.layers.Dense(1, name="out")(hidden))
        self.add_term_metrics()

    def terms(self, batch, training):
        guesses = self({"x": batch["x"]}, training=training)[:, 0]
        return {"squared": Term(tf.reduce_sum(tf.square(guesses - batch["y"])), tf.size(batch["y"]))}


def test_a_relu_that_hides_it_from_the_loss_does_not_hide_it_from_the_gradient(tmp_path):
    """The hidden values of the poisoned row are 0 and the loss is a number; the gradient of the kernel has 0 times NaN."""
    rows = ROWS | {"x": ROWS["x"].copy()}
    rows["x"][7, 1] = np.nan
    batches = StepIndexed(rows, 4, seed=5)
    bad = next(step for step in range(9) if 7 in batches.rows(step))
    with pytest.raises(RunError, match=rf"step {bad + 1}: gradient_norm is nan; .*training rows") as stopped:
        fit(Rectified(), batches, make_run(tmp_path, save_every_steps=1))
    assert stopped.value.last == bad + 1
    assert max(finite_checkpoints(tmp_path), default=0) == bad


def test_a_weight_that_dies_in_the_last_step_is_not_saved(tmp_path):
    """The update itself breaks it, after gradient and loss were found to be numbers: the saving looks, too."""

    class KillAfter(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                kernel = self.model.get_layer("hidden").kernel
                kernel.assign(kernel.numpy() * np.nan)

    with pytest.raises(RunError, match=r"step 2: .* variables hold values that are not numbers, .*not saved"):
        fit(Rectified(), make_batches(), make_run(tmp_path, steps=2, save_every_steps=2), callbacks=[KillAfter()])
    assert finite_checkpoints(tmp_path) == []


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_a_rate_of_1e20_stops_the_run(tmp_path, dtype):
    run = make_run(tmp_path, learning_rate=1e20, save_every_steps=1, optimizer={"clip_norm": 0.0})
    with pytest.raises(RunError, match=r"step 2: (gradient_norm|loss) is|step [12]: \d+ of \d+ variables hold values"):
        fit(Toy(dtype=dtype), make_batches(), run)
    assert max(finite_checkpoints(tmp_path), default=0) <= 1


def test_a_loss_beyond_float16_stops_in_its_step(tmp_path):
    """70,000 does not fit in float16: the hidden values are Inf, the loss is none, and the weights are as they were."""
    rows = ROWS | {"x": ROWS["x"] * 1e6}
    with pytest.raises(RunError, match=r"step 1: loss is (nan|inf)"):
        fit(Rectified16(), StepIndexed(rows, 4, seed=5), make_run(tmp_path, save_every_steps=1))
    assert finite_checkpoints(tmp_path) == []


class Rectified16(Rectified):
    """The same in mixed_float16."""

    def __init__(self):
        with policy("mixed_float16"):
            super().__init__()

    def terms(self, batch, training):
        return super().terms(batch | {"y": tf.cast(batch["y"], tf.float16)}, training)


@contextlib.contextmanager
def policy(name):
    old = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(old)


def test_bad_steps_are_rolled_back_and_others_taken(tmp_path, capsys):
    """The batch of step 6 is poisoned wherever it is drawn; the run ends with all its steps and no poison."""
    batches = StepIndexed(
        ROWS, 4, seed=5, transform=lambda batch, seed: batch | {"y": tf.where(seed[1] == 5, np.nan, batch["y"])}
    )
    result = fit(Toy(), batches, make_run(tmp_path, skip_bad_steps=1, save_every_steps=2))
    assert result.steps == 9
    assert "went back to step 4, step 6 is left out" in capsys.readouterr().out
    assert finite_checkpoints(tmp_path) == [8, 9]


@pytest.mark.parametrize(("dtype", "steps"), [("float32", 1000), ("mixed_float16", 1000), ("mixed_float16", 100)])
def test_no_false_alarm_in_healthy_steps(tmp_path, dtype, steps):
    """In float16 the first scale is too big for targets of 100, so that the first steps are skipped on purpose."""
    rows = ROWS | {"y": ROWS["y"] * 100}
    run = make_run(tmp_path, steps=steps, save_every_steps=steps, learning_rate=1e-3)
    assert fit(Toy(0.1, dtype=dtype), StepIndexed(rows, 4, seed=5), run).steps == steps
    assert finite_checkpoints(tmp_path) == [steps]
