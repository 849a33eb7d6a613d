"""Intervals of out-of-fold predictions beside SciPy's, a bootstrap by hand, and the figures that reports have."""

import numpy as np
import pytest
import scipy.stats

from tfpretune.evaluation.metrics.classification import classification_metrics
from tfpretune.evaluation.metrics.multi_label import multi_label_metrics
from tfpretune.evaluation.metrics.out_of_fold import (
    RESAMPLES,
    _class_f1,
    bootstrap_over_examples,
    class_intervals,
    number_intervals,
    set_intervals,
    wilson_interval,
)
from tfpretune.evaluation.metrics.regression import regression_metrics

random = np.random.default_rng(0)


@pytest.mark.parametrize(("right", "count"), [(13, 16), (16, 16), (0, 7), (150, 199)])
def test_wilson_is_scipys(right, count):
    expected = scipy.stats.binomtest(right, count).proportion_ci(method="wilson")
    assert wilson_interval(right / count, count) == pytest.approx((expected.low, expected.high))


def test_the_accuracy_counts_examples_not_predictions():
    """Ten repeats that say the same tell no more than one; groups of near copies count once."""
    labels = np.arange(12) % 2
    said = np.eye(2)[np.where(np.arange(12) < 3, 1 - labels, labels)]
    once, often = (class_intervals(labels, np.tile(said, (n, 1, 1)), np.arange(12)) for n in (1, 10))
    assert once["accuracy"] == pytest.approx(wilson_interval(9 / 12, 12))
    assert often["accuracy"] == pytest.approx(once["accuracy"])
    assert once["f1_macro"] == pytest.approx(often["f1_macro"])
    paired = class_intervals(labels, said[np.newaxis], np.arange(12) // 2)
    assert paired["accuracy"] == pytest.approx(wilson_interval(9 / 12, 6))


def test_where_all_is_right_the_accuracy_has_an_interval_and_f1_has_none():
    labels = np.arange(16) % 2
    found = class_intervals(labels, np.eye(2)[labels][np.newaxis], np.arange(16))
    assert set(found) == {"accuracy"}
    assert found["accuracy"] == pytest.approx((0.806, 1.0), abs=1e-3)


def test_the_bootstrap_by_hand():
    """The mean of five numbers, by the same draws; percentiles of Hesterberg's rule."""
    values = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    sums = np.stack([values, np.ones(5)], axis=1)
    found = bootstrap_over_examples(sums, lambda drawn: {"mean": drawn[:, 0] / drawn[:, 1]}, np.arange(5))
    draws = np.random.default_rng(0).multinomial(5, np.full(5, 0.2), size=RESAMPLES)
    tail = 100 * scipy.stats.norm.cdf(-np.sqrt(5 / 4) * scipy.stats.t.ppf(0.975, 4))
    assert found["mean"] == pytest.approx(tuple(np.percentile(draws @ values / 5, [tail, 100 - tail])))
    assert tail < 0.1  # plain: 2.5
    assert bootstrap_over_examples(sums[:1], lambda drawn: {"mean": drawn[:, 0]}, np.zeros(1, int)) == {}


def whole(figures, sums):
    """The figure of all examples, each drawn once."""
    return {name: float(value[0]) for name, value in figures(sums.sum(axis=0, keepdims=True)).items()}


def test_the_figures_are_those_of_reports(monkeypatch):
    """What is resampled, taken whole, gives the figures of the pooled predictions."""
    seen = {}

    def note(sums, figures, groups, **_):
        seen.update(whole(figures, sums))
        return {}

    monkeypatch.setattr("tfpretune.evaluation.metrics.out_of_fold.bootstrap_over_examples", note)
    groups, labels = np.arange(30), random.integers(0, 3, 30)
    probabilities = random.dirichlet(np.ones(4), (2, 30))  # the last class is never true
    class_intervals(labels, probabilities, groups)
    pooled = classification_metrics(np.tile(labels, 2), probabilities.reshape(60, 4), "abcd")
    assert seen["f1_macro"] == pytest.approx(pooled["f1_macro"])
    sets, said = random.integers(-1, 2, (30, 3)), random.random((2, 30, 3))
    set_intervals(sets, said, groups, threshold=0.6)
    pooled = multi_label_metrics(np.tile(sets, (2, 1)), said.reshape(60, 3), "abc", threshold=0.6)
    assert (seen["f1_micro"], seen["f1_macro"]) == pytest.approx((pooled["f1_micro"], pooled["f1_macro"]))
    numbers, guessed = random.normal(50, 3, 30), random.normal(50, 3, (2, 30))
    number_intervals(numbers, guessed, groups)
    pooled = regression_metrics(np.tile(numbers, 2), guessed.reshape(60))
    for name in ("mean_absolute_error", "root_mean_squared_error", "r2"):
        assert seen[name] == pytest.approx(pooled[name])


def test_f1_of_a_class_that_a_draw_lacks_does_not_count():
    assert _class_f1(np.array([[2.0, 0, 2, 0, 2, 0]]))["f1_macro"] == pytest.approx([1.0])


def test_intervals_hold_the_figure():
    numbers = random.normal(0, 1, 40)
    found = number_intervals(numbers, numbers + random.normal(0, 0.5, (2, 40)), np.arange(40))
    assert found["r2"][0] < 0.75 < found["r2"][1] <= 1
    assert found["mean_absolute_error"][0] < 0.4 < found["mean_absolute_error"][1]
