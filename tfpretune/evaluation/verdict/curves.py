"""What the curves of the loss say: whether longer training would help, and since when a run over-fits."""

from collections.abc import Sequence

import scipy.stats

Points = Sequence[tuple[int, float]]
"""(step, value) pairs, in the order of the steps."""

FEWEST_POINTS = 5
"""A trend over fewer is not shown: of 4 points in order Kendall's test says p = 0.08."""
LEAST_CHANGE = 0.02
LEAST_RISE = 0.05
LEVEL = 0.05


def still_falling(losses: Points) -> bool:
    """Says whether a loss was still falling when the run ended.

    So it is where, over the later half of the points and 5 at least, the last is the lowest, Kendall's rank test of a trend
    says p below 0.05, and the loss has lost 2 % at least since the middle of them.

    Args:
        losses: of the validation set.

    Examples:
        >>> still_falling([(10, 2.0), (20, 1.6), (30, 1.3), (40, 1.1), (50, 1.0)])
        True
        >>> still_falling([(10, 2.0), (20, 1.2), (30, 1.0), (40, 0.999), (50, 0.998)])  # it has settled
        False
    """
    later = [value for _, value in losses[-max(FEWEST_POINTS, len(losses) // 2) :]]
    if len(later) < FEWEST_POINTS or later[-1] > min(later):
        return False
    trend = scipy.stats.kendalltau(range(len(later)), later)
    return bool(
        trend.statistic < 0 and trend.pvalue < LEVEL and later[-1] < (1 - LEAST_CHANGE) * later[len(later) // 2]
    )


def overfitting_since(training: Points, validation: Points) -> int | None:
    """Returns the step since which a run learns its training examples by heart; None where that is not seen.

    That is the step with the lowest validation loss, where 3 points at least come after it, that loss ends 5 % above it or
    more and mostly rises (Kendall's tau is 0.5 or more), and the training loss ends lower than it was there.

    Args:
        training: loss of the training examples.
        validation: loss of the validation set.

    Examples:
        >>> overfitting_since([(10, 1.0), (20, 0.5), (50, 0.1)], [(10, 0.9), (20, 0.6), (30, 0.65), (40, 0.7), (50, 0.8)])
        20
    """
    if not training or not validation:
        return None
    best = min(range(len(validation)), key=lambda place: validation[place][1])
    step, lowest = validation[best]
    since = [value for _, value in validation[best:]]
    if len(since) < 4 or since[-1] < (1 + LEAST_RISE) * lowest:
        return None
    if scipy.stats.kendalltau(range(len(since)), since).statistic < 0.5:
        return None
    there = min(training, key=lambda point: abs(point[0] - step))[1]
    return step if training[-1][1] < there else None


def say_of_curves(training: Points, validation: Points, *, kept: int | None = None) -> list[str]:
    """Returns what is to be said of a run's losses, in words.

    Args:
        training: loss of the training examples.
        validation: loss of the validation set.
        kept: step of the weights that are kept; None: the last.

    Examples:
        >>> say_of_curves([], [(10, 2.0), (20, 1.6), (30, 1.3), (40, 1.1), (50, 1.0)])
        ['The validation loss was still falling at the end: train longer (more steps or epochs).']
    """
    if still_falling(validation):
        return ["The validation loss was still falling at the end: train longer (more steps or epochs)."]
    since = overfitting_since(training, validation)
    if since is None:
        return []
    values = dict(validation)
    last, end = validation[-1]
    text = f"Over-fitting since step {since:,}: the validation loss rose from {values[since]:.3g} to {end:.3g}"
    text += " while the training loss fell."
    return [f"{text} The weights of step {kept:,} are kept." if kept is not None and kept < last else text]
