"""What a run writes for TensorBoard, and the guard against not-a-number."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.toys import Toy
from tfpretune.config import RunError
from tfpretune.training.callbacks import Measured, NonFiniteGuard, ScalarLog


def make_model():
    model = Toy()
    model.compile(keras.optimizers.SGD(0.25))
    model.optimizer.build(model.trainable_variables)
    return model


def scalars(folder):
    """Returns tag -> (step, value) pairs of the event files of a folder."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {
        tag: [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def test_scalars_by_hand(tmp_path):
    """Steps 5 to 8 of a resumed run, every second written; the validation figure at the end of the interval."""
    log = ScalarLog(tmp_path, 4, every_steps=2, start_step=4, curves={"loss": [[2, 9.0], [4, 7.0]]})
    log.set_model(make_model())
    log.on_train_begin()
    for batch, loss in enumerate([6.0, 5.0, 4.0, 3.0]):
        log.on_train_batch_end(batch, {"loss": loss})
    log.on_epoch_end(0, {"loss": 3.0, "val_loss": 8.0})
    log.flush()
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert sorted(train) == ["examples_per_second", "learning_rate", "loss"]
    assert train["loss"] == [(6, 5.0), (8, 3.0)]
    assert train["learning_rate"] == [(6, 0.25), (8, 0.25)]
    assert all(rate > 0 for _, rate in train["examples_per_second"])
    assert validation == {"loss": [(8, 8.0)]}
    assert log.curves["loss"] == [(2, 9.0), (4, 7.0), (6, 5.0), (8, 3.0)]
    assert log.curves["val_loss"] == [(8, 8.0)]


def test_measured_figures_reach_the_callbacks_behind():
    logs = {"loss": 1.0}
    Measured(lambda: {"mean_iou": 0.5}).on_epoch_end(0, logs)
    assert logs == {"loss": 1.0, "val_mean_iou": 0.5}


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        (
            {"loss": 1.0, "gradient_norm": float("nan")},
            r"step 6: gradient_norm is nan; lower --optimizer.* look at training rows 5, 50 \(the batch of step 6\)",
        ),
        ({"loss": float("inf"), "gradient_norm": 1.0}, "step 6: loss is inf; "),
    ],
)
def test_guard_names_the_step(logs, message):
    guard = NonFiniteGuard(lambda step: [step, 10 * step], start_step=4)
    guard.set_model(make_model())
    guard.on_train_batch_end(0, {"loss": 1.0, "gradient_norm": 2.0})
    with pytest.raises(RunError, match=message):
        guard.on_train_batch_end(1, logs)


def test_a_weight_that_is_no_number_shows_in_the_norm_of_the_gradient():
    model = make_model()
    model.get_layer("hidden").kernel.assign(np.full((3, 4), np.nan))
    batch = {"x": tf.zeros((2, 3)), "y": tf.zeros(2)}
    assert not np.isfinite(float(model.train_step(batch)["gradient_norm"]))


def test_float16_may_skip_steps_but_not_for_ever():
    guard = NonFiniteGuard(lambda step: [step], patience=3)
    model = Toy(dtype="mixed_float16")
    model.compile(keras.optimizers.SGD(0.25))
    guard.set_model(model)
    bad, good = {"loss": 1.0, "gradient_norm": float("inf")}, {"loss": 1.0, "gradient_norm": 1.0}
    for logs in (bad, bad, good, bad, bad):
        guard.on_train_batch_end(0, logs)
    with pytest.raises(RunError, match="step 6: gradient_norm is inf"):
        guard.on_train_batch_end(0, bad)
