"""Schedules at steps worked by hand; what decays and what does not; rates of single variables."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import VisionTransformer
from tfpretune.config import OptimizerConfig
from tfpretune.training.optimizers import MultiRateAdamW, WarmUp, make_optimizer


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0]),
        ("linear", [0.5, 1.0, 1.5, 2.0, 2.0, 1.5, 1.0, 0.5]),
        ("cosine", [0.5, 1.0, 1.5, 2.0, 2.0, 1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5)]),
        ("exponential", [0.5, 1.0, 1.5, 2.0, 2.0, 2 * 0.01**0.25, 0.2, 2 * 0.01**0.75]),
    ],
)
def test_schedules_by_hand(schedule, expected):
    """Peak 2, 8 steps, 4 of them warm-up: the falls stand at 0, 1/4, 1/2 and 3/4 of their way in steps 4 to 7."""
    rate = WarmUp(2.0, 8, warmup_steps=4, schedule=schedule)
    np.testing.assert_allclose([rate(step) for step in range(8)], expected, rtol=1e-6)


def test_after_the_last_step_the_rate_stays():
    for schedule, end in {"constant": 2.0, "linear": 0.0, "cosine": 0.0, "exponential": 0.02}.items():
        np.testing.assert_allclose(WarmUp(2.0, 8, warmup_steps=0, schedule=schedule)([8, 100]), [end, end], atol=1e-6)
    np.testing.assert_allclose(WarmUp(2.0, 8, warmup_steps=0, schedule="cosine")(0), 2.0)


def test_a_schedule_survives_its_config():
    rate = WarmUp(2.0, 8, warmup_steps=4, schedule="linear")
    assert WarmUp.from_config(rate.get_config())(5) == rate(5)
    with pytest.raises(ValueError, match="schedule must be constant, linear, cosine or exponential, received 'cos'"):
        WarmUp(2.0, 8, warmup_steps=4, schedule="cos")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw", MultiRateAdamW),
        ("adam", keras.optimizers.Adam),
        ("sgd", keras.optimizers.SGD),
        ("adagrad", keras.optimizers.Adagrad),
    ],
)
def test_each_name_gives_its_optimizer(name, kind):
    optimizer = make_optimizer(OptimizerConfig(name=name, learning_rate=0.5, warmup=0.5, schedule="linear"), 8)
    assert type(optimizer) is kind
    variable = keras.Variable([1.0], name="kernel")
    optimizer.build([variable])
    rates = []
    for _ in range(6):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([tf.constant([1.0])])
    np.testing.assert_allclose(rates, [0.125, 0.25, 0.375, 0.5, 0.5, 0.375])
    assert float(variable[0]) < 1.0


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_bias_and_norm_do_not_decay(name):
    """Without a gradient a kernel shrinks by rate * decay = 0.1 * 0.5 and the rest stays: also the positions of a ViT."""
    vit = VisionTransformer((4, 4, 1), 2, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4)
    before = {}
    for variable in vit.trainable_variables:
        variable.assign(tf.ones_like(variable))
        before[variable.path] = variable.numpy()
    config = OptimizerConfig(name=name, learning_rate=0.1, warmup=0.0, schedule="constant", weight_decay=0.5)
    optimizer = make_optimizer(config, 10)
    optimizer.build(vit.trainable_variables)
    optimizer.apply([tf.zeros_like(variable) for variable in vit.trainable_variables])
    shrunk = {v.path for v in vit.trainable_variables if np.allclose(v, 0.95)}
    assert shrunk == {path for path in before if path.endswith("kernel")}
    assert all(np.allclose(v, 1.0) for v in vit.trainable_variables if v.path not in shrunk)


def test_adam_and_adagrad_decay_nothing():
    for name in ("adam", "adagrad"):
        assert make_optimizer(OptimizerConfig(name=name, weight_decay=0.5), 10).weight_decay is None


def test_multipliers_change_single_rates():
    """The first Adam step is the rate itself: 0.1 for the kernel, 0.3 for the first pattern that fits, 0 for a stopped one."""
    variables = [keras.Variable([1.0], name=name) for name in ("kernel", "token_embedding", "other")]
    optimizer = MultiRateAdamW(0.1, multipliers=(("embedding", 3.0), ("token", 9.0), ("other", 0.0)), weight_decay=0.0)
    optimizer.build(variables)
    optimizer.apply([tf.constant([1.0])] * 3)
    np.testing.assert_allclose(np.ravel(variables), [0.9, 0.7, 1.0], atol=1e-5)


def test_without_multipliers_it_is_kerass_adamw():
    settings = {"weight_decay": 0.1, "beta_2": 0.98, "epsilon": 1e-6}
    values = []
    for optimizer in (MultiRateAdamW(0.1, **settings), keras.optimizers.AdamW(0.1, **settings)):
        variable = keras.Variable([1.0, -2.0], name="kernel")
        optimizer.build([variable])
        for step in range(3):
            optimizer.apply([tf.constant([0.5, 1.0]) * (step - 1.5)])
        values.append(variable.numpy())
    np.testing.assert_allclose(*values, rtol=1e-6)


def test_multi_rate_survives_its_config():
    optimizer = MultiRateAdamW(0.1, multipliers=(("embedding", 3.0),), weight_decay=0.2)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert again.multipliers == (("embedding", 3.0),)


def test_a_trained_model_can_be_exported_with_its_optimizer(tmp_path):
    x = keras.Input((2,), name="x")
    model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile(make_optimizer(OptimizerConfig(multipliers=(("kernel", 2.0),)), 10), "mse")
    model.train_on_batch(np.ones((1, 2)), np.ones((1, 1)))
    model.export(str(tmp_path / "model"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "model"))  # the functions live no longer than this object
    np.testing.assert_allclose(loaded.serve(np.ones((1, 2), "float32")), model(np.ones((1, 2))), atol=1e-6)
