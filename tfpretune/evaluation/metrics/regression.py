"""Figures of predicted numbers."""

from typing import Any

import numpy as np

from tfpretune.errors import RunError


def regression_metrics(truth: Any, predicted: Any) -> dict[str, float]:
    """Figures of numbers on one set of examples, equal to scikit-learn's and SciPy's.

    Args:
        truth: floats `(n,)`.
        predicted: floats `(n,)`.

    Returns:
        `examples`, `mean_squared_error`, `root_mean_squared_error`, `mean_absolute_error`; `r2`, the fraction of the variance
        that is explained, absent where all true numbers are equal; `pearson` and `spearman`, the correlations of the numbers
        and of their ranks, absent where either side is constant.

    Raises:
        ValueError: shapes that do not match, or no examples.
        RunError: a prediction is not a finite number.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import regression_metrics
        >>> metrics = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]))
        >>> {name: round(metrics[name], 3) for name in ("mean_absolute_error", "mean_squared_error", "r2", "spearman")}
        {'mean_absolute_error': 0.667, 'mean_squared_error': 1.333, 'r2': -1.0, 'spearman': 1.0}
    """
    truth, predicted = (np.asarray(values, np.float64) for values in (truth, predicted))
    if truth.ndim != 1 or truth.shape != predicted.shape or not len(truth):
        raise ValueError(f"expected two columns (n,) with n > 0, received {truth.shape} and {predicted.shape}")
    if not np.isfinite(truth).all():
        raise ValueError("truth: expected finite numbers, received nan or inf")
    dead = np.flatnonzero(~np.isfinite(predicted))
    if len(dead):
        raise RunError(
            f"predictions: received nan or inf in {len(dead)} of {len(truth)} rows, first in row {dead[0]}: train again, "
            "with a lower learning rate"
        )
    errors = predicted - truth
    squared = float((errors**2).mean())
    figures = {
        "examples": float(len(truth)),
        "mean_squared_error": squared,
        "root_mean_squared_error": squared**0.5,
        "mean_absolute_error": float(np.abs(errors).mean()),
    }
    if np.ptp(truth) > 0:
        figures["r2"] = 1.0 - squared / float(truth.var())
        if np.ptp(predicted) > 0:
            figures["pearson"] = _correlation(truth, predicted)
            figures["spearman"] = _correlation(ranks(truth), ranks(predicted))
    return figures


def ranks(values: np.ndarray) -> np.ndarray:
    """Returns the ranks of numbers from 1, float64 `(n,)`; equal ones share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[inverse]


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.clip(first @ second / scale, -1.0, 1.0)) if scale else 0.0
