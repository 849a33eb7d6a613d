"""Figures of a classifier as one flat dict, and the checks that stand before them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn.metrics

from tfpretune.data.examples.examples import Examples
from tfpretune.errors import RunError
from tfpretune.evaluation.metrics.bootstrap import bootstrap_intervals
from tfpretune.evaluation.metrics.calibration import reliability_bins

ROW_SUM_TOLERANCE = 1e-3


def check_predictions(labels: Any, probabilities: Any, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Checks labels and probabilities against each other and makes every row sum to 1 exactly.

    Args:
        labels: int `(n,)`, each in [0, C).
        probabilities: float `(n, C)`, each row sums to 1 within 1e-3.
        class_names: C different names.

    Returns:
        Labels as int64 `(n,)` and probabilities `(n, C)`: float32 stays float32, all else becomes float64.

    Raises:
        ValueError: wrong shapes, types or ranges.
        RunError: a probability is not a finite number.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    names = tuple(class_names)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"class_names: expected at least 2 different names, received {names}")
    if labels.ndim != 1 or not len(labels) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels: expected integers (n,) with n > 0, received {labels.dtype} {labels.shape}")
    if probabilities.shape != (len(labels), len(names)):
        raise ValueError(f"probabilities: expected shape {(len(labels), len(names))}, received {probabilities.shape}")
    outside = np.flatnonzero((labels < 0) | (labels >= len(names)))
    if len(outside):
        at, received = outside[0], labels[outside[0]]
        raise ValueError(f"labels: expected 0 to {len(names) - 1}, received {received} in row {at}")
    return labels.astype(np.int64), _check_rows(probabilities)


def _check_rows(probabilities: np.ndarray) -> np.ndarray:
    """Returns the rows divided by their sum; refuses what is not a distribution."""
    dtype = np.float32 if probabilities.dtype == np.float32 else np.float64
    rows = probabilities.astype(np.float64)
    dead = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(dead):
        raise RunError(
            f"probabilities: expected finite numbers, received nan or inf in {len(dead)} of {len(rows)} rows, first "
            f"in row {dead[0]}; a dead NaN model can report accuracy 1.0: train again, with a lower learning rate"
        )
    sums = rows.sum(axis=1)
    wrong = np.flatnonzero((np.abs(sums - 1) > ROW_SUM_TOLERANCE) | (rows < 0).any(axis=1))
    if len(wrong):
        raise ValueError(
            f"probabilities: expected rows >= 0 that sum to 1 (softmax of the logits), received sum "
            f"{sums[wrong[0]]:.6g} and minimum {rows[wrong[0]].min():.6g} in row {wrong[0]}"
        )
    return (rows / sums[:, np.newaxis]).astype(dtype)


def confusion_matrix(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts predictions: int64 `(C, C)`, a row for each true class, a column for each predicted class."""
    classes = range(probabilities.shape[1])
    return sklearn.metrics.confusion_matrix(labels, probabilities.argmax(axis=1), labels=classes)


def classification_metrics(labels: Any, probabilities: Any, class_names: Sequence[str]) -> dict[str, float]:
    """Figures of a classifier on one set of examples, equal to scikit-learn's.

    Precision, recall and F1 are 0 where they are 0/0. Their macro means go over the classes that occur among the labels
    or the predictions, as scikit-learn's do. Areas under curves are one class against the rest; a class without
    positives or without negatives has none, so its key is absent and the macro mean goes over the others.

    Args:
        labels: int `(n,)`, each in [0, C).
        probabilities: float `(n, C)`, rows sum to 1.
        class_names: C different names.

    Returns:
        name -> number: `examples`, `accuracy` and `f1_macro`, both with `_low` and `_high` (95 % bootstrap interval),
        `precision_macro`, `recall_macro`, `roc_auc_macro`, `average_precision_macro`, `log_loss`, `ece` (Guo et al.
        2017, arXiv:1706.04599, section 2, 15 bins), and for each class `precision/NAME`, `recall/NAME`, `f1/NAME`,
        `support/NAME`, `roc_auc/NAME`, `average_precision/NAME`.

    Raises:
        ValueError: wrong shapes, types or ranges.
        RunError: a probability is not a finite number.

    Examples:
        >>> from tfpretune.evaluation import classification_metrics
        >>> probabilities = [[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]]  # they say no, no, no, yes
        >>> metrics = classification_metrics([0, 0, 1, 1], probabilities, ("no", "yes"))
        >>> {name: round(metrics[name], 3) for name in ("accuracy", "precision/no", "recall/no", "recall/yes")}
        {'accuracy': 0.75, 'precision/no': 0.667, 'recall/no': 1.0, 'recall/yes': 0.5}
    """
    labels, probabilities = check_predictions(labels, probabilities, class_names)
    confusion = confusion_matrix(labels, probabilities)
    metrics = {"examples": float(len(labels)), "accuracy": float(confusion.trace() / len(labels))}
    per_class = _decided(labels, probabilities)
    areas = _areas(labels, probabilities)
    occurs = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    for name in ("precision", "recall", "f1"):
        metrics[f"{name}_macro"] = float(per_class[name][occurs].mean())
    for name, values in areas.items():
        if not np.isnan(values).all():
            metrics[f"{name}_macro"] = float(np.nanmean(values))
    metrics["log_loss"] = float(sklearn.metrics.log_loss(labels, probabilities, labels=range(len(class_names))))
    metrics["ece"] = reliability_bins(labels, probabilities).ece
    for name, (low, high) in bootstrap_intervals(confusion).items():
        metrics |= {f"{name}_low": low, f"{name}_high": high}
    for name, values in (per_class | areas).items():
        metrics |= {f"{name}/{c}": float(v) for c, v in zip(class_names, values, strict=True) if not np.isnan(v)}
    return metrics


def _decided(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of the most probable class: name -> `(C,)`."""
    values = sklearn.metrics.precision_recall_fscore_support(
        labels, probabilities.argmax(axis=1), labels=range(probabilities.shape[1]), average=None, zero_division=0
    )
    return dict(zip(("precision", "recall", "f1", "support"), values, strict=True))


def _areas(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Areas under the ROC and the precision-recall curve: name -> `(C,)`, nan where a class has none."""
    areas = {name: np.full(probabilities.shape[1], np.nan) for name in ("roc_auc", "average_precision")}
    for c in range(probabilities.shape[1]):
        positive = labels == c
        if positive.any() and not positive.all():
            areas["roc_auc"][c] = sklearn.metrics.roc_auc_score(positive, probabilities[:, c])
            areas["average_precision"][c] = sklearn.metrics.average_precision_score(positive, probabilities[:, c])
    return areas


def accuracy(probabilities: np.ndarray, examples: Examples) -> float:
    """Returns the fraction of the examples whose most probable class is right.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import Examples
        >>> from tfpretune.evaluation import accuracy
        >>> examples = Examples("text", ["a", "b"], np.array([0, 1], "int32"), ("no", "yes"), ["mine:1", "mine:2"], "mine")
        >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]]), examples)
        0.5
    """
    return float((probabilities.argmax(axis=1) == examples.known_labels).mean())
