"""Checkpoints: everything comes back, damage is found, the right ones are kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import ROWS, Toy
from tfpretune.errors import RunError
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.run_variables import LoadReport, restore, run_variables, snapshot


def make_model(dropout=0.5):
    model = Toy(dropout)
    model.compile(keras.optimizers.Adam(0.1))
    model.optimizer.build(model.trainable_variables)
    return model


def train(model, steps=2):
    for _ in range(steps):
        model.train_step({name: tf.constant(column) for name, column in ROWS.items()})


def values(model):
    return {name: variable.numpy().tolist() for name, variable in run_variables(model).items()}


def flip_a_byte(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def test_everything_comes_back(tmp_path):
    """Weights, Adam's two moments and step number, and the state of the dropout's random numbers."""
    model, folder = make_model(), CheckpointFolder(tmp_path)
    train(model)
    folder.save(snapshot(model), 2, {"best": 0.5})
    saved = values(model)
    assert [name.split("/")[2] for name in saved if name.startswith("model/")].count("seed_generator_state") == 1
    assert len(saved) == 4 + 1 + 2 + 2 * 4  # weights; seed; step and rate; moments
    train(model)
    after = values(model)
    assert all(after[name] != saved[name] for name in saved if not name.endswith("learning_rate"))
    other = make_model()
    assert folder.load(other, 2) == {"best": 0.5, "step": 2}
    assert values(other) == saved
    train(other)
    assert values(other) == after


def test_metrics_are_no_part_of_a_checkpoint():
    model = make_model()
    assert not any("total" in name or "count" in name for name in run_variables(model))


def test_the_newest_the_one_before_and_the_best_are_kept(tmp_path):
    model, folder = make_model(), CheckpointFolder(tmp_path)
    for step in (2, 4, 6, 8):
        folder.save(snapshot(model), step, {}, best_step=2)
    assert folder.steps() == [2, 6, 8]
    folder.save(snapshot(model), 10, {}, best_step=10)
    assert folder.steps() == [8, 10]
    assert sorted(path.name for path in folder.path(10).iterdir()) == [
        "manifest.json",
        "progress.json",
        "state.safetensors",
    ]


def test_one_flipped_byte_is_found_and_the_one_before_is_taken(tmp_path, capsys):
    model, folder = make_model(), CheckpointFolder(tmp_path)
    for step in (2, 4):
        folder.save(snapshot(model), step, {})
    flip_a_byte(folder.path(4) / "state.safetensors")
    with pytest.raises(RunError, match=r"step-00000004/state.safetensors is damaged"):
        folder.load(model, 4)
    assert folder.newest() == 2
    assert "warning: checkpoint skipped: " in capsys.readouterr().out
    assert folder.steps() == [2]
    assert (tmp_path / "damaged-step-00000004").is_dir()
    folder.save(snapshot(model), 4, {})  # the run comes by again
    assert folder.newest() == 4


def test_when_all_are_damaged_the_run_does_not_begin_again_in_silence(tmp_path):
    model, folder = make_model(), CheckpointFolder(tmp_path)
    assert folder.newest() is None
    folder.save(snapshot(model), 2, {})
    (folder.path(2) / "progress.json").unlink()
    with pytest.raises(RunError, match="every checkpoint in .* is damaged: remove the folder to begin again"):
        folder.newest()
    assert folder.steps() == [2]


def test_what_is_not_finite_is_not_saved(tmp_path):
    model, folder = make_model(), CheckpointFolder(tmp_path)
    folder.save(snapshot(model), 2, {})
    model.get_layer("hidden").bias.assign([1.0, np.nan, 1.0, 1.0])
    with pytest.raises(RunError, match=r"step 4: 1 of 15 variables hold values .* model/00001/bias: not saved"):
        folder.save(snapshot(model), 4, {})
    assert folder.steps() == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]


def test_another_model_is_refused_by_name(tmp_path):
    folder = CheckpointFolder(tmp_path)
    folder.save(snapshot(make_model()), 2, {})
    x = keras.Input((3,), name="x")
    other = keras.Model(x, keras.layers.Dense(5, name="hidden")(x))
    with pytest.raises(
        RunError,
        match=r"does not fit the model, 0 of 2 variables loaded; mismatched: model/00000/kernel \(3, 4\) for \(3, 5\)",
    ):
        folder.load(other, 2)


def test_load_report_by_hand():
    variables = {"a": keras.Variable([0.0, 0.0]), "b": keras.Variable([0.0]), "c": keras.Variable([0.0])}
    report = restore(variables, {"a": np.array([1.0, 2.0]), "b": np.zeros((2, 1)), "d": np.zeros(3)})
    assert report == LoadReport(["a"], ["c"], ["b (2, 1) for (1,)"], ["d"])
    np.testing.assert_array_equal(variables["a"], [1, 2])


def test_half_written_folders_are_not_seen(tmp_path):
    folder = CheckpointFolder(tmp_path / "checkpoints")
    assert folder.steps() == []
    folder.save(snapshot(make_model()), 2, {})
    (folder.folder / ".tmp-step-00000004-x").mkdir()
    (folder.folder / "step-4").mkdir()
    assert folder.steps() == [2]
