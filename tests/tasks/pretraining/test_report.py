from tfpretune.tasks.pretraining.report import plateau_verdict


def test_the_plateau_is_left_when_the_loss_is_clearly_below_the_unigram_loss():
    assert plateau_verdict(6.4, 6.84) == "loss 6.400, unigram loss 6.840: left the plateau"
    stuck = plateau_verdict(6.6, 6.84)
    assert "STILL ON THE PLATEAU: it knows little more than how frequent each token is; give more steps" in stuck
    assert "STILL ON THE PLATEAU" in plateau_verdict(float("nan"), 6.84)
