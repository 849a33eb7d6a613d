"""The engine beside a network that NumPy trains: every way to run a step learns what the formulas say."""

import keras
import numpy as np
import pytest
from scipy.special import softmax

from tests.training.loop.toys import ROWS, Interrupt, Net, Toy, make_batches, make_run
from tfpretune.backbones import SmallCNN
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.finetune import classifier, freeze, with_cached_features
from tfpretune.finetune.methods.probing import features_of
from tfpretune.settings.run import DevicesConfig
from tfpretune.training import fit, make_strategy
from tfpretune.training.devices.strategies import separate_dropout

RATE, DECAY, CLIP, STEPS = 0.05, 0.1, 0.5, 8
OPTIMIZER = {"name": "sgd", "schedule": "constant", "weight_decay": DECAY, "clip_norm": CLIP}
SETTINGS = {"steps": STEPS, "learning_rate": RATE, "optimizer": OPTIMIZER}


def weights_of(model):
    """Weights and running means by the last two names of their paths, float64."""
    kept = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
    found = {v.path: v.numpy().astype("float64") for v in model.variables if v.name in kept}
    return {"/".join(path.split("/")[-2:]): value for path, value in found.items()}


class Momentum:
    """SGD with momentum 0.9: first the decay of the kernels, then the clipped gradient."""

    def __init__(self, weights):
        self.weights = weights
        self.speed = {name: np.zeros_like(value) for name, value in weights.items()}

    def move(self, gradients):
        norm = np.sqrt(sum(np.square(gradient).sum() for gradient in gradients.values()))
        for name, gradient in gradients.items():
            if name.endswith("kernel"):
                self.weights[name] -= RATE * DECAY * self.weights[name]
            self.speed[name] = 0.9 * self.speed[name] - RATE * gradient * CLIP / max(norm, CLIP)
            self.weights[name] += self.speed[name]


def dense(w, name, x, slope=None):
    """The output, or with the slope of the output the slopes of the input and of the weights."""
    if slope is None:
        return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]
    return slope @ w[f"{name}/kernel"].T, {f"{name}/kernel": x.T @ slope, f"{name}/bias": slope.sum(0)}


def step_of_net(w, x, y):
    """Slopes of the mean squared error of `Net`; the running means of its batch normalisation move."""
    low = np.tanh(dense(w, "low", x))
    mean, variance = low.mean(0), low.var(0)
    for name, value in (("mean", mean), ("variance", variance)):
        w[f"low_norm/moving_{name}"] += 0.01 * (value - w[f"low_norm/moving_{name}"])
    spread = np.sqrt(variance + 1e-3)
    unit = (low - mean) / spread
    normal = w["low_norm/gamma"] * unit + w["low_norm/beta"]
    high = np.tanh(dense(w, "high", normal))
    error = dense(w, "out", high)[:, 0] - y
    down, found = dense(w, "out", high, 2.0 / len(y) * error[:, np.newaxis])
    down, own = dense(w, "high", normal, down * (1.0 - high**2))
    found |= own | {"low_norm/gamma": (down * unit).sum(0), "low_norm/beta": down.sum(0)}
    down *= w["low_norm/gamma"]
    down = (down - down.mean(0) - unit * (down * unit).mean(0)) / spread
    return found | dense(w, "low", x, down * (1.0 - low**2))[1]


def step_of_toy(w, x, y, mask=1.0):
    """Slopes of the mean squared error of `Toy`, whose hidden units are multiplied by a mask."""
    hidden = np.tanh(dense(w, "hidden", x))
    error = dense(w, "out", hidden * mask)[:, 0] - y
    down, found = dense(w, "out", hidden * mask, 2.0 / len(y) * error[:, np.newaxis])
    return found | dense(w, "hidden", x, down * mask * (1.0 - hidden**2))[1]


def trained(weights, slopes, batches, masks=None):
    """The weights after all steps."""
    rule = Momentum(weights)
    for step in range(STEPS):
        rows = batches.rows(step)
        x, y = (ROWS[name][rows].astype("float64") for name in ("x", "y"))
        rule.move(slopes(rule.weights, x, y, *([] if masks is None else [masks[step]])))
    return rule.weights


def make(kind, replicas=1, **settings):
    keras.utils.set_random_seed(3)
    with make_strategy(replicas).scope():
        return kind(**settings)


def assert_learnt(model, expected):
    found = weights_of(model)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=2e-6, err_msg=name)


KINDS = {"net": (Net, step_of_net), "toy": (Toy, step_of_toy)}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("net", {}),
        ("net", {"jit": "on"}),
        ("net", {"steps_per_execution": 4}),
        ("net", {"replicas": 2}),
        ("net", {"replicas": 2, "steps_per_execution": 4}),
        ("net", {"interrupted_after": 6}),
        ("net", {"replicas": 2, "interrupted_after": 6}),
        ("toy", {"replicas": 2, "jit": "on", "steps_per_execution": 4}),
        ("toy", {"accumulate_steps": 3}),
        ("toy", {"replicas": 2, "accumulate_steps": 2}),
    ],
    ids=str,
)
def test_all_ways_of_a_step(tmp_path, name, settings):
    """Two replicas take 2 of 4 rows each, with one mean and variance for both; three parts are of 2, 1 and 1 rows."""
    kind, slopes = KINDS[name]
    settings = dict(settings)
    replicas, after = settings.pop("replicas", 1), settings.pop("interrupted_after", 0)
    batches = make_batches(None)
    run = make_run(tmp_path, devices=DevicesConfig(replicas=replicas), **SETTINGS, **settings)
    model = make(kind, replicas)
    expected = trained(weights_of(model), slopes, batches)
    if after:
        with pytest.raises(KeyboardInterrupt):
            fit(model, batches, run, callbacks=[Interrupt(after)])
        model = make(kind, replicas)
    fit(model, batches, run)
    assert_learnt(model, expected)


@pytest.mark.parametrize("replicas", [1, 2])
def test_dropout(tmp_path, replicas):
    """Replica i draws from the model's seed plus i: the masks of a stand-alone layer with these seeds, one draw per step."""
    model, batches = make(Toy, replicas, dropout=0.5), make_batches(None)
    expected = weights_of(model)
    separate_dropout(model)  # as `fit` does, which finds it done
    (seeds,) = [v for v in model.variables if "seed_generator" in v.path]
    start = make_strategy(replicas).experimental_local_results(seeds.value)[0].numpy()
    parts = [masks_of_layer(start, replica, 4 // replicas) for replica in range(replicas)]
    assert replicas == 1 or (parts[0] != parts[1]).any()
    fit(model, batches, make_run(tmp_path, devices=DevicesConfig(replicas=replicas), **SETTINGS))
    assert_learnt(model, trained(expected, step_of_toy, batches, np.concatenate(parts, axis=1)))


def masks_of_layer(start, replica, rows):
    """The factors, 0 or 2, of every step's hidden units of one replica: `(steps, rows, 4)`."""
    layer = keras.layers.Dropout(0.5)
    layer.seed_generator.state.assign(start + np.array([replica, 0], start.dtype))
    return np.stack([layer(np.ones((rows, 4), "float32"), training=True) for _ in range(STEPS)])


def test_a_head_on_features_computed_once(tmp_path):
    """Softmax regression in NumPy on the frozen backbone's features."""
    keras.utils.set_random_seed(3)
    draw = np.random.default_rng(0)
    images, labels = draw.random((10, 8, 8, 1)).astype("float32"), (np.arange(10) % 3).astype("int32")
    model = classifier(SmallCNN((8, 8, 1), (8,)), 3, dropout=0.0)
    freeze(model, "all")
    batches = StepIndexed({"images": images, "labels": labels}, 4, seed=5)
    features = features_of(model, batches.in_order()).astype("float64")
    weights = {name: value for name, value in weights_of(model).items() if name.startswith("logits/")}
    head, cached = with_cached_features(model, batches)
    fit(head, cached, make_run(tmp_path, **SETTINGS))
    rule = Momentum(weights)
    for step in range(STEPS):
        rows = batches.rows(step)
        slope = (softmax(dense(weights, "logits", features[rows]), axis=1) - np.eye(3)[labels[rows]]) / len(rows)
        rule.move(dense(weights, "logits", features[rows], slope)[1])
    for name, value in rule.weights.items():
        np.testing.assert_allclose(weights_of(model)[name], value, atol=2e-6, err_msg=name)
