"""Figures of a classifier that may give each example any number of labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn.metrics

from tfpretune.errors import RunError


def multi_label_metrics(
    truth: Any, probabilities: Any, class_names: Sequence[str], *, threshold: float = 0.5
) -> dict[str, float]:
    """Figures of one set of examples, equal to scikit-learn's.

    Args:
        truth: 0 or 1 `(n, labels)`; -1 where it is not known whether the label fits: such places do not count.
        probabilities: floats in [0, 1] `(n, labels)`.
        class_names: the labels.
        threshold: a label is given from this probability on, as it is served.

    Returns:
        `examples`; `f1`, `precision` and `recall` with `_micro` over all places, with `_macro` as the mean over the labels and
        `/NAME` of each label; 0/0 counts as 0. `support/NAME`. `subset_accuracy`, the fraction of the examples of which all
        known labels are right; `hamming_loss`, the fraction of wrong places. For each label that fits some examples and not
        others `roc_auc/NAME` and `average_precision/NAME`, whose means are `roc_auc_macro` and `average_precision_macro`.

    Raises:
        ValueError: wrong shapes or ranges.
        RunError: a probability is not a finite number.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import multi_label_metrics
        >>> truth, said = np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.1], [0.8, 0.2]])
        >>> metrics = multi_label_metrics(truth, said, ("price", "delivery"))
        >>> metrics["subset_accuracy"], metrics["hamming_loss"], round(metrics["f1_micro"], 3)  # 2 * 2 / (2 + 3)
        (0.5, 0.25, 0.8)
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities, np.float64)
    if truth.ndim != 2 or truth.shape != probabilities.shape or truth.shape[1] != len(class_names) or not len(truth):
        raise ValueError(
            f"expected truth and probabilities (n, {len(class_names)}) with n > 0, "
            f"received {truth.shape} and {probabilities.shape}"
        )
    if not np.isin(truth, (-1, 0, 1)).all():
        raise ValueError("truth: expected 0, 1, or -1 for not known")
    if not np.isfinite(probabilities).all():
        raise RunError("probabilities: received nan or inf: train again, with a lower learning rate")
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(f"probabilities: expected 0 to 1, received {probabilities.min():g} to {probabilities.max():g}")
    known, given, fits = truth >= 0, probabilities >= threshold, truth == 1
    right, found, there = ((cells & known).sum(axis=0) for cells in (given & fits, given, fits))
    wrong = (given != fits) & known
    per_label = {
        "precision": right / np.maximum(found, 1),
        "recall": right / np.maximum(there, 1),
        "f1": 2 * right / np.maximum(found + there, 1),
    }
    figures = {
        "examples": float(len(truth)),
        "f1_micro": float(2 * right.sum() / max(found.sum() + there.sum(), 1)),
        "precision_micro": float(right.sum() / max(found.sum(), 1)),
        "recall_micro": float(right.sum() / max(there.sum(), 1)),
        **{f"{figure}_macro": float(values.mean()) for figure, values in per_label.items()},
        "subset_accuracy": float(1 - wrong.any(axis=1).mean()),
        "hamming_loss": float(wrong.sum() / max(known.sum(), 1)),
    }
    for figure, values in per_label.items():
        figures |= {f"{figure}/{name}": float(value) for name, value in zip(class_names, values, strict=True)}
    figures |= {f"support/{name}": float(value) for name, value in zip(class_names, there, strict=True)}
    return figures | _areas(fits, probabilities, known, class_names)


def best_threshold(truth: Any, probabilities: Any) -> float:
    """Returns the one threshold for all labels with the highest micro F1, in (0, 1). Not for the test set: it chooses.

    One for all, as it is served: with one for each label rare labels would be cut by a handful of examples. Of thresholds with
    the same F1 it is the one nearest to 0.5; it lies midway between two probabilities.

    Args:
        truth: as `multi_label_metrics` takes it.
        probabilities: as `multi_label_metrics` takes them.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import best_threshold
        >>> probabilities = np.array([[0.1], [0.2], [0.4], [0.8]])
        >>> round(best_threshold(np.array([[0], [0], [1], [1]]), probabilities), 3)  # midway between 0.2 and 0.4
        0.3
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities, np.float64)
    values, place = np.unique(probabilities[truth >= 0], return_inverse=True)
    there = int((truth == 1).sum())
    if not there:
        return 0.5
    all_given = np.bincount(place, minlength=len(values))[::-1].cumsum()[::-1]  # from each value on
    right = np.bincount(place, truth[truth >= 0] == 1, len(values))[::-1].cumsum()[::-1]
    f1 = 2 * right / (all_given + there)
    low = np.concatenate([[0.0], values[:-1]])
    middles = np.clip((low + values) / 2, 1e-6, 1 - 1e-6)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middles[best[np.abs(middles[best] - 0.5).argmin()]])


def _areas(fits: np.ndarray, probabilities: np.ndarray, known: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    areas: dict[str, dict[str, float]] = {"roc_auc": {}, "average_precision": {}}
    for number, name in enumerate(names):
        rows = known[:, number]
        labels, scores = fits[rows, number], probabilities[rows, number]
        if labels.any() and not labels.all():
            areas["roc_auc"][name] = float(sklearn.metrics.roc_auc_score(labels, scores))
            areas["average_precision"][name] = float(sklearn.metrics.average_precision_score(labels, scores))
    figures = {f"{kind}/{name}": value for kind, values in areas.items() for name, value in values.items()}
    means = {f"{kind}_macro": sum(values.values()) / len(values) for kind, values in areas.items() if values}
    return figures | means
