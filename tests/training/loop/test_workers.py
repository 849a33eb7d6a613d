"""Two real worker processes: what they learn, what they write, and what happens when one of them goes."""

import json
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from tensorflow.python.framework.config import disable_op_determinism

from tests.training.loop import worker_recipe
from tests.training.loop.worker_processes import finish, start
from tfpretune.settings.run import OptimizerConfig, RunConfig
from tfpretune.training.loop.checkpoints import CheckpointFolder


def options(folder, **settings):
    return ["--out-dir", folder / "run", "--result", folder / "result"] + [
        part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)
    ]


def text(worker):
    return worker.log.read_text("utf-8")


def run_two(folder, **settings):
    folder.mkdir(exist_ok=True)
    workers = start(folder, options(folder, **settings))
    codes = finish(workers)
    assert codes == [0, 0], "\n".join(text(worker)[-3000:] for worker in workers)
    return workers


def arrays(folder, worker=""):
    with np.load(folder / f"result{worker}.npz") as file:
        return dict(file)


def curves(folder, worker=""):
    found = json.loads(Path(folder, f"result{worker}.json").read_text())
    evaluated = found.pop("evaluated")
    return {name: points for name, points in found.items() if name != "examples_per_second"}, evaluated


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        pytest.param("toy", {"accumulate_steps": 2, "steps_per_execution": 2}, id="toy"),
        pytest.param("mlm", {}, id="mlm", marks=pytest.mark.slow),
        pytest.param("gradual", {}, id="gradual", marks=pytest.mark.slow),
        pytest.param("mlm", {"accumulate_steps": 2, "steps_per_execution": 2}, id="parts", marks=pytest.mark.slow),
    ],
)
def test_two_workers_learn_what_one_process_learns(tmp_path, model, settings):
    """Weights, optimizer, every logged metric and an evaluation; the last validation batch has one row, for one worker."""
    rate = 0.05 if model == "toy" else 1e-3  # Adam makes a full step of a gradient that is all rounding
    two = tmp_path / "two"
    run_two(two, model=model, **{"optimizer.learning_rate": rate}, **settings)
    one = tmp_path / "one"
    optimizer = OptimizerConfig(learning_rate=rate, warmup=0.0, clip_norm=0.5)
    try:
        worker_recipe.main(
            worker_recipe.Config(
                out_dir=str(one / "run"), result=str(one / "result"), model=model, optimizer=optimizer, **settings
            )
        )
    finally:
        disable_op_determinism()
    for worker in ("", ".worker-1"):
        for name, value in arrays(one).items():
            np.testing.assert_allclose(arrays(two, worker)[name], value, atol=1e-5, err_msg=name)
        (mine, evaluated), (theirs, expected) = curves(two, worker), curves(one)
        assert list(mine) == list(theirs)
        for name, points in theirs.items():
            np.testing.assert_allclose(mine[name], points, rtol=1e-5, atol=1e-5, err_msg=name)
        assert evaluated == pytest.approx(expected, abs=1e-5, rel=1e-5)
    assert [step for step, _ in mine["val_loss"]] == [4, 8]
    assert len(list((two / "run" / "logs").rglob("events*"))) == 2  # training and validation, of the chief alone
    assert not list((two / "run").glob(".worker-*"))


@pytest.mark.timeout(1800)
def test_a_killed_pair_goes_on_with_the_same_bits(tmp_path):
    """The chief dies by kill -9 in step 6 of 10, saved at 4; dropout has another mask on each worker."""
    settings = {"steps": 10, "dropout": 0.5}
    run_two(tmp_path / "whole", **settings)
    cut = tmp_path / "cut"
    cut.mkdir()
    chief, other = start(cut, options(cut, **settings), interrupt="0 6 SIGKILL")
    assert finish([chief, other]) == [-signal.SIGKILL, 1]
    assert "failed: worker 0 is gone, so this worker stops" in text(other)
    assert "Traceback" not in text(other)
    assert CheckpointFolder(cut / "run" / "checkpoints").steps() == [4]
    again = run_two(cut, **settings)
    assert all("resumed from step 4 of 10" in text(worker) for worker in again)
    assert_same(tmp_path / "whole", cut)


def assert_same(whole, cut):
    for worker in ("", ".worker-1"):
        for name, value in arrays(whole, worker).items():
            np.testing.assert_array_equal(arrays(cut, worker)[name], value, err_msg=name)
        assert curves(cut, worker) == curves(whole, worker)
    (seed,) = (name for name in arrays(cut) if "seed_generator" in name)
    np.testing.assert_array_equal(arrays(cut, ".worker-1")[seed] - arrays(cut)[seed], [1, 0])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_signal_to_one_stops_both_at_one_step(tmp_path):
    """SIGTERM reaches worker 1 in step 3, after the new start kill -9 in step 9: the chief sees it gone; the same bits."""
    settings = {"steps": 10, "dropout": 0.5}
    run_two(tmp_path / "whole", **settings)
    cut = tmp_path / "cut"
    cut.mkdir()
    checkpoints = CheckpointFolder(cut / "run" / "checkpoints")
    chief, other = start(cut, options(cut, **settings), interrupt="1 3 SIGTERM")
    assert finish([chief, other]) == [143, 143]
    (step,) = checkpoints.steps()
    assert step < 8
    assert f"another worker stops: saved after step {step}" in text(chief)
    assert f"SIGTERM: saved after step {step}" in text(other)
    chief, other = start(cut, options(cut, **settings), interrupt="1 9 SIGKILL")
    assert finish([chief, other]) == [1, -signal.SIGKILL]
    assert "failed: worker 1 is gone, so this worker stops" in text(chief)
    run_two(cut, **settings)
    assert_same(tmp_path / "whole", cut)


def test_shared_folder(tmp_path):
    run = RunConfig(source="toy", out_dir=str(tmp_path / ".worker-1"), steps=1)
    assert run.shared_dir == tmp_path


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)
