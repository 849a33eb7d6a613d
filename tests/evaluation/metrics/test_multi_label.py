import numpy as np
import pytest
import sklearn.metrics

from tfpretune.errors import RunError
from tfpretune.evaluation.metrics.multi_label import best_threshold, multi_label_metrics

NAMES = ("a", "b", "c")


def test_by_hand():
    """Of a: 1 right of 2 given, 1 there. Of b: 1 right, 2 there. Of c: none there, the last one unknown."""
    truth = [[1, 1, 0], [0, 1, 0], [0, 0, -1]]
    probabilities = [[0.9, 0.4, 0.1], [0.8, 0.7, 0.2], [0.4, 0.3, 0.9]]
    figures = multi_label_metrics(truth, probabilities, NAMES)
    expected = {"examples": 3, "f1/a": 2 / 3, "f1/b": 2 / 3, "f1/c": 0, "f1_macro": 4 / 9}
    expected |= {"precision/a": 1 / 2, "precision/b": 1, "precision/c": 0, "precision_macro": 1 / 2}
    expected |= {"recall/a": 1, "recall/b": 1 / 2, "recall/c": 0, "recall_macro": 1 / 2}
    expected |= {"precision_micro": 2 / 3, "recall_micro": 2 / 3, "f1_micro": 2 / 3}
    expected |= {"subset_accuracy": 1 / 3, "hamming_loss": 2 / 8, "support/a": 1, "support/b": 2, "support/c": 0}
    expected |= {"roc_auc/a": 1, "average_precision/a": 1, "roc_auc/b": 1, "average_precision/b": 1}
    assert figures == pytest.approx(expected | {"roc_auc_macro": 1, "average_precision_macro": 1})


def test_equal_to_scikit_learn():
    rng = np.random.default_rng(0)
    truth, probabilities = rng.integers(0, 2, (60, 3)), rng.random((60, 3))
    figures, given = multi_label_metrics(truth, probabilities, NAMES, threshold=0.4), probabilities > 0.4
    for average in ("micro", "macro"):
        assert figures[f"f1_{average}"] == pytest.approx(sklearn.metrics.f1_score(truth, given, average=average))
        for figure in ("precision", "recall"):
            score = getattr(sklearn.metrics, f"{figure}_score")
            assert figures[f"{figure}_{average}"] == pytest.approx(score(truth, given, average=average))
    assert figures["subset_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(truth, given))
    assert figures["hamming_loss"] == pytest.approx(sklearn.metrics.hamming_loss(truth, given))
    assert figures["roc_auc_macro"] == pytest.approx(
        sklearn.metrics.roc_auc_score(truth, probabilities, average="macro")
    )
    expected = sklearn.metrics.average_precision_score(truth, probabilities, average="macro")
    assert figures["average_precision_macro"] == pytest.approx(expected)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"expected truth and probabilities \(n, 3\)"):
        multi_label_metrics([[1, 0]], [[0.5, 0.5]], NAMES)
    with pytest.raises(ValueError, match="expected 0, 1, or -1"):
        multi_label_metrics([[2, 0, 0]], [[0.5] * 3], NAMES)
    with pytest.raises(ValueError, match="expected 0 to 1, received 0.5 to 1.5"):
        multi_label_metrics([[1, 0, 0]], [[0.5, 1.5, 0.5]], NAMES)
    with pytest.raises(RunError, match="received nan or inf"):
        multi_label_metrics([[1, 0, 0]], [[0.5, np.nan, 0.5]], NAMES)


def test_the_threshold_with_the_best_f1():
    """Worked by hand: from 0.3 on four of the five labels that fit are found, and one that does not."""
    truth = [[1, 0], [1, 1], [0, 1], [0, 1]]
    probabilities = [[0.9, 0.2], [0.8, 0.4], [0.6, 0.3], [0.1, 0.05]]
    assert best_threshold(truth, probabilities) == pytest.approx(0.25)
    given = multi_label_metrics(truth, probabilities, NAMES[:2], threshold=0.25)
    assert given["f1_micro"] == pytest.approx(2 * 4 / (5 + 5))
    tried = [
        multi_label_metrics(truth, probabilities, NAMES[:2], threshold=t)["f1_micro"] for t in np.arange(0.01, 1, 0.01)
    ]
    assert max(tried) == pytest.approx(given["f1_micro"])


def test_thresholds_where_little_is_known():
    """What is not known does not count; without a label that fits it is 0.5; it always lies in (0, 1)."""
    assert best_threshold([[1], [0]], [[0.99], [0.01]]) == pytest.approx(0.5)
    assert best_threshold([[1], [-1], [0]], [[0.8], [0.9], [0.4]]) == pytest.approx(0.6)
    assert best_threshold([[0], [0]], [[0.8], [0.9]]) == 0.5
    assert 0 < best_threshold([[1], [1]], [[0.0], [0.0]]) < 1


def test_a_label_is_given_from_the_threshold_on():
    """As the served model gives it."""
    assert multi_label_metrics([[1, 0, 1]], [[0.5, 0.4, 0.6]], NAMES, threshold=0.5)["f1_micro"] == 1
