"""Short runs end with what a whole run ends with: the average of the weights, by hand and beside `fit`."""

import keras
import numpy as np
import pytest

from tests.training.loop.toys import ROWS, Net, Toy, make_batches, make_run
from tfpretune.finetune import L2SP
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import fit
from tfpretune.training.loop.trials import start_like, train_briefly

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


OTHER = {"x": 30.0 * ROWS["x"], "y": 1000.0 * ROWS["y"]}  # in float16 these make the scale of the loss fall


def network(dtype, seed):
    keras.utils.set_random_seed(seed)
    model = Net(dropout=0.3, dtype=dtype)
    L2SP(model, 0.1, head_strength=0.1)
    return model


def values(model):
    return [variable.numpy() for variable in model.variables if "metric" not in variable.path]


@pytest.mark.parametrize(("dtype", "average"), [("float32", {"ema": 0.9}), ("mixed_float16", {"swa": 0.5})])
@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "adagrad"])
def test_a_trial_gives_the_same_bits_whatever_was_trained_before_it(name, dtype, average):
    """Weights, statistics, dropout, start values of L2-SP, moments, averages, scale of the loss: all begin again."""
    settings = OptimizerConfig(**PLAIN | {"name": name, "weight_decay": 0.1} | average)
    alone, after = network(dtype, 1), network(dtype, 2)
    train_briefly(after, make_batches(rows=OTHER), settings, steps=4)
    fresh = [variable.numpy() for variable in after.optimizer.variables]
    start_like(after, alone)
    train_briefly(alone, make_batches(), settings, steps=4)
    train_briefly(after, make_batches(), settings, steps=4)
    for mine, its in zip(values(after), values(alone), strict=True):
        np.testing.assert_array_equal(mine, its)
    for mine, its in zip(after.optimizer.variables, alone.optimizer.variables, strict=True):
        np.testing.assert_array_equal(mine, its, err_msg=mine.path)
    if dtype == "mixed_float16":
        scale = [v.path for v in after.optimizer.variables].index(after.optimizer.dynamic_scale.path)
        assert fresh[scale] < 2**15  # the trial before had made it fall


def test_other_settings_are_not_left_out():
    """A network that was trained for 4 steps and is now for 2 has the schedule of 2."""
    settings = {"learning_rate": 0.05, "schedule": "linear", "warmup": 0.0}
    model, new = make_model(), make_model()
    train_briefly(model, make_batches(), OptimizerConfig(**settings), steps=4)
    start_like(model, new)
    train_briefly(model, make_batches(), OptimizerConfig(**settings), steps=2)
    train_briefly(new, make_batches(), OptimizerConfig(**settings), steps=2)
    for mine, its in zip(model.variables, new.variables, strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-7)
