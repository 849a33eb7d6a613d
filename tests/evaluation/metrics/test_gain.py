import math

import pytest
import scipy.stats

from tfpretune.errors import RunError
from tfpretune.evaluation.metrics.gain import gain_over_scratch, paired_difference

SCRATCH = [0.7, 0.6, 0.8]


def test_gain_worked_by_hand():
    """Differences .03, .04, .05: mean .04, sd .01, t^2 = 48, p = 1 - sqrt(48 / 50) = .0202."""
    gain = gain_over_scratch([0.73, 0.64, 0.85], SCRATCH)
    assert (gain.num_seeds, gain.paid, gain.harmed) == (3, True, False)
    assert (gain.pretrained_mean, gain.pretrained_std) == pytest.approx(
        (0.74, math.sqrt((0.01**2 + 0.1**2 + 0.11**2) / 2))
    )
    assert (gain.scratch_mean, gain.scratch_std) == pytest.approx((0.7, 0.1))
    assert (gain.difference, gain.difference_std) == pytest.approx((0.04, 0.01))
    assert gain.p_value == pytest.approx(1 - math.sqrt(48 / 50))
    assert gain.sentence == (
        "Pre-training paid: 0.740 (sd 0.105) against 0.700 (sd 0.100) from scratch, a gain of +0.040 (sd 0.010); "
        "3 seeds, paired t-test p = 0.02."
    )


def test_p_value_is_scipys_paired_t_test():
    pretrained, scratch = [0.81, 0.84, 0.79, 0.86], [0.78, 0.80, 0.80, 0.79]
    expected = scipy.stats.ttest_rel(pretrained, scratch).pvalue
    assert gain_over_scratch(pretrained, scratch).p_value == pytest.approx(expected)


def test_a_gain_above_its_deviation_is_not_shown_where_p_is_not_below_5_percent():
    """Differences .1, .2, .3 are twice their deviation: p = .0742."""
    gain = gain_over_scratch([0.8, 0.8, 1.1], SCRATCH)
    assert (gain.paid, gain.harmed) == (False, False)
    assert gain.sentence == (
        "Pre-training is ahead here, and no more is shown: 0.900 (sd 0.173) against 0.700 (sd 0.100) from scratch, "
        "a difference of +0.200 (sd 0.100); 3 seeds, paired t-test p = 0.074 (0.05 and more may be chance)."
    )


def test_harm_needs_the_same_proof():
    harm = gain_over_scratch([0.67, 0.56, 0.75], SCRATCH)
    assert (harm.paid, harm.harmed) == (False, True)
    assert harm.sentence.startswith("Pre-training did harm here: 0.660")
    assert "a loss of -0.040 (sd 0.010); 3 seeds, paired t-test p = 0.02." in harm.sentence
    behind = gain_over_scratch([0.6, 0.4, 0.5], SCRATCH)
    assert (behind.paid, behind.harmed) == (False, False)
    assert behind.sentence.startswith("Pre-training is behind here, and no more is shown: 0.500")


@pytest.mark.parametrize(
    ("pretrained", "scratch", "said", "why"),
    [
        ([0.75] * 3, [0.5] * 3, "ahead", "the same difference with all 3 seeds, so there is no test"),
        ([0.5] * 3, [0.5] * 3, "level", "the same difference with all 3 seeds, so there is no test"),
        ([0.52, 0.53], [0.68, 0.70], "behind", "2 seeds, too few for a test"),
        ([0.9, 0.9], [0.1, 0.101], "ahead", "2 seeds, too few for a test"),
    ],
)
def test_no_spread_and_two_seeds_give_no_verdict(pretrained, scratch, said, why):
    gain = gain_over_scratch(pretrained, scratch)
    assert (gain.paid, gain.harmed, gain.p_value) == (False, False, None)
    assert gain.sentence.startswith(f"Pre-training is {said} here, and no more is shown: ")
    assert gain.sentence.endswith(f"; {why}.")


def test_paired_difference():
    assert paired_difference([0.5, 0.6], [0.5, 0.5]) == "+0.050 (sd 0.071)"


@pytest.mark.parametrize(("pretrained", "scratch"), [([0.5], [0.4]), ([0.5, 0.6], [0.4, 0.5, 0.6]), ([], [])])
def test_seeds_must_be_paired_and_two_or_more(pretrained, scratch):
    with pytest.raises(ValueError, match="2 or more seeds on both sides"):
        gain_over_scratch(pretrained, scratch)


def test_nan_is_no_score():
    with pytest.raises(RunError, match=r"expected finite scores, received \[0.5, nan\]"):
        gain_over_scratch([0.5, math.nan], [0.4, 0.4])
