"""A second run in a folder is refused before anything heavy is imported; what a killed run held is free at once."""

import os
import platform
import re
import subprocess
import sys

import pytest

from tests.faults.children import Child
from tests.faults.toy_runs import hold
from tfpretune.cli.arguments import main
from tfpretune.cli.recipes import recipes_folder, run_folder
from tfpretune.errors import UsageError
from tfpretune.runtime.lock import alone_in, refuse_if_held

HEAVY = """
import sys
from tfpretune.cli.arguments import main
try:
    code = main()
finally:
    print("heavy", [name for name in ("tensorflow", "keras", "numpy", "matplotlib") if name in sys.modules])
sys.exit(code)
"""
FOR_EVER = 10_000  # seconds; the holder is killed at the end of the test


@pytest.fixture
def holder(tmp_path):
    with Child(tmp_path / "log", hold, tmp_path / "run", FOR_EVER) as child:
        assert child.wait_until(lambda: "held" in child.printed), child.printed
        yield child


@pytest.mark.parametrize("how", ["option", "equals", "default", "config"])
def test_the_second_run_exits_2_before_anything_heavy_is_imported_naming_the_holder(tmp_path, holder, how):
    settings = tmp_path / "config.json"
    settings.write_text(f'{{"out_dir": "{tmp_path}/run"}}')
    (tmp_path / "mine.py").write_text(
        '"""Mine."""\nimport tensorflow\n\n\nclass Config:\n    out_dir: str = "run"\n\n\nraise RuntimeError("not reached")\n'
    )
    more = {
        "option": ["pretrain_image", "--out-dir", "run"],
        "equals": ["pretrain_image", "--steps", "5", "--out_dir=run"],
        "config": ["pretrain_image", "--config", str(settings)],
        "default": ["./mine.py"],
    }[how]
    command = [sys.executable, "-c", HEAVY, "run", *more]
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert second.returncode == 2, second.stderr
    assert second.stdout == "heavy []\n"
    assert second.stderr.count("\n") == 1
    assert re.search(
        rf"run is in use by process {holder.pid} on {re.escape(platform.node())} since 20\d\d-", second.stderr
    )


def test_a_recipe_as_a_script_is_refused_before_it_reads_any_data(tmp_path, holder):
    """It has imported TensorFlow by then; a source that is not there is not looked for."""
    script = str(recipes_folder() / "finetune_text.py")
    command = [sys.executable, script, "--out-dir", "run", "--source", "csv:no-such-file.csv", "--preset", "none"]
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert second.returncode == 2, second.stderr
    assert f"run is in use by process {holder.pid}" in second.stderr.splitlines()[-1]


def test_a_killed_holder_is_followed_at_once(tmp_path, holder):
    with pytest.raises(UsageError, match=f"in use by process {holder.pid} on "):
        refuse_if_held(tmp_path / "run")
    holder.kill()
    assert (tmp_path / "run" / ".holder.json").exists()  # it had no time to remove it
    refuse_if_held(tmp_path / "run")
    with alone_in(tmp_path / "run"):
        assert f'"process": {os.getpid()}' in (tmp_path / "run" / ".holder.json").read_text()
    assert not (tmp_path / "run" / ".holder.json").exists()


@pytest.mark.usefixtures("holder")
def test_help_and_other_folders_are_not_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["run", "pretrain_image", "--out-dir", str(tmp_path / "run"), "--help"])
    assert stop.value.code == 0
    assert "--out-dir" in capsys.readouterr().out
    refuse_if_held(tmp_path / "other")


def test_the_folder_of_a_run(tmp_path):
    recipe = recipes_folder() / "pretrain_text.py"
    assert str(run_folder(recipe, [])) == "runs/pretrain_text"
    assert str(run_folder(recipe, ["--out-dir", "a", "--out-dir=b"])) == "b"
    assert str(run_folder(recipe, ["--config", str(tmp_path / "none.json")])) == "runs/pretrain_text"
    (tmp_path / "x.py").write_text("def broken(:\n")
    assert run_folder(tmp_path / "x.py", ["--steps", "3"]) is None
