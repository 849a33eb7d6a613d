"""Runs with an own test file, half-labelled tables, tables of image paths, folders train and test."""

import csv
import json
import random

import numpy as np
import pytest
from PIL import Image

from tests.recipes.test_recipes import load
from tfpretune.backbones import SmallCNN, TextEncoder, TextEncoderTokenizer
from tfpretune.cli.arguments import main
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.data.splits.form import SplitForm
from tfpretune.data.splits.rule import CONTENTS
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier
from tfpretune.settings import FinetuneConfig
from tfpretune.tasks.labels import open_splits, raw_examples
from tfpretune.training.presets import save_preset

WORDS = ["".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz", k=5)) for number in range(200)]


def text(number, label):
    generator = random.Random(number)
    own = WORDS[:30] if label == "good" else WORDS[30:60]
    return " ".join(generator.choice(own if generator.random() < 0.5 else WORDS) for _ in range(25))


def write(path, rows, header=("text", "label")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return f"csv:{path}"


def labelled(numbers):
    return [(text(number, label), label) for number in numbers for label in (("bad", "good")[number % 2],)]


@pytest.fixture
def tables(tmp_path):
    """60 labelled and 300 blank rows, of which one stands in the own test file of 30."""
    blank = [(text(number, ("bad", "good")[number % 2]), "") for number in range(1000, 1300)]
    test = labelled(range(5000, 5030))
    rows = [*labelled(range(60)), *blank, (test[0][0], " ")]
    random.Random(0).shuffle(rows)
    return write(tmp_path / "reviews.csv", rows), write(tmp_path / "test.csv", test)


def settings(source, folder, **more):
    return FinetuneConfig(source, str(folder), steps=1, preset="runs/p/preset", **more)


def test_a_run_opens_its_own_test_file_and_says_what_it_leaves_out(tables, tmp_path, capsys):
    source, test = tables
    parts = open_splits(settings(source, tmp_path, test_source=test))
    assert (len(parts.train) + len(parts.validation), len(parts.test)) == (60, 30)
    said = capsys.readouterr().out
    assert "301 of 361 rows have no label and are left out of what is learnt from labels" in said
    task = parts.as_task()
    assert (task["source"], task["test_source"]) == (source, test)
    assert {*raw_examples(source, task, 3)} <= {*parts.test.inputs}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fractions": (0.8, 0.1, 0.2)}, "--fractions must be three numbers that sum to 1, .* received 0.8 0.1 0.2"),
        ({"fractions": (0.0, 0.5, 0.5)}, "--fractions must be three numbers that sum to 1, the first above 0"),
        ({"test_source": "csv:a.csv"}, "--test-source csv:a.csv is --source"),
        (
            {"validation_source": "csv:b.csv", "test_source": "csv:b.csv"},
            "--validation-source and --test-source are both",
        ),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, given, message):
    with pytest.raises(UsageError, match=message):
        settings("csv:a.csv", tmp_path, **given)


def test_a_run_of_before_goes_on_with_the_split_of_before(tmp_path, capsys):
    """Its checkpoint names the contents that it was trained on."""
    source = write(tmp_path / "a.csv", [(f"word {row}", ("no", "yes")[row % 2]) for row in range(24)])
    run = settings(source, tmp_path / "run", folds="none")
    before, now = (
        labelled_splits(source, splits=SplitForm(rule=rule)).train.fingerprint()[CONTENTS] for rule in (2, 3)
    )
    assert before != now
    for begun, expected in ((before, before), (now, now), ("of other data", now)):
        folder = tmp_path / "run/checkpoints/step-00000001"
        folder.mkdir(parents=True, exist_ok=True)
        progress = {"identity": {"contents of the training examples": begun}}
        (folder / "progress.json").write_text(json.dumps(progress))
        capsys.readouterr()
        parts = open_splits(run)
        assert parts.train.fingerprint()[CONTENTS] == expected
        assert ("was begun by an earlier version" in capsys.readouterr().out) == (begun == before)
        assert parts.as_task()["split_rule"] == (2 if begun == before else 3)


@pytest.mark.parametrize("kind", ["text", "image"])
def test_evaluate_reads_the_own_test_source_of_a_run(tables, tmp_path, capsys, kind):
    task = {"class_names": ["bad", "good"], "license": "", "kind": kind, "split_rule": 3}
    if kind == "text":
        source, test = tables
        model = classifier(TextEncoder(len(WORDS) + 5, 1, num_heads=1, hidden_dim=4, intermediate_dim=4), 2)
        tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, *WORDS], lowercase=True)
        task |= {"sequence_length": 8}
    else:
        source, test = (images(tmp_path, name, count) for name, count in (("a", 40), ("b", 30)))
        model, tokenizer = classifier(SmallCNN((8, 8, 1), (8,)), 2), None
        task |= {"image_shape": [8, 8, 1], "image_column": "file"}
    task |= {"source": source, "test_source": test}
    save_preset(tmp_path / "run/preset", model, tokenizer=tokenizer, task=task)
    recipe = load("evaluate")
    run = recipe.Config(run_dir=str(tmp_path / "run"), out_dir=str(tmp_path / "report"))
    recipe.main(run)
    assert "on 30 " in capsys.readouterr().out
    recipe.main(
        recipe.Config(run_dir=str(tmp_path / "run"), source=test, split="all", out_dir=str(tmp_path / "report"))
    )
    assert "on 30 " in capsys.readouterr().out


def images(folder, name, count, *, in_folders=False):
    """Writes images of two classes: a table of them, with paths that begin at the folder of the table, or class folders."""
    rows = []
    for number in range(count):
        pixels = np.random.default_rng([number, count]).integers(0, 120, (8, 8)).astype(np.uint8)
        label = ("bad", "good")[number % 2]
        pixels[2:6, 2:6] += 100 * (label == "good")
        path = folder / name / (label if in_folders else "") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        rows.append((f"{name}/{number}.png", label))
    return f"images:{folder}/{name}" if in_folders else write(folder / f"{name}.csv", rows, ("file", "label"))


def command(*args):
    """Runs `tfpretune …`; raises where it does not end well."""
    assert main([*map(str, args)]) == 0


SMALL = ("--steps", 6, "--batch-size", 8, "--save-every-steps", 6)


def test_a_half_labelled_table_goes_all_the_way(tables, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source, test = tables
    own, window = ("--source", source, "--test-source", test), ("--sequence-length", 32)
    command("check", source, "--test-source", test)
    vocabulary = ("--vocabulary-size", 400)
    command("run", "pretrain_text", *own, "--out-dir", "runs/a", *SMALL, *window, *vocabulary)
    assert "1 examples are left out because of" in capsys.readouterr().out
    tuned = ("--preset", "runs/a/preset", "--out-dir", "runs/b")
    command("run", "finetune_text", *own, *tuned, *SMALL, *window, "--window-length", 32)
    command("run", "evaluate", "--run-dir", "runs/b", "--out-dir", "runs/c")
    assert capsys.readouterr().out.count("on 30 texts") == 2
    command("export", "runs/b", "--name", "own", "--saved-models", "saved")
    command("verify", "saved/own")


@pytest.mark.parametrize("layout", ["folders", "table"])
def test_images_go_all_the_way(tmp_path, monkeypatch, capsys, layout):
    monkeypatch.chdir(tmp_path)
    if layout == "folders":
        for part, count in (("train", 40), ("test", 12)):
            images(tmp_path, f"all/{part}", count, in_folders=True)
        given = ("--source", f"images:{tmp_path}/all")
    else:
        given = ("--source", images(tmp_path, "a", 40), "--test-source", images(tmp_path, "b", 12))
        given += ("--image-column", "file")
    command("check", given[1], *given[2:])
    shape = ("--image-shape", 8, 8, 1, "--patch-size", 2)
    command("run", "pretrain_image", *given, "--out-dir", "runs/a", *SMALL, *shape)
    command("run", "finetune_image", *given, "--preset", "runs/a/preset", "--out-dir", "runs/b", *SMALL)
    command("run", "evaluate", "--run-dir", "runs/b", "--out-dir", "runs/c")
    assert capsys.readouterr().out.count("on 12 images") == 2
    command("export", "runs/b", "--name", "own", "--saved-models", "saved")
