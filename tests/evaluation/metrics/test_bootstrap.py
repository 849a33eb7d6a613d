import numpy as np
import pytest

from tfpretune.evaluation.metrics.bootstrap import bootstrap_intervals


def test_interval_of_accuracy_is_the_one_of_the_binomial():
    # 80 of 100 right: the standard error is sqrt(.8 * .2 / 100) = .04, so about .8 - 1.96 * .04 to .8 + 1.96 * .04
    low, high = bootstrap_intervals(np.array([[40, 10], [10, 40]]))["accuracy"]
    assert (low, high) == pytest.approx((0.72, 0.88), abs=0.015)


def test_drawing_matrices_equals_drawing_examples():
    confusion = np.array([[30, 5, 0], [4, 20, 6], [1, 2, 7]])
    labels, predicted = np.repeat(np.stack(np.nonzero(confusion)), confusion[confusion > 0], axis=1)
    generator = np.random.default_rng(1)
    scores = []
    for _ in range(2000):
        rows = generator.integers(0, len(labels), len(labels))
        matrix = np.zeros((3, 3))
        np.add.at(matrix, (labels[rows], predicted[rows]), 1)
        scores.append(np.mean(2 * matrix.diagonal() / (matrix.sum(axis=0) + matrix.sum(axis=1))))
    interval = bootstrap_intervals(confusion, resamples=2000)["f1_macro"]
    assert interval == pytest.approx(np.percentile(scores, [2.5, 97.5]), abs=0.01)


def test_same_seed_same_interval():
    confusion = np.array([[8, 2], [3, 7]])
    assert bootstrap_intervals(confusion) == bootstrap_intervals(confusion)
    assert bootstrap_intervals(confusion) != bootstrap_intervals(confusion, seed=1)


def test_all_right_has_no_width():
    assert bootstrap_intervals(np.diag([5, 0, 7])) == {"accuracy": (1.0, 1.0), "f1_macro": (1.0, 1.0)}


@pytest.mark.parametrize("confusion", [np.zeros((2, 2), int), np.ones((2, 3), int), np.array([[1, -1], [0, 1]])])
def test_no_confusion_matrix_is_refused(confusion):
    with pytest.raises(ValueError, match=r"expected counts \(C, C\)"):
        bootstrap_intervals(confusion)


def test_level_is_checked():
    with pytest.raises(ValueError, match="received 95 and 1000"):
        bootstrap_intervals(np.eye(2, dtype=int), level=95)
