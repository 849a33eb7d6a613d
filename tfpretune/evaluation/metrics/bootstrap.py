"""How far the figures would move on another test set of the same size."""

import numpy as np


def bootstrap_intervals(
    confusion: np.ndarray, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap of accuracy and macro F1 (Efron and Tibshirani 1993, section 13.3).

    Both figures depend on the confusion matrix alone, and drawing n examples with replacement draws its cells from a
    multinomial distribution. So the matrices are drawn, not the examples: the same distribution, much less work.

    Args:
        confusion: int `(C, C)`, true classes in rows, predicted classes in columns; at least one example.
        resamples: number of redrawn test sets.
        level: fraction of the resamples inside the interval, in (0, 1).
        seed: the same matrix and seed give the same interval.

    Returns:
        `{"accuracy": (low, high), "f1_macro": (low, high)}`.

    Raises:
        ValueError: the matrix is not square, has a negative count, or is empty.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import bootstrap_intervals
        >>> low, high = bootstrap_intervals(np.array([[40, 10], [5, 45]]))["accuracy"]
        >>> 0.7 < low < 0.85 < high < 0.95  # 85 of 100 are right: the standard error is 0.036
        True
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1] or confusion.min() < 0 or not confusion.any():
        raise ValueError(f"confusion: expected counts (C, C) >= 0, at least one > 0, received shape {confusion.shape}")
    if not 0.0 < level < 1.0 or resamples < 1:
        raise ValueError(f"expected level in (0, 1) and resamples >= 1, received {level} and {resamples}")
    rows, columns = np.nonzero(confusion)
    total = confusion.sum()
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(total, confusion[rows, columns] / total, size=resamples)  # (resamples, cells)
    classes = np.arange(len(confusion))
    true, predicted = draws @ (rows[:, None] == classes), draws @ (columns[:, None] == classes)  # (resamples, C)
    right = (draws * (rows == columns)) @ (rows[:, None] == classes)
    occurs = true + predicted > 0
    f1 = 2 * right / np.where(occurs, true + predicted, 1)
    values = {"accuracy": right.sum(axis=1) / total, "f1_macro": f1.sum(axis=1) / occurs.sum(axis=1)}
    tail = 50 * (1 - level)
    return {name: _percentiles(value, tail) for name, value in values.items()}


def _percentiles(values: np.ndarray, tail: float) -> tuple[float, float]:
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
