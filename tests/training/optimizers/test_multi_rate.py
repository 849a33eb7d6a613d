"""Rates of single variables and whole layers, against SGD and AdamW written by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import ROWS, Toy
from tfpretune.training import make_strategy
from tfpretune.training.optimizers.multi_rate import MultiRateAdagrad, MultiRateAdamW, MultiRateSGD

FACTORS = (("^hidden/", 0.25),)  # the lower layer learns at a quarter of the rate
MULTIPLIERS = (("bias$", 3.0), ("^hidden/", 9.0))  # the first that fits counts
DECAYED = ("hidden/kernel", "out/kernel")
OWN = {"hidden/kernel": 0.25 * 9, "hidden/bias": 0.25 * 3, "out/kernel": 1.0, "out/bias": 3.0}
LAYER = {"hidden/kernel": 0.25, "out/kernel": 1.0}
RATE, DECAY, STEPS = 0.05, 0.1, 6


def slopes(weights):
    """The gradients of the mean of (tanh(x W + b) V + c - y)^2 by the chain rule, in float64."""
    x, y = ROWS["x"].astype("float64"), ROWS["y"].astype("float64")
    hidden = np.tanh(x @ weights["hidden/kernel"] + weights["hidden/bias"])
    error = 2 * ((hidden @ weights["out/kernel"])[:, 0] + weights["out/bias"] - y)[:, np.newaxis] / len(y)
    back = (error @ weights["out/kernel"].T) * (1 - hidden**2)
    return {
        "hidden/kernel": x.T @ back,
        "hidden/bias": back.sum(0),
        "out/kernel": hidden.T @ error,
        "out/bias": error.sum(0),
    }


def sgd_by_hand(weights):
    """Decay, then v = 0.9 v - rate * gradient and w = w + v."""
    velocity = {name: np.zeros_like(value) for name, value in weights.items()}
    for _ in range(STEPS):
        found = slopes(weights)
        for name in weights:
            if name in DECAYED:
                weights[name] -= RATE * LAYER[name] * DECAY * weights[name]
            velocity[name] = 0.9 * velocity[name] - RATE * OWN[name] * found[name]
            weights[name] += velocity[name]
    return weights


def adagrad_by_hand(weights):
    """Duchi et al. 2011 with sums that begin at 0.1, as Keras' do: w = w - rate * gradient / sqrt(sum of squares)."""
    sums = {name: np.full_like(value, 0.1) for name, value in weights.items()}
    for _ in range(STEPS):
        found = slopes(weights)
        for name in weights:
            if name in DECAYED:
                weights[name] -= RATE * LAYER[name] * DECAY * weights[name]
            sums[name] += found[name] ** 2
            weights[name] -= RATE * OWN[name] * found[name] / np.sqrt(sums[name] + 1e-7)
    return weights


def adamw_by_hand(weights):
    """Loshchilov and Hutter 2017, algorithm 2, with Keras' way to add epsilon."""
    m, v = ({name: np.zeros_like(value) for name, value in weights.items()} for _ in range(2))
    for step in range(1, STEPS + 1):
        found = slopes(weights)
        rate = RATE * np.sqrt(1 - 0.98**step) / (1 - 0.9**step)
        for name in weights:
            m[name] = 0.9 * m[name] + 0.1 * found[name]
            v[name] = 0.98 * v[name] + 0.02 * found[name] ** 2
            if name in DECAYED:
                weights[name] -= RATE * LAYER[name] * DECAY * weights[name]
            weights[name] -= rate * OWN[name] * m[name] / (np.sqrt(v[name]) + 1e-6)
    return weights


RULES = [(MultiRateSGD, sgd_by_hand), (MultiRateAdamW, adamw_by_hand), (MultiRateAdagrad, adagrad_by_hand)]


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize(("kind", "by_hand"), RULES)
def test_two_layers_learn_as_by_hand(kind, by_hand, replicas):
    """Momentum, decoupled decay of the kernels, layer factors times multipliers, on one replica and on two."""
    with make_strategy(replicas).scope():
        model = Toy()
        optimizer = kind(RATE, multipliers=MULTIPLIERS, rate_factors=FACTORS, weight_decay=DECAY)
        model.compile(optimizer)
    start = {v.path: v.numpy().astype("float64") for v in model.trainable_variables}
    model.fit(tf.data.Dataset.from_tensor_slices(ROWS).batch(10).repeat(STEPS), epochs=1, shuffle=False, verbose=0)
    expected = by_hand({path: value.copy() for path, value in start.items()})
    for variable in model.trainable_variables:
        np.testing.assert_allclose(variable, expected[variable.path], atol=1e-6, err_msg=variable.path)
        assert np.abs(variable - start[variable.path]).max() > 1e-2


def test_multipliers_change_single_rates():
    """The first Adam step is the rate itself: 0.1 for the kernel, 0.3 for the first pattern that fits, 0 for a stopped one."""
    variables = [keras.Variable([1.0], name=name) for name in ("kernel", "token_embedding", "other")]
    optimizer = MultiRateAdamW(0.1, multipliers=(("embedding", 3.0), ("token", 9.0), ("other", 0.0)), weight_decay=0.0)
    optimizer.build(variables)
    optimizer.apply([tf.constant([1.0])] * 3)
    np.testing.assert_allclose(np.ravel(variables), [0.9, 0.7, 1.0], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "plain", "settings"),
    [
        (MultiRateAdamW, keras.optimizers.AdamW, {"weight_decay": 0.1, "beta_2": 0.98, "epsilon": 1e-6}),
        (MultiRateSGD, keras.optimizers.SGD, {"weight_decay": 0.1, "momentum": 0.9}),
    ],
)
def test_without_factors_it_is_kerass_own(kind, plain, settings):
    values = []
    for optimizer in (kind(0.1, **settings), plain(0.1, **settings)):
        variable = keras.Variable([1.0, -2.0], name="kernel")
        optimizer.build([variable])
        for step in range(3):
            optimizer.apply([tf.constant([0.5, 1.0]) * (step - 1.5)])
        values.append(variable.numpy())
    np.testing.assert_allclose(*values, rtol=1e-6)


@pytest.mark.parametrize("kind", [MultiRateSGD, MultiRateAdamW])
def test_it_survives_its_config(kind):
    optimizer = kind(0.1, multipliers=(("embedding", 3.0),), rate_factors=(("^block_0/", 0.5),), weight_decay=0.2)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert again.multipliers == (("embedding", 3.0),)
    assert again.rate_factors == (("^block_0/", 0.5),)
