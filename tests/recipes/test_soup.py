"""`soup`: what its table compares, what it leaves, what it refuses."""

import json

import keras
import numpy as np
import pytest

from tests.faults.tiny import WORDS, make_encoder, make_tokenizer, write_texts
from tests.recipes.test_recipes import load, run_recipe
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier
from tfpretune.tasks.finetuning.finetuned_runs import starts_of
from tfpretune.training.presets import load_task, save_preset


def save_run(folder, seed, *, words=WORDS, classes=("a", "b"), width=8, preset="start"):
    """A run that nobody trained: the head points somewhere."""
    keras.utils.set_random_seed(seed)
    model = classifier(make_encoder(hidden_dim=width), len(classes), window_length=8)
    task = {"kind": "text", "class_names": list(classes), "source": f"csv:{folder.parent}/texts.csv", "license": ""}
    save_preset(
        folder / "preset",
        model,
        tokenizer=make_tokenizer(words),
        task=task | {"sequence_length": 16, "window_length": 8},
    )
    (folder / "config.json").write_text(json.dumps({"preset": preset, "from_scratch": False}), "utf-8")
    return str(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_texts(folder / "texts.csv")
    return folder, tuple(save_run(folder / name, seed) for seed, name in enumerate("xyz"))


def test_the_table_has_all_and_the_uniform_soup_is_left(runs, tmp_path, capsys):
    folder, run_dirs = runs
    table = run_recipe("soup", run_dirs=run_dirs, method="uniform", out_dir=str(tmp_path / "soup"))
    assert [row[0] for row in table.rows] == [*run_dirs, "uniform", "greedy", "mean", "vote", "stacked"]
    validation = {name: figure for name, figure, *_ in table.rows}
    assert validation["greedy"] >= max(validation[run_dir] for run_dir in run_dirs)
    assert validation["stacked"] >= 0.6  # random features, and words that tell the classes apart
    size = table.rows[0][3]
    assert [row[3] for row in table.rows] == [size] * 5 + [3 * size] * 2 + [3 * size + (3 * 2 + 1) * 2]
    out = capsys.readouterr().out
    assert "warning" not in out
    assert table.markdown() in out
    assert (tmp_path / "soup" / "soup.md").read_text("utf-8") == table.markdown()
    soup, task = load_task(tmp_path / "soup" / "preset")
    members = [load_task(f"{run_dir}/preset")[0].get_weights() for run_dir in run_dirs]
    for value, *others in zip(soup.get_weights(), *members, strict=True):
        np.testing.assert_allclose(value, np.mean(others, axis=0), atol=1e-6)
    metrics = json.loads((tmp_path / "soup" / "report" / "metrics.json").read_text("utf-8"))
    assert metrics["accuracy"] == task["metrics"]["accuracy"] == table.rows[3][2]
    assert (task["sequence_length"], task["source"]) == (16, f"csv:{folder}/texts.csv")


def test_members_of_another_width_have_no_soup_but_an_ensemble_that_is_exported(runs, tmp_path, capsys):
    folder, run_dirs = runs
    wide, out_dir = save_run(tmp_path / "wide", 6, width=16), str(tmp_path / "out")
    settings = {"run_dirs": (run_dirs[0], wide), "source": f"csv:{folder}/texts.csv", "out_dir": out_dir, "fast": True}
    with pytest.raises(UsageError, match=rf"^{wide} does not fit {run_dirs[0]}: backbone.hidden_dim: 8 -> 16; "):
        run_recipe("soup", **settings)
    table = run_recipe("soup", method="mean", **settings)
    assert f"no soup: {wide} does not fit {run_dirs[0]}: backbone.hidden_dim: 8 -> 16; " in capsys.readouterr().out
    assert [row[0] for row in table.rows] == [run_dirs[0], wide, "mean", "vote", "stacked"]
    exported = run_recipe("export", run_dir=out_dir, name="both", saved_models=str(tmp_path / "served"), fast=True)
    assert exported == tmp_path / "served" / "both" / "1"


def test_where_the_runs_began(runs, tmp_path):
    """A run without settings says nothing; one from scratch began from weights that no other has."""
    _, run_dirs = runs
    assert starts_of(run_dirs) == {"start"}
    for name, settings in (("other", {"preset": "p"}), ("scratch", {"preset": "start", "from_scratch": True})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(settings), "utf-8")
    scratch = f"{tmp_path}/scratch"
    found = starts_of([*run_dirs, f"{tmp_path}/other", scratch, f"{tmp_path}/none"])
    assert found == {"start", "p", f"{scratch} (scratch)"}


def test_what_does_not_go_together_is_refused_before_anything_is_written(runs, tmp_path):
    _, run_dirs = runs
    words = save_run(tmp_path / "words", 1, words=[*WORDS[:-1], "other"])
    classes = save_run(tmp_path / "classes", 1, classes=("b", "a"))
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=rf'{words} does not fit {run_dirs[0]}: vocabulary: "65 tokens, sha256 .* -> '):
        run_recipe("soup", run_dirs=(run_dirs[0], words), method="mean", out_dir=str(out))
    with pytest.raises(UsageError, match=r'class_names: \["a", "b"\] -> \["b", "a"\]'):
        run_recipe("soup", run_dirs=(run_dirs[0], classes), out_dir=str(out))
    with pytest.raises(UsageError, match="--source demo:bbc has the classes .*, .* was trained on a, b"):
        run_recipe("soup", run_dirs=run_dirs, source="demo:bbc", out_dir=str(out))
    with pytest.raises(UsageError, match="no/such/preset holds no fine-tuned model"):
        run_recipe("soup", run_dirs=(run_dirs[0], "no/such"), out_dir=str(out))
    assert not out.exists()
    for wrong in (run_dirs[:1], (run_dirs[0], run_dirs[0])):
        with pytest.raises(UsageError, match="--run-dirs needs at least two different folders, received "):
            load("soup").Config(run_dirs=wrong)
