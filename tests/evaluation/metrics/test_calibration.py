import numpy as np
import pytest

from tfpretune.evaluation.metrics.calibration import reliability_bins
from tfpretune.evaluation.metrics.classification import classification_metrics


def test_four_rows_worked_by_hand():
    # Confidences .6 (right), .7 (wrong), .9 (right), 1.0 (right); 2 bins would hold all in the second, 5 bins hold
    # .6 in (.4, .6], .7 in (.6, .8], .9 and 1.0 in (.8, 1].
    labels = np.array([0, 1, 0, 1])
    probabilities = np.array([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1], [0.0, 1.0]])
    bins = reliability_bins(labels, probabilities, num_bins=5)
    np.testing.assert_array_equal(bins.count, [0, 0, 1, 1, 2])
    np.testing.assert_allclose(bins.confidence, [np.nan, np.nan, 0.6, 0.7, 0.95])
    np.testing.assert_allclose(bins.accuracy, [np.nan, np.nan, 1.0, 0.0, 1.0])
    # (1 * |1 - .6| + 1 * |0 - .7| + 2 * |1 - .95|) / 4 = (.4 + .7 + .1) / 4
    assert bins.ece == pytest.approx(0.3)
    # One bin: |3/4 - .8|
    assert reliability_bins(labels, probabilities, num_bins=1).ece == pytest.approx(0.05)


def test_metrics_use_15_bins():
    labels, probabilities = np.array([0, 1, 1]), np.array([[0.65, 0.35], [0.66, 0.34], [0.1, 0.9]])
    # 15 bins: .65 and .66 both in (9/15, 10/15], .9 in (13/15, 14/15]: (2 * |.5 - .655| + |1 - .9|) / 3
    assert classification_metrics(labels, probabilities, "ab")["ece"] == pytest.approx((2 * 0.155 + 0.1) / 3)


def test_perfectly_calibrated_is_zero():
    labels = np.array([0, 0, 0, 1])
    assert reliability_bins(labels, np.full((4, 2), [0.75, 0.25])).ece == 0.0


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"received \(3,\), \(2, 2\) and 15"):
        reliability_bins(np.zeros(3, int), np.ones((2, 2)) / 2)
