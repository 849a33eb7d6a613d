"""Whether pre-training paid: the same fine-tuning with and without it, over several seeds."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfpretune.errors import RunError
from tfpretune.evaluation.metrics.paired import PairedTest, paired_test


@dataclasses.dataclass(frozen=True)
class Gain:
    """Scores with pre-training against scores from scratch, paired by seed. Higher scores are better.

    Examples:
        >>> from tfpretune.evaluation import gain_over_scratch
        >>> gain = gain_over_scratch([0.90, 0.80], [0.80, 0.85])
        >>> gain.paid, gain.harmed, round(gain.difference, 3), round(gain.difference_std, 3)  # of +0.10 and -0.05
        (False, False, 0.025, 0.106)
        >>> gain.sentence
        'Pre-training is ahead here, and no more is shown: 0.850 (sd 0.071) against 0.825 (sd 0.035) from scratch, ...'
    """

    pretrained_mean: float
    pretrained_std: float
    """Sample standard deviation (n - 1) over the seeds, as both here."""
    scratch_mean: float
    scratch_std: float
    paired: PairedTest
    """Pre-trained minus scratch."""

    @property
    def num_seeds(self) -> int:
        """Seeds on each side."""
        return self.paired.num_seeds

    @property
    def difference(self) -> float:
        """Mean of pre-trained minus scratch."""
        return self.paired.difference

    @property
    def difference_std(self) -> float:
        """Standard deviation of the paired differences."""
        return self.paired.difference_std

    @property
    def p_value(self) -> float | None:
        """Two-sided paired t-test of a difference of zero; None where there is no test."""
        return self.paired.p_value

    @property
    def paid(self) -> bool:
        """The difference is positive and p is below 0.05."""
        return self.paired.verdict == "better"

    @property
    def harmed(self) -> bool:
        """The difference is negative and p is below 0.05."""
        return self.paired.verdict == "worse"

    @property
    def sentence(self) -> str:
        """The result in plain words."""
        found = {"better": "paid", "worse": "did harm here"}.get(self.paired.verdict)
        said = found or f"is {self.paired.side} here, and no more is shown"
        what = {"better": "gain", "worse": "loss"}.get(self.paired.verdict, "difference")
        return (
            f"Pre-training {said}: {self.pretrained_mean:.3f} (sd {self.pretrained_std:.3f}) against "
            f"{self.scratch_mean:.3f} (sd {self.scratch_std:.3f}) from scratch, a {what} of {self.paired.change}; "
            f"{self.paired.test}."
        )


def paired_difference(scores: Sequence[float], others: Sequence[float]) -> str:
    """Returns the mean and the sample standard deviation of the differences, such as "+0.004 (sd 0.012)".

    Examples:
        >>> from tfpretune.evaluation import paired_difference
        >>> paired_difference([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])
        '+0.100 (sd 0.000)'
    """
    return paired_test(scores, others).change


def gain_over_scratch(pretrained: Sequence[float], scratch: Sequence[float]) -> Gain:
    """Compares the scores of pre-trained and from-scratch runs that share data, budget and seeds.

    Args:
        pretrained: one score per seed, higher is better.
        scratch: the scores of the same seeds, in the same order.

    Returns:
        Means, sample standard deviations and a paired t-test over the seeds; `sentence` says it in words.

    Raises:
        ValueError: fewer than 2 seeds, or not as many on both sides.
        RunError: a score is not a finite number.

    Examples:
        >>> from tfpretune.evaluation import gain_over_scratch
        >>> gain = gain_over_scratch([0.90, 0.92, 0.94], [0.80, 0.83, 0.85])
        >>> round(gain.difference, 4), gain.paid  # (0.10 + 0.09 + 0.09) / 3
        (0.0933, True)
    """
    with_, without = np.asarray(pretrained, np.float64), np.asarray(scratch, np.float64)
    if with_.ndim != 1 or with_.shape != without.shape or len(with_) < 2:
        raise ValueError(
            "gain_over_scratch: expected the scores of the same 2 or more seeds on both sides, "
            f"received {with_.shape} pretrained and {without.shape} scratch"
        )
    if not (np.isfinite(with_).all() and np.isfinite(without).all()):
        raise RunError(f"gain_over_scratch: expected finite scores, received {with_.tolist()} and {without.tolist()}")
    return Gain(
        pretrained_mean=float(with_.mean()),
        pretrained_std=float(with_.std(ddof=1)),
        scratch_mean=float(without.mean()),
        scratch_std=float(without.std(ddof=1)),
        paired=paired_test(with_, without),
    )
