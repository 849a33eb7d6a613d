import numpy as np
import pytest
import sklearn.metrics

from tfpretune.errors import RunError
from tfpretune.evaluation.metrics.classification import check_predictions, classification_metrics, confusion_matrix

LABELS = np.array([0, 0, 1, 2, 1])
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]]
)  # predicted 0, 1, 1, 2, 0
NAMES = ("cat", "dog", "猫头鹰")


def random_predictions(num_classes, *, n=300, dtype=np.float64):
    generator = np.random.default_rng(3)
    labels = generator.integers(0, num_classes, n)
    logits = generator.normal(size=(n, num_classes))
    logits[np.arange(n), labels] += 1.0
    probabilities = np.exp(logits)
    return labels, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(dtype)


def test_confusion_matrix_worked_by_hand():
    np.testing.assert_array_equal(confusion_matrix(LABELS, PROBABILITIES), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])


def test_metrics_worked_by_hand():
    metrics = classification_metrics(LABELS, PROBABILITIES, NAMES)
    assert metrics["examples"] == 5
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    assert [metrics[f"precision/{name}"] for name in NAMES] == pytest.approx([1 / 2, 1 / 2, 1])
    assert [metrics[f"recall/{name}"] for name in NAMES] == pytest.approx([1 / 2, 1 / 2, 1])
    assert metrics["f1_macro"] == pytest.approx(2 / 3)
    assert [metrics[f"support/{name}"] for name in NAMES] == [2, 2, 1]
    # "cat" scores .7 and .2 against .1, .3, .6: 4 of the 6 pairs are in the right order
    assert metrics["roc_auc/cat"] == pytest.approx(4 / 6)
    # "cat" in falling order: right, wrong, wrong, right, wrong: precision 1 at the first, 2/4 at the second
    assert metrics["average_precision/cat"] == pytest.approx((1 + 2 / 4) / 2)
    assert metrics["log_loss"] == pytest.approx(-np.log([0.7, 0.2, 0.8, 0.4, 0.3]).mean())
    assert metrics["accuracy_low"] <= metrics["accuracy"] <= metrics["accuracy_high"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_classes", [2, 5])
def test_metrics_equal_scikit_learn(num_classes, dtype):
    labels, probabilities = random_predictions(num_classes, dtype=dtype)
    predicted = probabilities.argmax(axis=1)
    names = [f"c{i}" for i in range(num_classes)]
    metrics = classification_metrics(labels, probabilities, names)
    scores = probabilities[:, 1] if num_classes == 2 else probabilities
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "precision_macro": sklearn.metrics.precision_score(labels, predicted, average="macro"),
        "recall_macro": sklearn.metrics.recall_score(labels, predicted, average="macro"),
        "f1_macro": sklearn.metrics.f1_score(labels, predicted, average="macro"),
        "roc_auc_macro": sklearn.metrics.roc_auc_score(labels, scores, multi_class="ovr"),
        "average_precision_macro": sklearn.metrics.average_precision_score(np.eye(num_classes)[labels], probabilities),
        "log_loss": sklearn.metrics.log_loss(labels, probabilities),
    }
    expected |= dict(
        zip([f"f1/{n}" for n in names], sklearn.metrics.f1_score(labels, predicted, average=None), strict=True)
    )
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert all(type(value) is float and np.isfinite(value) for value in metrics.values())


def test_float32_probability_of_zero_costs_what_scikit_learn_says():
    labels, probabilities = np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    expected = sklearn.metrics.log_loss(labels, probabilities)
    assert classification_metrics(labels, probabilities, "ab")["log_loss"] == pytest.approx(expected)


def test_classes_that_never_occur_have_no_curve_and_do_not_count():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    metrics = classification_metrics([0, 1, 1], probabilities, NAMES)
    assert "roc_auc/猫头鹰" not in metrics
    assert metrics["support/猫头鹰"] == 0
    assert metrics["f1_macro"] == pytest.approx(sklearn.metrics.f1_score([0, 1, 1], [0, 1, 0], average="macro"))
    assert metrics["roc_auc_macro"] == pytest.approx((metrics["roc_auc/cat"] + metrics["roc_auc/dog"]) / 2)


def test_one_class_only_has_no_area_at_all():
    metrics = classification_metrics([1, 1], [[0.2, 0.8], [0.6, 0.4]], ("a", "b"))
    assert metrics["accuracy"] == 0.5
    assert not [name for name in metrics if "auc" in name or "average_precision" in name]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_dead_model_is_refused(bad):
    probabilities = PROBABILITIES.copy()
    probabilities[3] = bad
    with pytest.raises(RunError, match=r"nan or inf in 1 of 5 rows, first in row 3; a dead NaN model"):
        classification_metrics(LABELS, probabilities, NAMES)


@pytest.mark.parametrize(
    ("labels", "probabilities", "names", "message"),
    [
        (LABELS, PROBABILITIES[:, :2], NAMES, r"expected shape \(5, 3\), received \(5, 2\)"),
        (LABELS, PROBABILITIES[:4], NAMES, r"expected shape \(5, 3\), received \(4, 3\)"),
        (LABELS.astype(float), PROBABILITIES, NAMES, r"expected integers \(n,\) .* received float64"),
        (LABELS[:0], PROBABILITIES[:0], NAMES, r"with n > 0, received int64 \(0,\)"),
        (LABELS + 1, PROBABILITIES, NAMES, "expected 0 to 2, received 3 in row 3"),
        (LABELS - 1, PROBABILITIES, NAMES, "expected 0 to 2, received -1 in row 0"),
        (LABELS, PROBABILITIES * 3, NAMES, r"softmax of the logits\), received sum 3 "),
        (LABELS, PROBABILITIES - [0.5, 0.0, -0.5], NAMES, "minimum -0.3 in row 1"),
        (LABELS, PROBABILITIES, ("cat", "dog", "dog"), "at least 2 different names"),
    ],
)
def test_wrong_arguments_are_named(labels, probabilities, names, message):
    with pytest.raises(ValueError, match=message):
        classification_metrics(labels, probabilities, names)


def test_rows_are_made_to_sum_to_one():
    _, rows = check_predictions([0, 1], np.array([[0.6004, 0.4], [0.1, 0.8996]]), ("a", "b"))
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, rtol=1e-15)
