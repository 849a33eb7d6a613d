"""The rate finder: where the loss turns, and that everything is as before afterwards."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from tests.training.loop.toys import ROWS, Toy, make_batches, make_run
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import RunError, UsageError
from tfpretune.objectives import Objective, Term
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import fit, make_optimizer, make_strategy
from tfpretune.training.optimizers.learning_rate_finder import (
    LearningRateCurve,
    _curve,
    _Rise,
    find_learning_rate,
    write_curve,
)


@pytest.fixture
def determinism():
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()


class Valley(Objective):
    """Half of w^2, whatever the batch: SGD at rate r makes w (1 - r) of w, so it converges below 2 and diverges above."""

    term_names = ("square",)

    def __init__(self):
        x = keras.Input((3,), name="x")
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="w")
        super().__init__(inputs={"x": x}, outputs=layer(x))
        self.kernel = layer.kernel
        self.add_term_metrics()

    def terms(self, batch, training):
        rows = tf.size(batch["y"])
        value = 0.5 * tf.reduce_sum(tf.square(tf.convert_to_tensor(self.kernel)))
        return {"square": Term(value * tf.cast(rows, tf.float32), rows)}


def everything(model):
    """All bits of a model and its optimizer, on every replica."""
    local = model.distribute_strategy.experimental_local_results
    variables = [v for v in [*model.variables, *model.optimizer.variables] if v.path not in ("total", "count")]
    return {f"{i} {v.path}": [x.numpy() for x in local(v.value)] for i, v in enumerate(variables)}


def test_losses_by_hand():
    """Rate r_k makes w (1 - r_k) of w: the loss before step k is 3 / 2 times the square of the product of what came before."""
    model = Valley()
    model.compile(keras.optimizers.SGD(0.5))
    curve = find_learning_rate(model, make_batches(), lowest=1e-3, highest=1e3, steps=60)
    rates = 10 ** np.linspace(-3, 3, 60)
    np.testing.assert_allclose(curve.rates, rates[: len(curve.rates)], rtol=1e-6)
    w = np.cumprod(np.concatenate([[1.0], 1 - rates]))[: len(curve.rates)]
    np.testing.assert_allclose(curve.losses, 1.5 * w**2, rtol=1e-3, atol=1e-12)
    weights = 0.9 ** np.arange(len(w))
    means = [np.dot(weights[: k + 1][::-1], 1.5 * w[: k + 1] ** 2) / weights[: k + 1].sum() for k in range(len(w))]
    np.testing.assert_allclose(curve.smoothed, means, rtol=1e-3)
    best = int(np.argmin(means))
    assert curve.suggested == pytest.approx(rates[best] / 10)
    assert 1.0 < rates[best] < 100.0
    assert curve.diverged
    assert len(curve.rates) < 60
    assert means[-1] > 4 * means[best] > means[-2]  # it stopped at the first that was too high


@pytest.mark.parametrize("name", ["adamw", "sgd"])
@pytest.mark.parametrize("replicas", [1, 2])
def test_all_is_as_before_bit_by_bit(replicas, name, determinism):
    """Also in the middle of a run, with moments, an average, dropout seeds that differ between replicas; and twice the same."""
    with make_strategy(replicas).scope():
        model = Toy(dropout=0.5)
        model.compile(make_optimizer(OptimizerConfig(name=name, learning_rate=0.05, ema=0.9), 40), clip_norm=1.0)
    batches = make_batches()
    model.fit(batches.from_step(0, 3), epochs=1, steps_per_epoch=3, shuffle=False, verbose=0)
    before = everything(model)
    schedule = model.optimizer._learning_rate
    curves = [find_learning_rate(model, batches, lowest=1e-4, highest=1e3, steps=40) for _ in range(2)]
    assert curves[0] == curves[1]
    after = everything(model)
    assert before.keys() == after.keys()
    for path, copies in before.items():
        for old, new in zip(copies, after[path], strict=True):
            np.testing.assert_array_equal(new, old, err_msg=path)
    assert model.optimizer._learning_rate is schedule
    assert not model.stop_training


def test_a_run_after_it_is_the_run_without_it(tmp_path, determinism):
    values = []
    for name in ("without", "with"):
        keras.utils.set_random_seed(3)
        model = Toy(dropout=0.5)
        if name == "with":
            model.compile(make_optimizer(make_run(tmp_path).optimizer, 9), clip_norm=1.0)
            find_learning_rate(model, make_batches(), lowest=1e-4, highest=10.0, steps=20)
        fit(model, make_batches(), make_run(tmp_path / name))
        values.append([v.numpy() for v in model.trainable_variables])
    for a, b in zip(*values, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_fixed_rate_float16_and_several_steps_a_call():
    model = Toy(dtype="mixed_float16")
    model.compile(keras.optimizers.SGD(0.25), steps_per_execution=2)
    model.build_optimizer()
    before = everything(model)
    curve = find_learning_rate(model, make_batches(), lowest=1e-4, highest=1e3, steps=40)
    assert len(curve.rates) <= 20
    assert float(model.optimizer.inner_optimizer.learning_rate) == 0.25
    for path, copies in before.items():
        np.testing.assert_array_equal(everything(model)[path], copies)


def test_errors_put_all_back_too():
    model = Toy()
    model.compile(keras.optimizers.SGD(0.25))
    model.build_optimizer()
    before = everything(model)
    rows = ROWS | {"y": np.full(10, np.nan, "float32")}
    with pytest.raises(
        RunError, match="learning rate finder: the loss did not fall even once: give other `lowest` and `highest`"
    ):
        find_learning_rate(model, StepIndexed(rows, 4), steps=20)
    for path, copies in everything(model).items():
        np.testing.assert_array_equal(copies, before[path])


def test_one_low_batch_at_the_start_is_chance():
    """Ten rates, so the first mean does not count; with losses that fall and rise again the lowest mean does."""
    model = Valley()
    rise = _Rise(tf.Variable(0.0), np.geomspace(1e-3, 1e6, 10).tolist())
    rise.set_model(model)
    model.compile(keras.optimizers.SGD(0.5))
    model.stop_training = False
    for loss in (0.1, 9.0, 5.0, 2.0, 1.0, 1.0):
        rise.on_train_batch_end(0, {"loss": loss, "gradient_norm": 1.0})
    curve = _curve(rise)
    assert not curve.diverged
    assert curve.smoothed[0] == pytest.approx(0.1)
    assert curve.suggested == pytest.approx(10.0 ** (-3 + 5) / 10)


def test_a_loss_that_only_rises_is_an_error():
    rise = _Rise(tf.Variable(0.0), np.geomspace(1e-3, 1e6, 10).tolist())
    rise.losses, rise.smoothed = [1.0, 2.0, 3.0], [1.0, 1.5, 2.5]
    with pytest.raises(RunError, match=r"the loss did not fall from 1.0e-03 to 1.0e-01"):
        _curve(rise)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lowest": 0.0}, "`lowest` and `highest` must be 0 < lowest < highest, received 0.0 and 1.0"),
        ({"lowest": 2.0}, "received 2.0 and 1.0"),
        ({"highest": math.inf}, "received 1e-06 and inf"),
        ({"steps": 9}, "needs at least 10 steps, a multiple of 1, not 9"),
    ],
)
def test_what_cannot_work_is_refused(settings, message):
    model = Valley()
    model.compile(keras.optimizers.SGD(0.5))
    with pytest.raises(UsageError, match=message):
        find_learning_rate(model, make_batches(), **settings)


def test_files(tmp_path):
    curve = LearningRateCurve((0.1, 1.0, 10.0), (3.0, 2.0, 9.0), (3.0, 2.5, 5.0), 0.1, True)
    picture = write_curve(curve, tmp_path / "run")
    assert tf.io.decode_png(picture.read_bytes()).shape[0] > 200
    written = json.loads((tmp_path / "run" / "rate_finder.json").read_text())
    assert written == {
        "rates": [0.1, 1.0, 10.0],
        "losses": [3.0, 2.0, 9.0],
        "smoothed": [3.0, 2.5, 5.0],
        "suggested": 0.1,
        "diverged": True,
    }
