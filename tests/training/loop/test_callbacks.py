"""What a run writes for TensorBoard, and the guard against not-a-number."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.loop.toys import Toy
from tfpretune.errors import RunError
from tfpretune.training.loop.callbacks import Measured, NonFiniteGuard, ScalarLog


def make_model():
    model = Toy()
    model.compile(keras.optimizers.SGD(0.25))
    model.build_optimizer()
    return model


def scalars(folder):
    """Returns tag -> (step, value) pairs of the event files of a folder."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {
        tag: [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def make_step(model, total, count, *, norm=1.0, factor=1.0, penalty=None):
    """What a training step with one term adds."""
    penalty = None if penalty is None else tf.constant(penalty)
    model.recent.add(tf.constant([[total, count]]), {"squared": tf.constant(factor)}, penalty, tf.constant(norm))


def test_scalars_by_hand(tmp_path):
    """Steps 5 to 9 of a resumed run, a point every second step and after the last; the first counts what was pending.

    Step 5 has 1 item of loss 6, step 6 three of 2: their mean is 12 / 4. Step 8 had a gradient that is not a number.
    """
    log = ScalarLog(tmp_path, 4, every_steps=2, start_step=4, last_step=9, curves={"loss": [[2, 9.0], [4, 7.0]]})
    model = make_model()
    log.set_model(model)
    log.begin(())
    log.on_train_begin()
    steps = [(6.0, 1.0, 3.0), (6.0, 3.0, 5.0), (4.0, 2.0, 7.0), (10.0, 2.0, float("inf")), (5.0, 1.0, 2.0)]
    for batch, (total, count, norm) in enumerate(steps):
        make_step(model, total, count, norm=norm)
        log.on_train_batch_end(batch, {"loss": 99.0})  # Keras' running means do not count
    log.on_epoch_end(0, {"loss": 3.0, "val_loss": 8.0})
    log.flush()
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert sorted(train) == ["examples_per_second", "gradient_norm", "learning_rate", "loss", "squared"]
    assert train["loss"] == train["squared"] == [(6, 3.0), (8, 3.5), (9, 5.0)]
    assert train["gradient_norm"] == [(6, 4.0), (8, 7.0), (9, 2.0)]
    assert train["learning_rate"] == [(6, 0.25), (8, 0.25), (9, 0.25)]
    assert all(rate > 0 for _, rate in train["examples_per_second"])
    assert validation == {"loss": [(9, 8.0)]}
    assert log.curves["loss"] == [(2, 9.0), (4, 7.0), (6, 3.0), (8, 3.5), (9, 5.0)]
    assert log.curves["val_loss"] == [(9, 8.0)]


def test_what_is_behind_the_last_point_goes_into_the_checkpoint(tmp_path):
    model = make_model()
    log = ScalarLog(None, 4, every_steps=2)
    log.set_model(model)
    log.begin(())
    log.on_train_begin()
    make_step(model, 6.0, 1.0)
    log.on_train_batch_end(0, {})
    log.flush()
    kept = list(log.pending)
    later = ScalarLog(None, 4, every_steps=2, start_step=1)
    later.set_model(model)
    later.begin(())
    make_step(model, 100.0, 1.0)
    later.begin(kept)  # what was there is put aside
    later.on_train_begin()
    make_step(model, 2.0, 3.0)
    later.on_train_batch_end(0, {})
    assert later.curves["squared"] == [(2, 2.0)]
    later.finish()  # no step since: no point
    assert later.curves["squared"] == [(2, 2.0)]
    make_step(model, 3.0, 3.0)
    later.finish()
    assert later.curves["loss"] == [(2, 2.0), (2, 1.0)]


def test_the_mean_loss_weighs_each_step_by_its_factor_then():
    """(2 x 3 + 4 x 5) / (1 + 1), and the mean of the penalties 1 and 2."""
    model = make_model()
    make_step(model, 3.0, 1.0, factor=2.0, penalty=1.0)
    make_step(model, 5.0, 1.0, factor=4.0, penalty=2.0)
    assert model.recent.take(model) == {"loss": 14.5, "squared": 4.0, "gradient_norm": 1.0}
    make_step(model, 0.0, 0.0)  # no item: nothing is known of the term
    assert model.recent.take(model) == {"loss": 0.0, "gradient_norm": 1.0}
    assert model.recent.take(model) == {}


def test_measured_figures_reach_the_callbacks_behind():
    logs = {"loss": 1.0}
    Measured(lambda: {"mean_iou": 0.5}).on_epoch_end(0, logs)
    assert logs == {"loss": 1.0, "val_mean_iou": 0.5}


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        (
            {"loss": 1.0, "gradient_norm": float("nan")},
            r"step 6: gradient_norm is nan; lower `optimizer.* look at training rows 5, 50 \(the batch of step 6\)",
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
