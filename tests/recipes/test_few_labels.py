"""Sixteen labelled texts and nothing else: from `check` to a served model; what is refused; labels that may choose nothing."""

import contextlib
import csv
import io
import json

import keras
import numpy as np
import pytest

from tests.faults.tiny import WORDS, make_encoder, make_tokenizer
from tests.recipes.test_recipes import load, run_recipe
from tfpretune.backbones import SmallCNN
from tfpretune.cli.arguments import main
from tfpretune.errors import UsageError
from tfpretune.objectives import DenoisingAutoencoder, MaskedLM
from tfpretune.settings import launch
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import CheckpointFolder
from tfpretune.training.presets import load_task, save_preset

TINY = {"batch_size": 8, "steps": 12, "save_every_steps": 6, "precision": "float32"}
TINY |= {"optimizer": OptimizerConfig(name="sgd", learning_rate=0.3)}
TEXT = TINY | {"sequence_length": 8, "window_length": 0}


def rows(count=16):
    """Label yes has the upper half of the words."""
    random = np.random.default_rng(0)
    drawn = [random.integers(30 * (row % 2), 30 * (row % 2) + 30, 6) for row in range(count)]
    return [(" ".join(WORDS[word] for word in words), ("no", "yes")[row % 2]) for row, words in enumerate(drawn)]


def write(path, lines):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *lines])


def main_line(said):
    """The line with the main figures, which ends with the minutes."""
    return next(line for line in said.splitlines() if line.endswith(" minutes"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    keras.utils.set_random_seed(0)
    save_preset(folder / "text", MaskedLM(make_encoder()), tokenizer=make_tokenizer())
    save_preset(folder / "images", DenoisingAutoencoder(SmallCNN((8, 8, 1), (8,), groups=2)))
    write(folder / "few.csv", rows())
    write(folder / "rare.csv", [*rows(), (WORDS[0], "seldom"), (WORDS[1], "seldom")])
    for split, count in (("train", 16), ("test", 8)):
        for number, (text, label) in enumerate(rows(16 + count)[16:] if split == "test" else rows()):
            (folder / "own" / split / label).mkdir(parents=True, exist_ok=True)
            (folder / "own" / split / label / f"{number}.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def few(folder):
    """The run, what it returned and what it printed."""
    out, said = folder / "runs" / "few", io.StringIO()
    with contextlib.redirect_stdout(said):
        result = run_recipe(
            "finetune_text", **TEXT, source=f"csv:{folder}/few.csv", preset=str(folder / "text"), out_dir=str(out)
        )
    return out, result, said.getvalue()


def test_the_final_model_makes_all_steps_on_all_rows(few):
    """No figure chose a checkpoint; each fold made as many steps."""
    out, result, said = few
    assert (result.steps, result.best_step, result.stopped_early) == (12, None, False)
    assert not any(name.startswith("val_") for name in result.curves)
    assert "16 labelled examples are judged in folds: 5 folds x 2 repeats + the final model" in said
    assert "= 11 trainings of 12 steps" in said
    assert said.count("held-out texts") == 10
    identity = CheckpointFolder(out / "checkpoints").progress(12)["identity"]
    assert identity["weights that are kept"] == "the last"
    assert identity["contents of the training examples"].startswith("16, ")


def test_page_metrics_and_closing_line_say_out_of_fold(few):
    out, _, said = few
    metrics = json.loads((out / "report" / "metrics.json").read_text())
    page = (out / "report" / "index.html").read_text()
    assert (metrics["examples"], metrics["support/no"], metrics["folds"], metrics["fold_repeats"]) == (16, 8, 5, 2)
    assert metrics["accuracy"] == metrics["out_of_fold_accuracy"]
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    assert 0 <= low < metrics["accuracy"] <= high <= 1
    closing = f"accuracy {metrics['accuracy']:.2f} [{low:.2f}, {high:.2f}], "
    assert main_line(said).startswith(closing)
    assert ", out of fold, 5 x 2 folds of 16 texts (TF-IDF + logistic regression " in main_line(said)
    assert "few.csv: out of fold</h1>" in page
    assert "Out of fold: 5 x 2 folds of 16 texts" in page
    assert "TF-IDF + logistic regression" in page
    assert "The weights are those of the last step, 12" in page


def test_the_same_command_trains_nothing_again(few, folder, capsys):
    out, result, _ = few
    again = run_recipe(
        "finetune_text", **TEXT, source=f"csv:{folder}/few.csv", preset=str(folder / "text"), out_dir=str(out)
    )
    said = capsys.readouterr().out
    assert "held-out" not in said
    assert "resumed from step 12 of 12" in said
    assert again.curves == result.curves


def test_it_is_served_and_its_card_says_how_it_was_judged(few, folder, capsys):
    out, _, _ = few
    task = load_task(out / "preset")[1]
    assert task["judged"].endswith("5 x 2 folds of 16 texts")
    version = run_recipe("export", run_dir=str(out), saved_models=str(folder / "saved"), fast=True)
    card = (version / "assets.extra" / "model_card.md").read_text()
    assert f"{task['judged'][1:]}: each answer by a model that had not seen the example" in card
    assert "The model here learnt from all of them" in card


def test_it_is_not_judged_by_what_it_learnt(few, folder, tmp_path):
    out, _, _ = few
    message = "few learnt from all of csv:.*few.csv and was judged in folds .accuracy .*give other labelled examples"
    with pytest.raises(UsageError, match=message):
        run_recipe("evaluate", run_dir=str(out), out_dir=str(tmp_path / "again"))
    write(tmp_path / "more.csv", rows(40)[16:])
    run_recipe(
        "evaluate", run_dir=str(out), source=f"csv:{tmp_path}/more.csv", split="all", out_dir=str(tmp_path / "more")
    )
    assert json.loads((tmp_path / "more" / "report" / "metrics.json").read_text())["examples"] == 24


def test_a_dry_run_says_what_it_costs(folder, tmp_path, capsys):
    given = {"source": f"csv:{folder}/few.csv", "preset": str(folder / "text"), "out_dir": str(tmp_path / "run")}
    assert run_recipe("finetune_text", **TEXT, **given, dry_run=True) is None
    assert "= 11 trainings of 12 steps" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_a_class_of_two_rows_is_one_line(folder, tmp_path):
    with pytest.raises(
        UsageError, match="class 'seldom' of csv:.* has 2 examples.*: 3 are needed .*leave the class out"
    ):
        run_recipe(
            "finetune_text",
            **TEXT,
            source=f"csv:{folder}/rare.csv",
            preset=str(folder / "text"),
            out_dir=str(tmp_path / "run"),
        )


def test_a_test_split_of_the_source_is_reported_beside(folder, tmp_path, capsys):
    out = tmp_path / "run"
    own = {"source": f"text:{folder}/own", "preset": str(folder / "text"), "fast": True}
    run_recipe("finetune_text", **TEXT, **own, out_dir=str(out))
    said = capsys.readouterr().out
    metrics = json.loads((out / "report" / "metrics.json").read_text())
    assert (metrics["examples"], metrics["folds"], metrics["fold_repeats"]) == (8, 2, 1)
    assert "out_of_fold_accuracy_low" in metrics
    closing = main_line(said)
    assert closing.startswith(f"test accuracy {metrics['accuracy']:.3f}")
    assert ", out of fold, 2 x 1 folds of 16 texts; " in closing
    assert " on 8 texts (" in closing
    run_recipe("evaluate", run_dir=str(out), out_dir=str(tmp_path / "again"))  # its test split was held out


def test_labels_per_class_choose_with_no_other_label(folder, tmp_path, capsys):
    """The validation split is not looked at, unless it is asked for; then the page says so."""
    own = TINY | {"source": "demo:digits", "preset": str(folder / "images"), "labels_per_class": 2, "fast": True}
    result = run_recipe("finetune_image", **own, out_dir=str(tmp_path / "last"))
    assert (result.best_step, "val_loss" in result.curves) == (None, False)
    assert "no other labels than those learnt from" in (tmp_path / "last" / "report" / "index.html").read_text()
    assert main_line(capsys.readouterr().out).startswith("test accuracy ")
    result = run_recipe("finetune_image", **own, choose_on_validation=True, out_dir=str(tmp_path / "best"))
    assert result.best_step == 3
    assert (
        "64 validation labels chose the weights, beside the 2 per class"
        in (tmp_path / "best" / "report" / "index.html").read_text()
    )
    with pytest.raises(UsageError, match="--patience and --labels-per-class: without --choose"):
        run_recipe("finetune_image", **own, patience=2, out_dir=str(tmp_path / "stop"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--folds", "0"], "--folds must be auto, none, or a number from 1 on, received 0"),
        (["--choose-on-validation"], "--choose-on-validation needs --labels-per-class"),
        (["--choose-on-validation", "--labels-per-class", "5", "--folds", "3"], "folds have no validation split"),
    ],
)
def test_options_that_make_no_sense(options, message, capsys):
    with pytest.raises(SystemExit) as stop:
        launch.parse(load("finetune_text").Config, options)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_options_are_read():
    for given, folds in ((["--folds", "7"], 7), (["--folds", "none"], "none"), ([], "auto")):
        assert launch.parse(load("finetune_pairs").Config, given).folds == folds


def test_check_takes_so_few(folder, capsys):
    main(["check", f"csv:{folder}/few.csv"])
    assert "no problems" in capsys.readouterr().out
