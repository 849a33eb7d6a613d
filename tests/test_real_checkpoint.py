"""The benchmark of the packaged checkpoint: what is finished is not done again, and what the notes say."""

import json

import numpy as np
import real_checkpoint
from real_checkpoint import Runs, difference, fine_tuned

from tfpretune.data.examples.examples import Examples
from tfpretune.experiments.comparison import Side, Trials
from tfpretune.settings.run import OptimizerConfig

EXAMPLES = Examples(
    "text", ["a", "b", "c", "d"], np.array([0, 1, 0, 1], "int32"), ("no", "yes"), ["1", "2", "3", "4"], "toy"
)


def test_differences_are_paired():
    """+0.2, +0.1 and -0.1: mean 0.0667, sum of squares about it 0.0467, sd sqrt(0.0467 / 2)."""
    ours, others = ([{"accuracy": value} for value in values] for values in ([0.9, 0.8, 0.5], [0.7, 0.7, 0.6]))
    assert difference(ours, others) == "+0.067 (sd 0.153), better in 2 of 3 draws"


def test_finished_seeds_are_not_done_again(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(Trials, "fine_tune", lambda trials, side, few, seed, before: done.append(seed))
    monkeypatch.setattr(Trials, "test_batches", lambda trials: None)
    monkeypatch.setattr(real_checkpoint, "predict_outputs", lambda model, batches: np.array([[0.9, 0.1]] * 4))
    trials = Trials("none", EXAMPLES, EXAMPLES, make_batches=None, make_model=None, batch_size=2, seeds=3)
    side = Side("MiniLM, fine-tuned", True, 1, OptimizerConfig())
    (tmp_path / "toy-1-MiniLM-fine-tuned-1.json").write_text(json.dumps({"accuracy": 0.25}))
    found = [each["accuracy"] for each in fine_tuned(Runs(str(tmp_path), 3), trials, side, "toy", 1)]
    assert (found, done) == ([0.5, 0.25, 0.5], [0, 2])
    fine_tuned(Runs(str(tmp_path), 3), trials, side, "toy", 1)
    assert done == [0, 2]
