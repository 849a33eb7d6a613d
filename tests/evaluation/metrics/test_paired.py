"""The paired t-test by hand: t = mean / (sd / sqrt(n)).

With 2 degrees of freedom p = 1 - |t| / sqrt(t^2 + 2); with 3, p = 1 - 2 / pi * (atan u + u / (1 + u^2)), u = t / sqrt 3.
"""

import math

import numpy as np
import pytest
import scipy.stats

from tfpretune.evaluation.metrics.paired import LEVEL, mcnemar, paired_test


@pytest.mark.parametrize(
    ("gaps", "mean", "std", "p"),
    [
        # mean .2, sd .1: t = 2 sqrt 3, t^2 = 12: 1 - sqrt(12 / 14)
        ((0.1, 0.2, 0.3), 0.2, 0.1, 1 - math.sqrt(12 / 14)),
        # mean .04, sd .01: t^2 = 48: 1 - sqrt(48 / 50)
        ((0.03, 0.04, 0.05), 0.04, 0.01, 1 - math.sqrt(48 / 50)),
        ((-0.03, -0.04, -0.05), -0.04, 0.01, 1 - math.sqrt(48 / 50)),
        # mean 0
        ((0.1, 0.0, -0.1), 0.0, 0.1, 1.0),
        # mean .1, sd sqrt(.04 / 3): t = .1 / (sqrt(.04 / 3) / 2) = sqrt 3
        ((0.2, 0.2, 0.0, 0.0), 0.1, math.sqrt(0.04 / 3), 1 - 2 / math.pi * (math.atan(1.0) + 0.5)),
    ],
)
def test_by_hand(gaps, mean, std, p):
    base = np.array([0.5, 0.6, 0.4, 0.7])[: len(gaps)]
    found = paired_test(base + gaps, base)
    assert (found.difference, found.difference_std) == pytest.approx((mean, std), abs=1e-12)
    assert found.p_value == pytest.approx(p)
    assert found.p_value == pytest.approx(scipy.stats.ttest_rel(base + gaps, base).pvalue)
    assert found.verdict == ("open" if p >= 0.05 else "better" if mean > 0 else "worse")


@pytest.mark.parametrize("number", range(5))
def test_against_scipy(number):
    random = np.random.default_rng(number)
    mine, theirs = random.normal(0.02, 0.02, (2, number + 3))
    expected = scipy.stats.ttest_rel(mine, theirs)
    found = paired_test(mine, theirs)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.verdict != "open") == (expected.pvalue < 0.05)


@pytest.mark.parametrize(
    ("mine", "theirs", "side", "test"),
    [
        ([0.9], [0.5], "ahead", "1 seed, too few for a test"),
        ([0.9, 0.8], [0.5, 0.401], "ahead", "2 seeds, too few for a test"),
        ([0.4, 0.3, 0.2], [0.5, 0.4, 0.3], "behind", "the same difference with all 3 seeds, so there is no test"),
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], "level", "the same difference with all 3 seeds, so there is no test"),
    ],
)
def test_too_few_seeds_and_no_spread_give_no_verdict(mine, theirs, side, test):
    """Two seeds that are 0.4 and 0.399 apart would have p = .0008."""
    found = paired_test(mine, theirs)
    assert (found.p_value, found.p_text, found.verdict) == (None, None, "open")
    assert (found.side, found.test) == (side, test)


def with_p(p):
    """Three differences whose test has this p: t^2 = 2 q^2 / (1 - q^2) with q = 1 - p."""
    q = 1 - p
    mean = math.sqrt(2 * q * q / (1 - q * q) / 3)
    return paired_test([mean - 1, mean, mean + 1], [0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("p", "verdict", "text"),
    [
        (0.1, "open", "0.1"),
        (0.0512, "open", "0.051"),
        (0.0503, "open", "0.05"),
        (0.0497, "better", "0.0497"),
        (0.04999, "better", "0.04999"),
        (0.0123, "better", "0.012"),
    ],
)
def test_the_level_and_how_p_is_written(p, verdict, text):
    """What is printed is never on the other side of 0.05."""
    found = with_p(p)
    assert found.p_value == pytest.approx(p)
    assert (found.verdict, found.p_text) == (verdict, text)
    assert (float(text) < LEVEL) == (p < LEVEL)
    doubt = " (0.05 and more may be chance)" if verdict == "open" else ""
    assert found.test == f"3 seeds, paired t-test p = {text}{doubt}"


def test_a_difference_that_rounds_to_nothing_is_level():
    found = paired_test([0.5004, 0.4999, 0.4998], [0.5, 0.5, 0.5])
    assert (found.side, found.change) == ("level", "+0.000 (sd 0.000)")
    assert paired_test([0.4999], [0.5]).change == "+0.000"


@pytest.mark.parametrize(("mine", "theirs"), [([], []), ([0.1], [0.1, 0.2]), ([[0.1]], [[0.2]])])
def test_scores_come_in_pairs(mine, theirs):
    with pytest.raises(ValueError, match="expected as many scores on both sides"):
        paired_test(mine, theirs)


@pytest.mark.parametrize(
    ("ahead", "behind", "p"),
    [(6, 0, 2 / 64), (0, 6, 2 / 64), (5, 0, 2 / 32), (3, 1, 10 / 16), (2, 2, 1.0), (0, 0, 1.0)],
)
def test_right_answers_by_hand(ahead, behind, p):
    """Binomial with a half: of 4 that differ, 3 or more on one side have 2 (4 + 1) of 16 ways."""
    mine = np.array([True] * ahead + [False] * behind + [True] * 10)
    theirs = np.array([False] * ahead + [True] * behind + [True] * 10)
    found = mcnemar(mine, theirs)
    assert found.p_value == pytest.approx(p)
    assert found.difference == pytest.approx((ahead - behind) / len(mine))
    assert found.verdict == ("open" if p >= LEVEL else "better" if ahead > behind else "worse")
