from tfpretune.tasks.pretraining.report import unigram_verdict


def test_the_plateau_is_left_when_the_loss_is_clearly_below_the_unigram_loss():
    assert unigram_verdict(6.4, 6.84) == "loss 6.400, unigram entropy 6.840: below the unigram entropy baseline"
    stuck = unigram_verdict(6.6, 6.84)
    assert (
        "STILL AT THE UNIGRAM ENTROPY BASELINE: it knows little more than how frequent each token is; give more steps"
        in stuck
    )
    assert "STILL AT THE UNIGRAM ENTROPY BASELINE" in unigram_verdict(float("nan"), 6.84)
