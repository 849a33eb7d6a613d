"""How far figures of out-of-fold predictions may be off: intervals over the examples, not over the predictions.

An example is predicted once in each repeat, and its predictions are much alike, so they count as one. No estimate of the
variance of cross-validation is free of bias (Bengio and Grandvalet 2004, JMLR 5, section 4); `benchmarks/fold_intervals.py`
tries how often the true accuracy lies in these intervals, and in others.
"""

from collections.abc import Callable

import numpy as np
import scipy.stats

Interval = tuple[float, float]
Figures = Callable[[np.ndarray], dict[str, np.ndarray]]
"""Sums over examples `(draws, sums)` -> name -> `(draws,)`."""
RESAMPLES = 1000


def wilson_interval(share: float, examples: int, *, level: float = 0.95) -> Interval:
    """Returns the score interval of a fraction (Wilson 1927; Brown, Cai and DasGupta 2001, section 3.1.1).

    It has a width where all answers are right, and stays in [0, 1]. For out-of-fold predictions the examples are counted,
    not the predictions: the mean over the repeats has no more variance than one of them.

    Args:
        share: of right answers, in [0, 1].
        examples: independent ones, at least 1.
        level: of confidence, in (0, 1).
    """
    z = scipy.stats.norm.ppf(0.5 + level / 2)
    middle = (share + z * z / (2 * examples)) / (1 + z * z / examples)
    half = z / (1 + z * z / examples) * np.sqrt(share * (1 - share) / examples + (z / (2 * examples)) ** 2)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def bootstrap_over_examples(
    sums: np.ndarray, figures: Figures, groups: np.ndarray, *, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Returns expanded percentile intervals of figures, from a bootstrap over groups of examples.

    Whole examples are drawn, with what each repeat said of them, as in Tsamardinos, Greasidou and Borboudakis 2018 (Machine
    Learning 107, section 3). The percentiles are moved out as far as Student's t lies outside of the normal distribution, and
    n / (n - 1), since with few examples plain ones are too narrow (Hesterberg 2015, The American Statistician 69, section 4.2).

    Args:
        sums: `(n, s)` for each example what figures are computed from, summed over the repeats.
        figures: from the sums over examples to the figures; where one is not a number, the draw does not count.
        groups: int `(n,)` from 0 on; examples of a group are drawn together.
        level: of confidence, in (0, 1).
        seed: the same sums and seed give the same intervals.

    Returns:
        name -> (low, high); without the figures that no draw changes, as where all answers are right: nothing is known then.
    """
    size = int(groups.max()) + 1
    if size < 2:
        return {}
    whole = np.zeros((size, sums.shape[1]))
    np.add.at(whole, groups, sums)
    draws = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=RESAMPLES)
    out = np.sqrt(size / (size - 1)) * scipy.stats.t.ppf(0.5 - level / 2, size - 1)
    tail = 100 * scipy.stats.norm.cdf(out)
    found = {}
    for name, values in figures(draws @ whole).items():
        values = values[np.isfinite(values)]
        if len(values) and values.min() < values.max():
            low, high = np.percentile(values, [tail, 100 - tail])
            found[name] = (float(low), float(high))
    return found


def class_intervals(labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray) -> dict[str, Interval]:
    """Returns intervals of accuracy (`wilson_interval`) and macro F1 (`bootstrap_over_examples`).

    Args:
        labels: int `(n,)`.
        probabilities: `(repeats, n, classes)`.
        groups: int `(n,)` from 0 on.
    """
    classes = probabilities.shape[2]
    said = np.eye(classes)[probabilities.argmax(2)].sum(0)  # (n, classes): how many repeats say each
    true = np.eye(classes)[labels] * len(probabilities)
    right = said * (true > 0)
    sums = np.concatenate([right, said, true], axis=1)
    share = float(right.sum() / true.sum())
    return {"accuracy": wilson_interval(share, int(groups.max()) + 1)} | bootstrap_over_examples(
        sums, _class_f1, groups
    )


def set_intervals(
    labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, *, threshold: float
) -> dict[str, Interval]:
    """Returns intervals of micro and macro F1 of labels that are sets.

    Args:
        labels: `(n, labels)` of 0 and 1, -1 where not known.
        probabilities: `(repeats, n, labels)`.
        groups: int `(n,)` from 0 on.
        threshold: a label is given from this probability on.
    """
    known = labels >= 0
    said = ((probabilities >= threshold) & known).sum(0)
    true = (labels == 1) * len(probabilities)
    return bootstrap_over_examples(np.concatenate([said * (labels == 1), said, true], axis=1), _set_f1, groups)


def number_intervals(labels: np.ndarray, numbers: np.ndarray, groups: np.ndarray) -> dict[str, Interval]:
    """Returns intervals of the mean absolute error, the root mean squared error and R2.

    Args:
        labels: `(n,)`.
        numbers: `(repeats, n)`.
        groups: int `(n,)` from 0 on.
    """
    truth = labels.astype(np.float64) - labels.mean(dtype=np.float64)  # R2 does not depend on where 0 is
    apart, repeats = numbers - labels, len(numbers)
    columns = (np.full(len(truth), repeats), np.abs(apart).sum(0), np.square(apart).sum(0))
    return bootstrap_over_examples(
        np.stack([*columns, repeats * truth, repeats * truth**2], axis=1), _number_figures, groups
    )


def _class_f1(sums: np.ndarray) -> dict[str, np.ndarray]:
    return {"f1_macro": _f1(sums)[1]}


def _set_f1(sums: np.ndarray) -> dict[str, np.ndarray]:
    right, said, true = np.split(sums, 3, axis=1)
    total = (said + true).sum(1)
    return {"f1_micro": 2 * right.sum(1) / np.where(total > 0, total, np.nan), "f1_macro": _f1(sums)[0]}


def _f1(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of F1 over all labels, and over those that are said or true."""
    right, said, true = np.split(sums, 3, axis=1)
    occurs = said + true > 0
    values = 2 * right / np.where(occurs, said + true, 1)
    return values.mean(1), values.sum(1) / occurs.sum(1)


def _number_figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    count, absolute, squared, total, squares = sums.T
    spread = squares - total**2 / count
    return {
        "mean_absolute_error": absolute / count,
        "root_mean_squared_error": np.sqrt(squared / count),
        "r2": 1 - squared / np.where(spread > 1e-9 * squares.max(), spread, np.nan),
    }
