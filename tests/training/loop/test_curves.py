"""The training curve of a whole run: means over the steps since the last point, by hand."""

import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import Interrupt, Toy, make_batches, make_run
from tfpretune.objectives import Term
from tfpretune.training import fit, make_strategy
from tfpretune.training.loop.signals import Stopped

STEPS = 106  # more than 100: a point every 20 steps, and one after the last


class Uneven(Toy):
    """Only rows with a y above 0.2 count: 0 to 4 of a batch of four."""

    def terms(self, batch, training):
        error = tf.square(self({"x": batch["x"]}, training=training)[:, 0] - batch["y"])
        counted = tf.cast(batch["y"] > 0.2, tf.float32)
        return {"squared": Term(tf.reduce_sum(error * counted), tf.reduce_sum(counted))}

    def figures(self, means):
        return {"root": tf.sqrt(means["squared"])}


class Watch(keras.callbacks.Callback):
    """Notes total and count of each batch before it is learnt."""

    def __init__(self):
        super().__init__()
        self.batches = iter(make_batches().from_step(0, STEPS))
        self.sums = []
        self.terms = None

    def on_train_batch_begin(self, batch, logs=None):
        self.terms = self.terms or tf.function(lambda rows: self.model.terms(rows, training=False)["squared"])
        term = self.terms(next(self.batches))
        self.sums.append((float(term.total), float(term.count)))


class Signal(keras.callbacks.Callback):
    """SIGINT after N steps: the run saves and stops."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def trained(folder, replicas=1, callbacks=(), **settings):
    keras.utils.set_random_seed(3)
    with make_strategy(replicas).scope():
        model = Uneven()
    run = make_run(folder, **{"steps": STEPS, "save_every_steps": 30, **settings})
    return fit(model, make_batches(), run, callbacks=callbacks)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    watch = Watch()
    return trained(tmp_path_factory.mktemp("whole"), callbacks=[watch]).curves, watch.sums


def test_each_point_is_the_mean_since_the_one_before(whole):
    """Counts fall unevenly, checkpoints lie between the points, the last interval has six steps."""
    curves, sums = whole
    ends = [20, 40, 60, 80, 100, 106]
    assert len(sums) == STEPS
    assert len({count for _, count in sums}) > 2
    expected = [
        (end, np.sum(sums[start:end], axis=0)[0] / np.sum(sums[start:end], axis=0)[1])
        for start, end in zip([0, *ends], ends, strict=False)
    ]
    assert [step for step, _ in curves["loss"]] == ends
    np.testing.assert_allclose(curves["loss"], expected, rtol=1e-5)
    assert curves["squared"] == curves["loss"]
    np.testing.assert_allclose([value**2 for _, value in curves["root"]], [value for _, value in expected], rtol=1e-5)
    assert len(curves["gradient_norm"]) == len(curves["learning_rate"]) == 6


def test_two_replicas_and_several_steps_a_call_draw_the_same_curve(whole, tmp_path):
    for number, settings in enumerate(({"replicas": 2}, {"steps_per_execution": 2}, {"jit": "on"})):
        curves = trained(tmp_path / str(number), **settings).curves
        for name in ("loss", "squared", "root", "gradient_norm"):
            np.testing.assert_allclose(curves[name], whole[0][name], rtol=1e-4, err_msg=f"{name} {settings}")


def test_a_run_that_was_cut_draws_the_same_curve(whole, tmp_path):
    """Stopped at step 13 and saved there, then killed at step 47 and so back to 30: no jump, no point twice."""
    with pytest.raises(Stopped):
        trained(tmp_path, callbacks=[Signal(13)])
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, callbacks=[Interrupt(34)])
    curves = trained(tmp_path).curves
    for name in ("loss", "squared", "root", "gradient_norm", "learning_rate"):
        assert curves[name] == whole[0][name], name


def test_patience_ends_the_curve_with_a_point(tmp_path):
    """Nothing gets better at a rate near 0: three intervals of 30 steps, with points at 20, 40, 60, 80 and 90."""
    keras.utils.set_random_seed(3)
    run = make_run(tmp_path, steps=150, save_every_steps=30, learning_rate=1e-30)
    for _ in range(2):  # the second call finds a run that is over
        result = fit(Uneven(), make_batches(), run, validation=make_batches(None).in_order(), patience=2)
        assert (result.steps, result.stopped_early) == (90, True)
        assert [step for step, _ in result.curves["loss"]] == [20, 40, 60, 80, 90]
