"""kill -9 inside the saves of runs and exports: nothing unreadable, nothing left over, the run ends with the same bits.

Each kill comes at a named point of a write, so that it is inside however fast the disk is, or at a random moment. All are in
`make test-long`; those of test_kill_files.py, which need no run, are in `make test`.
"""

import random
import re
import signal
import time

import pytest

from tests.faults import state
from tests.faults.children import Child, recipe, run
from tests.faults.points import killed_at
from tests.faults.tiny import options
from tests.faults.toy_runs import train

STEPS = 12
TOY = {"steps": STEPS, "save_every_steps": 1, "save_every_minutes": 0.0}
IN_A_SAVE = {  # point -> whether the checkpoint counts then: what is whole but for its name gets that at the next start
    "after mkdir 0": False,
    "inside save_file 1": False,
    "inside write_bytes 1": False,  # of the manifest
    "before fsync 1": True,
    "after fsync 4": True,
    "before rename 1": True,
    "after rename 1": True,
    "after fsync 5": True,
    "after rename 2": True,  # the oldest checkpoint goes
    "after rmdir 1": True,
}


def whole_run(out_dir, work, *args):
    code, printed = run(f"{out_dir}.log", work, *args)
    assert code == 0, printed


def kill_in_saves(out_dir, where, every, work, *args):
    """Kills the run once at each point, in the second save of its process, then lets it end.

    Args:
        out_dir: of the run.
        where: points of `IN_A_SAVE`; the run needs steps for two saves each.
        every: steps between two saves.
        work: what runs, with its `args`.
    """
    step = 0
    for number, point in enumerate(where):
        code, printed = run(f"{out_dir}-{number}.log", killed_at, point, ".tmp-step-", 2, work, *args)
        assert code == -signal.SIGKILL, f"{point} never came: {printed}"
        assert len(state.leftovers(out_dir)) <= 1
        assert step == 0 or f"resumed from step {step} of" in printed
        step += 2 * every if IN_A_SAVE[point] else every
        state.check_all(out_dir)
    code, printed = run(f"{out_dir}-last.log", work, *args)
    assert code == 0, printed
    assert f"resumed from step {step} of" in printed
    assert state.leftovers(out_dir) == []


@pytest.mark.parametrize(
    ("replicas", "where"),
    [
        (1, ("inside save_file 1", "before rename 1")),
        (2, ("inside write_bytes 1",)),
    ],
)
def test_a_run_that_is_killed_in_its_saves_ends_with_the_same_bits(tmp_path, replicas, where):
    """Normalisation statistics, dropout, noise, AdamW, averages, patience; a save after every step."""
    whole_run(tmp_path / "whole", train, tmp_path / "whole", TOY, replicas)
    kill_in_saves(tmp_path / "cut", where, 1, train, tmp_path / "cut", TOY, replicas)
    state.assert_same(tmp_path / "whole", tmp_path / "cut", STEPS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_that_is_killed_at_all_points_ends_with_the_same_bits(tmp_path):
    settings = TOY | {"steps": 2 * len(IN_A_SAVE) + 1}
    whole_run(tmp_path / "whole", train, tmp_path / "whole", settings)
    kill_in_saves(tmp_path / "cut", IN_A_SAVE, 1, train, tmp_path / "cut", settings)
    state.assert_same(tmp_path / "whole", tmp_path / "cut", settings["steps"])


def kill_at_moments(out_dir, work, *args, kills, seed, delay):
    """Kills the run `kills` times, at a random moment of at most `delay` s after a random step, then lets it end."""
    dice = random.Random(seed)
    for number, step in enumerate(sorted(dice.sample(range(1, STEPS), kills))):
        moment, code = dice.uniform(0, delay), None
        while code != -signal.SIGKILL:  # a run that is over before the moment comes begins again, and has half the time
            with Child(f"{out_dir}-{number}.log", work, *args) as child:
                assert child.wait_until(lambda step=step: max(state.steps(out_dir), default=0) >= step), child.printed
                time.sleep(moment)
            code, moment = child.code(), moment / 2
            assert code in (0, -signal.SIGKILL), child.printed
        state.check_all(out_dir)
    code, printed = run(f"{out_dir}-last.log", work, *args)
    assert code == 0, printed
    assert "resumed from step" in printed
    assert state.leftovers(out_dir) == []


def check_recipe(tmp_path, tiny, name, replicas, kill):
    """Twelve steps, three to a save; the preset's weights and the report's figures are the same, too."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    more = ("--devices.replicas", replicas, "--optimizer.ema", 0.9)
    whole_run(whole, recipe, name, *options(name, tiny, whole, *more))
    kill(cut, recipe, name, *options(name, tiny, cut, *more))
    state.assert_same(whole, cut, STEPS)
    weights = [next((place / "preset").glob("model.weights.h5")) for place in (whole, cut)]
    assert state.weights(weights[0]) == state.weights(weights[1])
    figures, others = ((place / "report" / "metrics.json").read_text() for place in (whole, cut))
    assert figures == others


def test_a_killed_recipe_ends_with_the_same_bits(tmp_path, tiny):
    def kill(out_dir, *work):
        kill_in_saves(out_dir, ("inside save_file 1",), 3, *work)

    check_recipe(tmp_path, tiny, "pretrain_text", 1, kill)


LONG = [
    (name, replicas, 4 * replicas + number)
    for number, name in enumerate(("pretrain_image", "pretrain_text", "finetune_image", "finetune_text"))
    for replicas in (1, 2)
]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "replicas", "seed"), LONG)
def test_recipes_killed_at_random_moments_end_with_the_same_bits(tmp_path, tiny, name, replicas, seed):
    def kill(out_dir, *work):
        kill_at_moments(out_dir, *work, kills=3, seed=seed, delay=1.0)

    check_recipe(tmp_path, tiny, name, replicas, kill)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_24_kills_at_random_moments_leave_no_unreadable_checkpoint(tmp_path):
    """A state of 40 MB after every step, so that it is nearly always being written; each start goes on from the last."""
    dice = random.Random(1)
    settings = TOY | {"steps": 10**6, "keep_checkpoints": 2}
    for number in range(24):
        before = max(state.steps(tmp_path / "run"), default=0)
        with Child(tmp_path / "log", train, tmp_path / "run", settings, 1, 200_000) as child:
            if number:
                assert child.wait_until(lambda: "resumed from step" in child.printed), child.printed
            found = child.wait_until(lambda step=before: max(state.steps(tmp_path / "run"), default=0) > step)
            assert found, child.printed
            time.sleep(dice.uniform(0, 0.5))
        assert state.check_all(tmp_path / "run") >= 1
        # One more than the last that had its name, where the next was whole but for its name.
        assert number == 0 or int(re.search(r"resumed from step (\d+) of", child.printed)[1]) in (before, before + 1)
        assert len(state.leftovers(tmp_path / "run" / "checkpoints")) <= 1  # those of the kills before are gone


def export_for_ever(folder):
    """Exports one version after the other of a tiny model."""
    from tests.faults.tiny import make_encoder, make_tokenizer
    from tfpretune.finetune import classifier
    from tfpretune.serving import export

    model = classifier(make_encoder(), 2)
    settings = {"kind": "text", "class_names": ("a", "b"), "tokenizer": make_tokenizer(), "sequence_length": 8}
    while True:
        export(model, folder, name="model", **settings)


def check_versions(folder):
    """Every version that TF Serving would see is whole; returns how many there are."""
    versions = sorted(path.name for path in folder.glob("[0-9]*"))
    assert state.check_all(folder) == len(versions)
    return len(versions)


@pytest.mark.parametrize(
    "point",
    [
        "inside write_bytes 1",  # of the manifest
        "after rename 1",
        pytest.param("inside write_text 1", marks=pytest.mark.slow),
        pytest.param("before rename 1", marks=pytest.mark.slow),
    ],
)
def test_a_kill_in_an_export_leaves_whole_versions(tmp_path, point):
    """The second version comes with its name: before that there is one, and a rename later there are two."""
    code, printed = run(tmp_path / "log", killed_at, point, ".tmp-", 2, export_for_ever, tmp_path / "saved")
    assert code == -signal.SIGKILL, printed
    assert check_versions(tmp_path / "saved" / "model") == (2 if point == "after rename 1" else 1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_exports_killed_at_random_moments_leave_whole_versions(tmp_path):
    dice, folder = random.Random(1), tmp_path / "saved" / "model"
    for _ in range(6):
        before = len(list(folder.glob("[0-9]*")))
        with Child(tmp_path / "log", export_for_ever, tmp_path / "saved") as child:
            found = child.wait_until(lambda old=before: len(list(folder.glob("[0-9]*"))) > old)
            assert found, child.printed
            time.sleep(dice.uniform(0, 1.0))
        assert check_versions(folder) > before
