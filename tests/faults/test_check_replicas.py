"""`tfpretune check-replicas`: every recipe learns the same on 1 and on 2 replicas; a wrong objective is found."""

import numpy as np
import pytest
import safetensors.numpy

from tests.faults.children import RECIPES, Child
from tests.faults.tiny import options
from tfpretune.cli import arguments as cli
from tfpretune.cli.replica_check import STEPS, TOLERANCE, compare, learn
from tfpretune.errors import RunError

CASES = {
    "autoencoder": ("pretrain_image", "--objective", "autoencoder"),
    "denoising": ("pretrain_image", "--objective", "denoising"),
    "mae": ("pretrain_image", "--objective", "mae", "--backbone", "vit-mini", "--mask-rate", "0.5"),
    "mlm": ("pretrain_text", "--objective", "mlm"),
    "finetune_text": ("finetune_text",),
    "finetune_image": ("finetune_image", "--no-init-head-from-probe"),
}


@pytest.mark.parametrize("case", CASES)
def test_two_replicas_learn_what_one_learns(tmp_path, tiny, case):
    """Seven rows a batch are four and three on two replicas; every preset has dropout, where its kind has any."""
    name, *more = CASES[case]
    preset = ("--preset", f"{tiny}/patches") if case == "mae" else ()
    given = options(name, tiny, tmp_path / "out", "--batch-size", 7, *more, *preset)
    files = [str(tmp_path / f"{replicas}.safetensors") for replicas in (1, 2)]
    sides = [
        Child(tmp_path / f"{number}.log", learn, file, str(number), str(RECIPES / f"{name}.py"), *given)
        for number, file in enumerate(files, 1)
    ]
    for side in sides:
        assert side.code() == 0, side.printed
    found = compare(*files)
    assert found.same, found
    assert max(found.weights, found.figures) <= TOLERANCE
    one = safetensors.numpy.load_file(files[0])
    assert len(one["figures/loss"]) == len(one["figures/gradient_norm"]) == 2 * STEPS  # SGD, then the recipe's AdamW
    assert not (tmp_path / "out").exists()
    assert one["figures/loss"][0] != one["figures/loss"][-1]


WRONG = '''"""An objective that hands over the mean of its rows as if it were one item."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.objectives import Objective, Term
from tfpretune.settings import launch
from tfpretune.settings.run import RunConfig
from tfpretune.training import fit, make_strategy
from tfpretune.training.optimizers import multi_rate


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """Settings."""

    source: str = "none"
    out_dir: str = "unused"
    steps: int = 5
    batch_size: int = 7
    right: bool = False
    """Sums instead of means."""
    decays_elsewhere: bool = False
    """On two replicas all variables decay, position tables and biases too."""


class Places(keras.layers.Layer):
    def build(self, shape):
        self.embeddings = self.add_weight(name="embeddings", shape=(1, shape[-1]), initializer="ones")

    def call(self, x):
        return x + self.embeddings


class Mean(Objective):
    term_names = ("squared",)

    def __init__(self, right):
        x = keras.Input((3,), name="x")
        hidden = Places(name="position_embedding")(x)
        super().__init__(inputs={"x": x}, outputs=keras.layers.Dense(1)(hidden))
        self.right = right
        self.add_term_metrics()

    def terms(self, batch, training):
        losses = tf.square(self({"x": batch["x"]}, training=training)[:, 0] - batch["y"])
        if self.right:
            return {"squared": Term(tf.reduce_sum(losses), tf.size(losses))}
        return {"squared": Term(tf.reduce_mean(losses), tf.constant(1))}


def main(run):
    strategy = make_strategy(run.devices.replicas)
    if run.decays_elsewhere and strategy.num_replicas_in_sync == 2:
        multi_rate.decays = lambda variable: True
    random = np.random.default_rng(0)
    rows = {"x": random.normal(size=(30, 3)).astype("float32"), "y": random.normal(size=30).astype("float32")}
    keras.utils.set_random_seed(run.seed)
    with strategy.scope():
        model = Mean(run.right)
    fit(model, StepIndexed(rows, run.batch_size), run)


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
'''


@pytest.fixture
def wrong(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(WRONG)
    return str(path)


def test_a_mean_over_the_replicas_rows_is_found_by_the_command(wrong, capsys):
    assert cli.main(["check-replicas", wrong]) == 1
    printed = capsys.readouterr().out
    assert "weights: largest difference" in printed
    assert "1 and 2 replicas, 5 steps with each update rule: they do NOT train the same (at most 1e-05)" in printed


def test_the_same_with_sums_is_right(wrong, capsys):
    assert cli.main(["check-replicas", wrong, "--right"]) == 0
    assert "5 steps with each update rule: they train the same (at most 1e-05)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_a_rule_of_decay_of_its_own_on_one_side_is_found(wrong, name, capsys):
    """The gradients are right, and what should not decay does on two replicas."""
    assert cli.main(["check-replicas", wrong, "--right", "--decays-elsewhere", "--optimizer.name", name]) == 1
    printed = capsys.readouterr().out
    assert "they do NOT train the same" in printed


def test_what_a_side_says_is_passed_on(wrong, capsys):
    assert cli.main(["check-replicas", wrong, "--batch-size", "0"]) == 1
    assert "failed: 1 replica: error: --batch-size must be at least 1, received 0" in capsys.readouterr().err


def write(path, loss, weight):
    arrays = {"figures/loss": np.array(loss), "model/00000/kernel": np.array([1.0, weight], "float32")}
    safetensors.numpy.save_file(arrays, path)
    return path


def test_differences_by_hand(tmp_path):
    """Absolute up to 1, relative above: 200 and 200.002 are 1e-5 apart; what is not a number is as far apart as can be."""
    one = write(tmp_path / "1", [2.0, 200.0], 0.5)
    found = compare(one, write(tmp_path / "2", [2.0, 200.002], 0.5))
    assert found.figures == pytest.approx(1e-5, rel=1e-6)
    assert (found.weights, found.weight, found.figure) == (0.0, "model/00000/kernel", "loss")
    assert not compare(one, write(tmp_path / "2", [2.0, 200.0], 0.5001)).same
    assert compare(one, write(tmp_path / "2", [2.0, float("nan")], 0.5)).figures == float("inf")
    safetensors.numpy.save_file({"figures/loss": np.zeros(2)}, tmp_path / "3")
    with pytest.raises(RunError, match=r"different variables: \['model/00000/kernel'\]"):
        compare(one, tmp_path / "3")
