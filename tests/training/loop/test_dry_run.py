"""What a dry run says, and a short run that leaves nothing."""

import keras
import numpy as np

from tests.training.loop.toys import Toy, make_batches, make_run
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training.devices.memory_estimate import memory_estimate
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.trials import train_briefly


def test_memory_by_hand():
    """3 x 4 + 4 + 4 + 1 = 21 parameters: 4 bytes each for weight, gradient and Adam's two slots.

    Outputs of the layers: 3 (input), 4, 4 (dropout), 1 = 12 values per row, forward and backward, 10 rows.
    """
    assert memory_estimate(Toy(), "adamw", 10) == (21 * 4 * 4, 12 * 2 * 4 * 10)
    model = Toy()
    model.get_layer("hidden").trainable = False
    assert memory_estimate(model, "sgd", 10)[0] == 4 * (5 * 3 + 16)


def test_describe_prints_all_and_changes_nothing(tmp_path, capsys):
    model = Toy()
    before = model.get_weights()
    describe(model, make_batches(), make_run(tmp_path / "run", epochs=2.0, steps=0))
    out = capsys.readouterr().out
    lines = (
        '"out_dir"',
        "x: float32 (4, 3)",
        "hidden",
        "total",
        "steps: 6 of 4 from 10 rows",
        "memory, estimated: 0 MiB",
    )
    for part in lines:
        assert part in out, part
    assert not (tmp_path / "run").exists()
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_trial_trains_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    model = Toy()
    train_briefly(model, make_batches(), OptimizerConfig(learning_rate=0.1), steps=3)
    assert int(model.optimizer.iterations) == 3
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""
