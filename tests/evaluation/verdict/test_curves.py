"""The rules about losses, each on curves drawn by hand."""

import pytest

from tfpretune.evaluation.verdict.curves import overfitting_since, say_of_curves, still_falling


def curve(*values):
    return [(10 * (place + 1), value) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "falling"),
    [
        ((2.0, 1.6, 1.3, 1.1, 1.0), True),
        ((9.0, 1.0, 9.0, 1.0, 9.0, 1.6, 1.3, 1.1, 1.05, 1.0), True),  # the later half alone counts
        ((2.0, 1.6, 1.3, 1.1), False),  # too few to tell
        ((2.0, 1.2, 1.0, 0.999, 0.998), False),  # settled
        ((2.0, 1.6, 1.3, 1.0, 1.1), False),  # the last is not the lowest
        ((2.0, 1.0, 2.0, 1.3, 0.9), False),  # no trend: Kendall's p is 0.23
        ((), False),
    ],
)
def test_still_falling(values, falling):
    assert still_falling(curve(*values)) is falling


TRAINING = [(step, 1.0 / step) for step in range(5, 65, 5)]


@pytest.mark.parametrize(
    ("training", "validation", "since"),
    [
        (TRAINING, (0.9, 0.6, 0.65, 0.7, 0.8), 20),
        (TRAINING, (0.9, 0.6, 0.65, 0.8), None),  # two points behind the lowest are too few
        (TRAINING, (0.9, 0.6, 0.61, 0.62, 0.62), None),  # 3 %
        (TRAINING, (0.9, 0.6, 0.8, 0.62, 0.7, 0.64), None),  # up and down
        ([(10, 0.5), (60, 0.9)], (0.9, 0.6, 0.65, 0.7, 0.8), None),  # the training loss rises, too: it diverges
        ([], (0.9, 0.6, 0.65, 0.7, 0.8), None),
        (TRAINING, (), None),
    ],
)
def test_overfitting_since(training, validation, since):
    assert overfitting_since(training, curve(*validation)) == since


def test_what_is_said():
    rising = curve(0.9, 0.6, 0.65, 0.7, 0.8)
    said = "Over-fitting since step 20: the validation loss rose from 0.6 to 0.8 while the training loss fell."
    assert say_of_curves(TRAINING, rising) == [said]
    assert say_of_curves(TRAINING, rising, kept=30) == [f"{said} The weights of step 30 are kept."]
    assert say_of_curves(TRAINING, rising, kept=50) == [said]
    assert "train longer" in say_of_curves(TRAINING, curve(2.0, 1.6, 1.3, 1.1, 1.0))[0]
    assert say_of_curves(TRAINING, curve(1.0, 1.0, 1.0, 1.0, 1.0)) == []
