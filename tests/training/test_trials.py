"""Short runs end with what a whole run ends with: the average of the weights, by hand and beside `fit`."""

import keras
import numpy as np
import pytest

from tests.training.toys import Net, Toy, make_batches, make_run
from tfpretune.config import OptimizerConfig
from tfpretune.training import fit
from tfpretune.training.trials import train_briefly

PLAIN = {"learning_rate": 0.05, "schedule": "constant", "warmup": 0.0}


def make_model(kind=Toy):
    keras.utils.set_random_seed(3)
    return kind()


def trained(steps, kind=Toy, **settings):
    model = make_model(kind)
    train_briefly(model, make_batches(), OptimizerConfig(**PLAIN | settings), steps=steps)
    return [variable.numpy() for variable in model.variables]


@pytest.mark.parametrize(
    ("settings", "shares"), [({"ema": 0.5}, (0.125, 0.125, 0.25, 0.5)), ({"swa": 0.5}, (0.0, 0.0, 0.5, 0.5))]
)
def test_the_average_by_hand(settings, shares):
    """4 steps. Decay 1/2: the weights after the last step count half, those before them a quarter, and the first two, of which
    the average begins with the first, an eighth. The equal average from the middle: the last two count a half each."""
    ends = [trained(steps) for steps in (1, 2, 3, 4)]
    found = trained(4, **settings)
    for value, values in zip(found, zip(*ends, strict=True), strict=True):
        np.testing.assert_allclose(value, sum(s * v for s, v in zip(shares, values, strict=True)), atol=1e-6)
    assert abs(found[0] - ends[3][0]).max() > 1e-3  # not the last weights


@pytest.mark.parametrize("settings", [{"ema": 0.5}, {"swa": 0.5}, {}])
def test_it_ends_as_a_whole_run_does(settings, tmp_path):
    """With batch normalisation: the statistics too."""
    model = make_model(Net)
    run = make_run(tmp_path, steps=4, optimizer={"schedule": "constant"} | settings)
    fit(model, make_batches(), run)
    for variable, value in zip(model.variables, trained(4, Net, **settings), strict=True):
        if "seed_generator" not in variable.path:  # a whole run draws its dropout anew
            np.testing.assert_allclose(value, variable, atol=1e-6, err_msg=variable.path)
