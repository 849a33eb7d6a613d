"""A recipe on a Ray cluster. The tests marked `ray` need the extra: `make test-ray`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow.python.framework.config import disable_op_determinism

from tests.training.loop import worker_recipe
from tfpretune.errors import UsageError
from tfpretune.runtime import ray_workers
from tfpretune.settings import launch
from tfpretune.settings.run import DevicesConfig

ROOT = Path(__file__).parents[2]


def command(folder, *options):
    return [
        *(sys.executable, "-m", "tests.training.loop.worker_recipe", "--devices.ray-workers", "2"),
        *("--out-dir", str(folder / "run"), "--result", str(folder / "result"), *options),
    ]


def run(folder, *options):
    return subprocess.run(
        command(folder, *options), cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip


def test_without_ray_one_line_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(ray_workers.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(sys, "argv", command(tmp_path)[2:])
    with pytest.raises(SystemExit) as end:
        launch.run(worker_recipe.Config, worker_recipe.main, None)
    assert end.value.code == 2
    expected = "error: --devices.ray-workers needs Ray, which is not installed: pip install 'tfpretune[ray]'\n"
    assert capsys.readouterr().err == expected


def test_a_negative_number_is_refused():
    with pytest.raises(UsageError, match="--devices.ray-workers must not be negative, received -1"):
        DevicesConfig(ray_workers=-1)


def test_a_worker_runs_the_recipe_with_the_same_options(monkeypatch, tmp_path):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(
        "import sys, pathlib, beside\npathlib.Path('seen').write_text(f'{__name__} {sys.argv[1]} {beside.X}')\n"
    )
    (tmp_path / "beside.py").write_text("X = 7\n")
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", [])
    job = {"folder": str(tmp_path), "search": str(tmp_path), "argv": [str(recipe), "--steps=3"]}
    ray_workers._work(job)
    assert (tmp_path / "seen").read_text() == "__main__ --steps=3 7"
    recipe.write_text("raise SystemExit(143)\n")
    with pytest.raises(RuntimeError, match="the recipe ended with exit code 143"):
        ray_workers._work(job)


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_two_ray_workers_learn_what_one_process_learns(tmp_path):
    """Eight steps with clipping and validation; then the same command again, and one that is refused."""
    two, one = tmp_path / "two", tmp_path / "one"
    first = run(two)
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    try:
        worker_recipe.main(worker_recipe.Config(out_dir=str(one / "run"), result=str(one / "result")))
    finally:
        disable_op_determinism()
    with np.load(one / "result.npz") as expected, np.load(two / "result.npz") as found:
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, atol=1e-5, err_msg=name)
    theirs, mine = (json.loads((folder / "result.json").read_text()) for folder in (one, two))
    for name in ("loss", "gradient_norm", "val_loss"):
        np.testing.assert_allclose(mine[name], theirs[name], atol=1e-5, err_msg=name)
    assert sorted(path.name for path in (two / "run").iterdir() if path.name[1:4] in ("ray", "wor")) == []
    again = run(two)
    assert again.returncode == 0
    assert "resumed from step 8 of 8" in again.stdout + again.stderr
    other = run(two, "--batch-size", "2")
    assert other.returncode == 2
    assert "was started with other settings (batch_size: 4 -> 2)" in other.stdout + other.stderr
