import math

import pytest
import scipy.stats

from tfpretune.config import RunError
from tfpretune.evaluation.gain import gain_over_scratch


def test_gain_worked_by_hand():
    # differences .1, .2, .3: mean .2, sample standard deviation .1
    gain = gain_over_scratch([0.8, 0.9, 1.0], [0.7, 0.7, 0.7])
    assert (gain.num_seeds, gain.paid) == (3, True)
    assert (gain.pretrained_mean, gain.pretrained_std) == pytest.approx((0.9, 0.1))
    assert (gain.scratch_mean, gain.scratch_std) == pytest.approx((0.7, 0.0))
    assert (gain.difference, gain.difference_std) == pytest.approx((0.2, 0.1))
    assert gain.sentence == (
        "Pre-training paid: 0.900 (sd 0.100) against 0.700 (sd 0.000) from scratch, a gain of +0.200 (sd 0.100); "
        "3 seeds, paired t-test p = 0.074."
    )


def test_p_value_is_scipys_paired_t_test():
    pretrained, scratch = [0.81, 0.84, 0.79, 0.86], [0.78, 0.80, 0.80, 0.79]
    expected = scipy.stats.ttest_rel(pretrained, scratch).pvalue
    assert gain_over_scratch(pretrained, scratch).p_value == pytest.approx(expected)


def test_a_loss_is_called_so():
    gain = gain_over_scratch([0.52, 0.53], [0.68, 0.70])
    assert not gain.paid
    assert gain.sentence.startswith("Pre-training did not pay here: 0.525")
    assert "-0.165 (sd 0.007) is no gain" in gain.sentence


def test_a_gain_inside_one_standard_deviation_did_not_pay():
    gain = gain_over_scratch([0.9, 0.7], [0.7, 0.8])  # differences .2 and -.1: mean .05, sd .212
    assert not gain.paid
    assert "+0.050 (sd 0.212) is not more than one standard deviation" in gain.sentence


@pytest.mark.parametrize(("pretrained", "paid", "p_value"), [([0.75, 0.75], True, 0.0), ([0.5, 0.5], False, 1.0)])
def test_equal_differences_have_no_spread(pretrained, paid, p_value):
    gain = gain_over_scratch(pretrained, [0.5, 0.5])
    assert (gain.paid, gain.p_value, gain.difference_std) == (paid, p_value, 0.0)


@pytest.mark.parametrize(("pretrained", "scratch"), [([0.5], [0.4]), ([0.5, 0.6], [0.4, 0.5, 0.6]), ([], [])])
def test_seeds_must_be_paired_and_two_or_more(pretrained, scratch):
    with pytest.raises(ValueError, match="2 or more seeds on both sides"):
        gain_over_scratch(pretrained, scratch)


def test_nan_is_no_score():
    with pytest.raises(RunError, match=r"expected finite scores, received \[0.5, nan\]"):
        gain_over_scratch([0.5, math.nan], [0.4, 0.4])
