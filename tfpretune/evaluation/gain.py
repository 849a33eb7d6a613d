"""Whether pre-training paid: the same fine-tuning with and without it, over several seeds."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.stats

from tfpretune.config import RunError


@dataclasses.dataclass(frozen=True)
class Gain:
    """Scores with pre-training against scores from scratch, paired by seed. Higher scores are better."""

    num_seeds: int
    pretrained_mean: float
    pretrained_std: float
    """Sample standard deviation (n - 1) over the seeds, as all three here."""
    scratch_mean: float
    scratch_std: float
    difference: float
    """Mean of pre-trained minus scratch."""
    difference_std: float
    """Standard deviation of the paired differences."""
    p_value: float
    """Two-sided paired t-test of a difference of zero."""
    paid: bool
    """The difference is positive and larger than its own standard deviation `difference_std`."""

    @property
    def sentence(self) -> str:
        """The result in plain words."""
        sides = (
            f"{self.pretrained_mean:.3f} (sd {self.pretrained_std:.3f}) against {self.scratch_mean:.3f} "
            f"(sd {self.scratch_std:.3f}) from scratch"
        )
        change = f"{self.difference:+.3f} (sd {self.difference_std:.3f})"
        test = f"{self.num_seeds} seeds, paired t-test p = {self.p_value:.2g}"
        if self.paid:
            return f"Pre-training paid: {sides}, a gain of {change}; {test}."
        why = "is not more than one standard deviation" if self.difference > 0 else "is no gain"
        return f"Pre-training did not pay here: {sides}; the difference {change} {why}; {test}."


def paired_difference(scores: Sequence[float], others: Sequence[float]) -> str:
    """Returns the mean and the sample standard deviation of the differences, such as "+0.004 (sd 0.012)"."""
    gaps = np.subtract(scores, others)
    return f"{round(float(gaps.mean()), 3) + 0.0:+.3f} (sd {gaps.std(ddof=1):.3f})"  # never "-0.000"


def gain_over_scratch(pretrained: Sequence[float], scratch: Sequence[float]) -> Gain:
    """Compares the scores of pre-trained and from-scratch runs that share data, budget and seeds.

    Args:
        pretrained: one score a seed, higher is better.
        scratch: the scores of the same seeds, in the same order.

    Raises:
        ValueError: fewer than 2 seeds, or not as many on both sides.
        RunError: a score is not a finite number.
    """
    with_, without = np.asarray(pretrained, np.float64), np.asarray(scratch, np.float64)
    if with_.ndim != 1 or with_.shape != without.shape or len(with_) < 2:
        raise ValueError(
            "gain_over_scratch: expected the scores of the same 2 or more seeds on both sides, "
            f"received {with_.shape} pretrained and {without.shape} scratch"
        )
    if not (np.isfinite(with_).all() and np.isfinite(without).all()):
        raise RunError(f"gain_over_scratch: expected finite scores, received {with_.tolist()} and {without.tolist()}")
    differences = with_ - without
    difference, spread = float(differences.mean()), float(differences.std(ddof=1))
    return Gain(
        num_seeds=len(with_),
        pretrained_mean=float(with_.mean()),
        pretrained_std=float(with_.std(ddof=1)),
        scratch_mean=float(without.mean()),
        scratch_std=float(without.std(ddof=1)),
        difference=difference,
        difference_std=spread,
        p_value=_p_value(difference, spread, len(with_)),
        paid=difference > 0 and difference > spread,
    )


def _p_value(difference: float, spread: float, num_seeds: int) -> float:
    """Two-sided paired t-test. Equal differences have no spread: p is then 0, or 1 where the difference is 0, too."""
    if spread < 1e-12:
        return 1.0 if abs(difference) < 1e-12 else 0.0
    statistic = difference / (spread / np.sqrt(num_seeds))
    return float(2 * scipy.stats.t.sf(abs(statistic), num_seeds - 1))
