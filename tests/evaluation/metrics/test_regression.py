import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from tfpretune.errors import RunError
from tfpretune.evaluation.metrics.regression import ranks, regression_metrics


def test_by_hand():
    """Errors 0, 1, 0, -1; the true variance is 5/4. Ranks 1 2 3 4 and 1 3.5 2 3.5 (with 3, 3 shared)."""
    figures = regression_metrics([1, 2, 3, 4], [1, 3, 3, 3])
    assert figures == pytest.approx(
        {
            "examples": 4,
            "mean_squared_error": 0.5,
            "root_mean_squared_error": 0.5**0.5,
            "mean_absolute_error": 0.5,
            "r2": 1 - 0.5 / 1.25,
            "pearson": 3 / (5 * 3) ** 0.5,
            "spearman": 3 / (5 * 3) ** 0.5,
        }
    )
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1, 3.5, 2]


def test_equal_to_scikit_learn_and_scipy():
    rng = np.random.default_rng(0)
    truth = np.round(rng.normal(size=200), 1)  # with equal ones
    predicted = np.round(truth + rng.normal(size=200), 1)
    figures = regression_metrics(truth, predicted)
    assert figures["mean_squared_error"] == pytest.approx(sklearn.metrics.mean_squared_error(truth, predicted))
    assert figures["mean_absolute_error"] == pytest.approx(sklearn.metrics.mean_absolute_error(truth, predicted))
    assert figures["r2"] == pytest.approx(sklearn.metrics.r2_score(truth, predicted))
    assert figures["pearson"] == pytest.approx(scipy.stats.pearsonr(truth, predicted).statistic)
    assert figures["spearman"] == pytest.approx(scipy.stats.spearmanr(truth, predicted).statistic)


def test_constants_have_no_correlation():
    assert {"r2", "pearson", "spearman"}.isdisjoint(regression_metrics([1, 1], [1, 2]))
    assert regression_metrics([1, 3], [2, 2]).keys() & {"r2", "pearson", "spearman"} == {"r2"}


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"received \(2,\) and \(1,\)"):
        regression_metrics([1, 2], [1])
    with pytest.raises(RunError, match="received nan or inf in 1 of 2 rows, first in row 1"):
        regression_metrics([1, 2], [1, np.nan])
