"""One replica or two, a batch in one part or several, one step a call or several, with XLA or without: the same is learnt."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import ROWS, Toy
from tfpretune.training import make_strategy

STEPS = 4


def train(replicas, dtype=None, **settings):
    """Four steps on ten rows; returns the weights and the loss shown at the end."""
    strategy = make_strategy(replicas)
    keras.utils.set_random_seed(3)
    with strategy.scope():
        model = Toy(dtype=dtype)
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9), clip_norm=0.5, **settings)
    data = tf.data.Dataset.from_tensor_slices(ROWS).batch(10).repeat(STEPS)
    loss = model.fit(data, steps_per_epoch=STEPS, verbose=0, shuffle=False).history["loss"][0]
    evaluated = model.evaluate(data, verbose=0, return_dict=True)["loss"]
    return [v.numpy() for v in model.trainable_variables], [loss, evaluated]


@pytest.fixture(scope="module")
def expected():
    return train(1)


@pytest.mark.parametrize(
    ("replicas", "settings"),
    [
        (1, {"accumulate_steps": 3}),
        (1, {"accumulate_steps": 3, "jit_compile": True}),
        (1, {"accumulate_steps": 2, "steps_per_execution": 2}),
        (2, {}),
        (2, {"accumulate_steps": 2}),
        (2, {"jit_compile": True}),
        (2, {"jit_compile": True, "accumulate_steps": 2, "steps_per_execution": 4}),
        (2, {"steps_per_execution": 2}),
        (2, {"run_eagerly": True}),
    ],
    ids=str,
)
def test_the_same_is_learnt(expected, replicas, settings):
    """Parts of 3, 3 and 4 rows, or replicas of 5 with parts of 2 and 3; no two have the same mean, yet all agree."""
    weights, losses = train(replicas, **settings)
    np.testing.assert_allclose(losses, expected[1], atol=1e-5)
    for mine, theirs in zip(weights, expected[0], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_float16_in_parts_on_two_replicas(expected):
    """Half precision has 11 bits, so three digits agree; the scale of the loss leaves no trace."""
    weights, losses = train(2, dtype="mixed_float16", accumulate_steps=2)
    np.testing.assert_allclose(losses, expected[1], rtol=2e-2)
    for mine, theirs in zip(weights, expected[0], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=5e-3)
