"""Whether a difference of two sides over the same seeds, or examples, is shown, or may be chance: paired tests."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy.stats

LEVEL = 0.05
FEWEST_SEEDS = 3
_NO_SPREAD = 1e-12


@dataclasses.dataclass(frozen=True)
class PairedTest:
    """What the paired t-test says of scores against others of the same seeds. Higher scores are better."""

    num_seeds: int
    difference: float
    """Mean of the scores minus the others."""
    difference_std: float
    """Sample standard deviation (n - 1) of the differences; 0 of one."""
    p_value: float | None
    """Two-sided, of a difference of zero; None where there is no test."""

    @property
    def verdict(self) -> Literal["better", "worse", "open"]:
        """Better or worse where p is below 0.05; open where it is not, and where there is no test."""
        if self.p_value is None or self.p_value >= LEVEL:
            return "open"
        return "better" if self.difference > 0 else "worse"

    @property
    def side(self) -> str:
        """Where the mean stands, which shows nothing: "ahead", "behind" or "level", by the three digits that are printed."""
        rounded = round(self.difference, 3)
        return "ahead" if rounded > 0 else "behind" if rounded < 0 else "level"

    @property
    def change(self) -> str:
        """The mean and the standard deviation of the differences, such as "+0.004 (sd 0.012)"."""
        mean = f"{round(self.difference, 3) + 0.0:+.3f}"  # never "-0.000"
        return f"{mean} (sd {self.difference_std:.3f})" if self.num_seeds > 1 else mean

    @property
    def p_text(self) -> str | None:
        """The p value in two digits, or in as many as show on which side of 0.05 it is."""
        if self.p_value is None:
            return None
        texts = (f"{self.p_value:.{digits}g}" for digits in range(2, 17))
        return next(text for text in texts if (float(text) < LEVEL) == (self.p_value < LEVEL))

    @property
    def test(self) -> str:
        """The test in words, or why there is none."""
        seeds = f"{self.num_seeds} seed{'s' if self.num_seeds > 1 else ''}"
        if self.num_seeds < FEWEST_SEEDS:
            return f"{seeds}, too few for a test"
        if self.p_value is None:
            return f"the same difference with all {seeds}, so there is no test"
        doubt = "" if self.p_value < LEVEL else f" ({LEVEL} and more may be chance)"
        return f"{seeds}, paired t-test p = {self.p_text}{doubt}"


def paired_test(scores: Sequence[float] | np.ndarray, others: Sequence[float] | np.ndarray) -> PairedTest:
    """Compares scores with others of the same seeds, in the same order.

    There is a test from 3 seeds on, and where the differences have a spread: without one, t is not a number. The statistic is
    mean / (sd / sqrt(n)), of Student's t distribution with n - 1 degrees of freedom.

    Raises:
        ValueError: no scores, or not as many on both sides.
    """
    mine, theirs = np.asarray(scores, np.float64), np.asarray(others, np.float64)
    if mine.ndim != 1 or mine.shape != theirs.shape or not len(mine):
        raise ValueError(
            f"paired_test: expected as many scores on both sides, received {mine.shape} and {theirs.shape}"
        )
    gaps, count = mine - theirs, len(mine)
    mean, spread = float(gaps.mean()), float(gaps.std(ddof=1)) if count > 1 else 0.0
    p_value = None
    if count >= FEWEST_SEEDS and spread >= _NO_SPREAD:
        p_value = float(2 * scipy.stats.t.sf(abs(mean) / (spread / np.sqrt(count)), count - 1))
    return PairedTest(count, mean, 0.0 if spread < _NO_SPREAD else spread, p_value)


def mcnemar(right: np.ndarray, others: np.ndarray) -> PairedTest:
    """Compares right and wrong answers of two models to the same questions, by McNemar's exact test.

    Only questions that one of them answers rightly and the other does not say anything: without a difference each of these is
    as likely to be the one's as the other's, so the number of the one's is binomial (McNemar 1947; the exact form).

    Args:
        right: bool `(n,)`, the answers of one model; `num_seeds` of the result is n.
        others: bool `(n,)`, of the other.

    Raises:
        ValueError: no answers, or not as many on both sides.

    Examples:
        >>> test = mcnemar(np.array([True] * 6 + [False]), np.array([False] * 7))
        >>> test.verdict, test.p_value
        ('better', 0.03125)
    """
    mine, theirs = np.asarray(right, bool), np.asarray(others, bool)
    plain = paired_test(mine.astype(np.float64), theirs.astype(np.float64))
    ahead, behind = int((mine & ~theirs).sum()), int((theirs & ~mine).sum())
    p_value = float(scipy.stats.binomtest(ahead, ahead + behind).pvalue) if ahead + behind else 1.0
    return dataclasses.replace(plain, p_value=p_value)
