"""Schedules at steps worked by hand."""

import math

import numpy as np
import pytest

from tfpretune.training.optimizers.schedules import WarmUp


def one_cycle(share):
    """Half a wave from 2 down to 2e-4."""
    return 2e-4 + (2 - 2e-4) * (1 + math.cos(math.pi * share)) / 2


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0]),
        ("linear", [0.5, 1.0, 1.5, 2.0, 2.0, 1.5, 1.0, 0.5]),
        ("cosine", [0.5, 1.0, 1.5, 2.0, 2.0, 1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5)]),
        ("exponential", [0.5, 1.0, 1.5, 2.0, 2.0, 2 * 0.01**0.25, 0.2, 2 * 0.01**0.75]),
        ("one_cycle", [0.08, 0.56, 1.04, 1.52, 2.0, one_cycle(0.25), one_cycle(0.5), one_cycle(0.75)]),
    ],
)
def test_schedules_by_hand(schedule, expected):
    """Peak 2, 8 steps, 4 of them warm-up: the falls stand at 0, 1/4, 1/2 and 3/4 of their way in steps 4 to 7."""
    rate = WarmUp(2.0, 8, warmup_steps=4, schedule=schedule)
    np.testing.assert_allclose([rate(step) for step in range(8)], expected, rtol=1e-6)


def test_after_the_last_step_the_rate_stays():
    for schedule, end in {
        "constant": 2.0,
        "linear": 0.0,
        "cosine": 0.0,
        "exponential": 0.02,
        "one_cycle": 2e-4,
    }.items():
        np.testing.assert_allclose(WarmUp(2.0, 8, warmup_steps=0, schedule=schedule)([8, 100]), [end, end], atol=1e-6)
    np.testing.assert_allclose(WarmUp(2.0, 8, warmup_steps=0, schedule="cosine")(0), 2.0)


def test_a_schedule_survives_its_config():
    rate = WarmUp(2.0, 8, warmup_steps=4, schedule="linear")
    assert WarmUp.from_config(rate.get_config())(5) == rate(5)
    with pytest.raises(ValueError, match="schedule must be one of constant, .*, one_cycle, received 'cos'"):
        WarmUp(2.0, 8, warmup_steps=4, schedule="cos")
