"""kill -9 at any moment: nothing unreadable, nothing left over, and the run ends with the same bits."""

import os
import platform
import random
import re
import time

import pytest

from tests.faults import state
from tests.faults.children import Child, recipe, run
from tests.faults.tiny import options
from tests.faults.toy_runs import train
from tfpretune import files

STEPS = 12
TOY = {"steps": STEPS, "save_every_steps": 1, "save_every_minutes": 0.0}


def kill_and_go_on(out_dir, work, *args, kills, seed, delay):
    """Kills the run `kills` times, at a random moment of at most `delay` s after a random step, then lets it end."""
    dice = random.Random(seed)
    stops = sorted(dice.sample(range(1, STEPS), kills))
    for number, step in enumerate(stops):
        with Child(f"{out_dir}-{number}.log", work, *args) as child:
            assert child.wait_until(lambda step=step: max(state.steps(out_dir), default=0) >= step), child.printed
            time.sleep(dice.uniform(0, delay))
        state.check_all(out_dir)
    code, printed = run(f"{out_dir}-last.log", work, *args)
    assert code == 0, printed
    assert "resumed from step" in printed
    assert state.leftovers(out_dir) == []
    return kills


def whole_run(out_dir, work, *args):
    code, printed = run(f"{out_dir}.log", work, *args)
    assert code == 0, printed


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_killed_run_ends_with_the_same_bits(tmp_path, replicas):
    """Normalisation statistics, dropout, noise, AdamW, averages, patience; a save after every step."""
    whole_run(tmp_path / "whole", train, tmp_path / "whole", TOY, replicas)
    cut = tmp_path / "cut"
    kill_and_go_on(cut, train, cut, TOY, replicas, kills=2 if replicas == 1 else 1, seed=replicas, delay=0.3)
    state.assert_same(tmp_path / "whole", cut, STEPS)


def test_a_killed_recipe_ends_with_the_same_bits(tmp_path, tiny):
    check_recipe(tmp_path, tiny, "pretrain_text", 1, kills=1, seed=3)


LONG = [
    (name, replicas, 4 * replicas + number)
    for number, name in enumerate(("pretrain_image", "pretrain_text", "finetune_image", "finetune_text"))
    for replicas in (1, 2)
]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("name", "replicas", "seed"), LONG)
def test_killed_recipes_end_with_the_same_bits(tmp_path, tiny, name, replicas, seed):
    check_recipe(tmp_path, tiny, name, replicas, kills=3, seed=seed)


def check_recipe(tmp_path, tiny, name, replicas, *, kills, seed):
    """Twelve steps, three to a save; the preset's weights and the report's figures are the same, too."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    more = ("--devices.replicas", replicas, "--optimizer.ema", 0.9)
    whole_run(whole, recipe, name, *options(name, tiny, whole, *more))
    kill_and_go_on(cut, recipe, name, *options(name, tiny, cut, *more), kills=kills, seed=seed, delay=1.0)
    state.assert_same(whole, cut, STEPS)
    weights = [next((place / "preset").glob("model.weights.h5")) for place in (whole, cut)]
    assert state.weights(weights[0]) == state.weights(weights[1])
    figures, others = ((place / "report" / "metrics.json").read_text() for place in (whole, cut))
    assert figures == others


def test_kills_while_saving_leave_no_unreadable_checkpoint(tmp_path):
    kill_in_saves(tmp_path, kills=3, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_kills_while_saving_leave_no_unreadable_checkpoint(tmp_path):
    kill_in_saves(tmp_path, kills=24, seed=1)


def kill_in_saves(tmp_path, *, kills, seed):
    """A state of 40 MB after every step, so that it is nearly always being written; each start goes on from the last."""
    dice, inside = random.Random(seed), 0
    settings = TOY | {"steps": 10**6, "keep_checkpoints": 2}
    for number in range(kills):
        before = max(state.steps(tmp_path / "run"), default=0)
        with Child(tmp_path / "log", train, tmp_path / "run", settings, 1, 200_000) as child:
            if number:
                assert child.wait_until(lambda: "resumed from step" in child.printed), child.printed
            found = child.wait_until(lambda step=before: max(state.steps(tmp_path / "run"), default=0) > step)
            assert found, child.printed
            time.sleep(dice.uniform(0, 0.5))
        inside += bool(state.leftovers(tmp_path / "run" / "checkpoints"))
        assert state.check_all(tmp_path / "run") >= 1
        # One more than the last that had its name, where the next was whole but for its name.
        assert number == 0 or int(re.search(r"resumed from step (\d+) of", child.printed)[1]) in (before, before + 1)
        assert len(state.leftovers(tmp_path / "run" / "checkpoints")) <= 1  # those of the kills before are gone
    assert inside


def export_for_ever(folder):
    """Exports one version after the other of a tiny model."""
    from tests.faults.tiny import make_encoder, make_tokenizer
    from tfpretune.finetune import classifier
    from tfpretune.serving import export

    model = classifier(make_encoder(), 2)
    settings = {"kind": "text", "class_names": ("a", "b"), "tokenizer": make_tokenizer(), "sequence_length": 8}
    while True:
        export(model, folder, name="model", **settings)


def test_a_kill_while_exporting_leaves_no_unreadable_version(tmp_path):
    kill_in_exports(tmp_path, kills=2, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_kills_while_exporting_leave_no_unreadable_version(tmp_path):
    kill_in_exports(tmp_path, kills=6, seed=1)


def kill_in_exports(tmp_path, *, kills, seed):
    dice, folder = random.Random(seed), tmp_path / "saved" / "model"
    for _ in range(kills):
        before = len(list(folder.glob("[0-9]*")))
        with Child(tmp_path / "log", export_for_ever, tmp_path / "saved") as child:
            found = child.wait_until(lambda old=before: len(list(folder.glob("[0-9]*"))) > old)
            assert found, child.printed
            time.sleep(dice.uniform(0, 1.0))
        versions = sorted(path.name for path in folder.glob("[0-9]*"))
        assert state.check_all(tmp_path / "saved") == len(versions) > before


def test_what_was_whole_but_for_its_name_gets_it_and_the_rest_goes(tmp_path):
    """A kill between the two renames of a replacement: neither folder has the name, both are whole."""
    made = tmp_path / "preset"
    with files.atomic_folder(made) as part:
        (part / "weights").write_text("new")
    dead = f"{platform.node()}-999999999-0123abcd"
    made.rename(tmp_path / f".tmp-preset-{dead}-0")
    (tmp_path / f".tmp-half-{dead}-0").mkdir()
    (tmp_path / f".tmp-config.json-{dead}-0").write_text("{")
    alive = tmp_path / f".tmp-other-{platform.node()}-{os.getppid()}-0123abcd-0"
    alive.mkdir()
    same_number = tmp_path / f".tmp-older-{platform.node()}-{os.getpid()}-0123abcd-0"  # a container that was restarted
    same_number.mkdir()
    files.remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [alive.name, "preset"]
    files.check_manifest(made)
