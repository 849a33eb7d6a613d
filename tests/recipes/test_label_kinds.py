"""Sets of labels and numbers, of texts, pairs and images: from a preset to a served model, at their smallest."""

import csv
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.faults.tiny import WORDS, make_encoder, make_tokenizer
from tests.recipes.test_recipes import load, run_recipe
from tfpretune.backbones import SmallCNN
from tfpretune.cli.arguments import main
from tfpretune.data.batches.pairs import encode_all_pairs
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.data.text.tokens import encode_all
from tfpretune.errors import UsageError
from tfpretune.evaluation.metrics.multi_label import multi_label_metrics
from tfpretune.evaluation.metrics.regression import regression_metrics
from tfpretune.finetune import pooled_head
from tfpretune.objectives import DenoisingAutoencoder, MaskedLM, MultiLabel, Regression
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training.presets import load_task, save_preset

TINY = {"batch_size": 8, "steps": 16, "save_every_steps": 8, "jit": "off", "precision": "float32"}
TINY |= {"optimizer": OptimizerConfig(learning_rate=2e-2)}
TEXT = TINY | {"sequence_length": 16}
NAMES = ("high", "low", "mid")


def write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def text_of(numbers):
    return " ".join(WORDS[number] for number in numbers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The labels of a text say which thirds of the words it has; its number is their mean. A pair's is how many it shares."""
    folder, random = tmp_path_factory.mktemp("kinds"), np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    save_preset(folder / "text", MaskedLM(make_encoder()), tokenizer=make_tokenizer())
    save_preset(folder / "images", DenoisingAutoencoder(SmallCNN((8, 8, 1), (8,), groups=2)))
    drawn = [random.integers(0, 60, random.integers(1, 5)) for _ in range(240)]
    thirds = [";".join(sorted({("low", "mid", "high")[number // 20] for number in row})) for row in drawn]
    write(
        folder / "sets.csv",
        ("text", "label"),
        [(text_of(row), label) for row, label in zip(drawn, thirds, strict=True)],
    )
    write(folder / "numbers.csv", ("text", "label"), [(text_of(row), f"{row.mean():.2f}") for row in drawn])
    pairs = [(row, np.concatenate([row[: number % 5], random.integers(0, 60, 2)])) for number, row in enumerate(drawn)]
    rows = [(text_of(row), text_of(other), len({*row} & {*other})) for row, other in pairs]
    write(folder / "pairs.csv", ("text", "text_pair", "label"), rows)
    return folder


@pytest.fixture(scope="module")
def sets(folder):
    out = folder / "runs" / "sets"
    own = {"source": f"csv:{folder}/sets.csv", "label_kind": "multi-label", "balance_classes": True, "window_length": 8}
    run_recipe("finetune_text", **TEXT, **own, preset=str(folder / "text"), out_dir=str(out))
    return out


def figures(out):
    return json.loads((out / "report" / "metrics.json").read_text("utf-8"))


def exported(out, folder):
    return tf.saved_model.load(
        str(run_recipe("export", run_dir=str(out), saved_models=str(folder / "saved"), fast=True))
    )


def measured(out):
    """The figures of the model, without those of the baselines beside it."""
    return {name: value for name, value in figures(out).items() if not name.startswith("baseline_")}


def test_sets_of_texts(sets, folder):
    """The report is what the figures' function says of the predictions; the served model gives labels from its threshold."""
    model, task = load_task(sets / "preset")
    assert isinstance(model.target, MultiLabel)
    assert (tuple(task["class_names"]), task["label_separator"]) == (NAMES, ";")
    test = labelled_splits(task["source"], SourceForm(label_kind="multi-label")).test
    copies = test.near_copies()
    answers = keras.ops.sigmoid(model(encode_all(make_tokenizer(), test.inputs, sequence_length=16)))
    expected = multi_label_metrics(test.labels, answers, NAMES, threshold=task["threshold"])
    assert measured(sets) == pytest.approx(expected | copies | {"threshold": task["threshold"]}, abs=1e-5)
    assert figures(sets) == task["metrics"]
    served = exported(sets, folder).signatures["serving_default"](texts=tf.constant(test.inputs))
    np.testing.assert_allclose(served["probabilities"], answers, atol=1e-5)
    given = served["fits"].numpy()
    assert 2 * (given & (test.labels == 1)).sum() / (given.sum() + test.labels.sum()) == pytest.approx(
        expected["f1_micro"]
    )


def test_evaluation_has_the_same_figures(sets, tmp_path):
    run_recipe("evaluate", run_dir=str(sets), out_dir=str(tmp_path / "again"))
    assert figures(tmp_path / "again") == pytest.approx(measured(sets), abs=1e-6)


def test_soups_of_sets(sets, folder, tmp_path):
    """Two runs that differ by noise: uniform and greedy soups, judged by mean average precision; no ensembles."""
    model, task = load_task(sets / "preset")
    for weight in model.trainable_weights:
        weight.assign_add(keras.random.normal(weight.shape, seed=1) * 0.01)
    other = tmp_path / "other"
    save_preset(other / "preset", model, tokenizer=make_tokenizer(), task=task | {"threshold": 0.3})
    run = {"run_dirs": (str(sets), str(other)), "out_dir": str(tmp_path / "soup")}
    with pytest.raises(UsageError, match="--method vote joins classifiers: of labels that are sets there are uniform"):
        run_recipe("soup", method="vote", **run)
    table = run_recipe("soup", method="uniform", **run)
    assert [row[0] for row in table.rows] == [str(sets), str(other), "uniform", "greedy"]
    assert table.columns[1] == "validation mean average precision"
    assert table.rows[3][1] >= max(row[1] for row in table.rows[:2])
    assert figures(tmp_path / "soup")["average_precision_macro"] == pytest.approx(table.rows[2][2])
    assert load_task(tmp_path / "soup" / "preset")[1]["threshold"] == figures(tmp_path / "soup")["threshold"]


def test_numbers_of_texts(folder, tmp_path):
    out = tmp_path / "run"
    own = {"source": f"csv:{folder}/numbers.csv", "label_kind": "regression", "window_length": 0, "steps": 60}
    run_recipe("finetune_text", **TEXT | own, preset=str(folder / "text"), out_dir=str(out))
    model, task = load_task(out / "preset")
    parts = labelled_splits(task["source"], SourceForm(label_kind="regression"))
    assert isinstance(model.target, Regression)
    assert model.target.offset == pytest.approx(parts.train.labels.mean(), rel=1e-5)
    assert model.target.scale == pytest.approx(parts.train.labels.std(), rel=1e-5)
    served = exported(out, tmp_path).signatures["serving_default"](texts=tf.constant(parts.test.inputs))
    expected = regression_metrics(parts.test.labels, served["values"][:, 0])
    assert measured(out) == pytest.approx(expected | parts.test.near_copies(), rel=1e-3)
    assert expected["r2"] > 0.2
    assert task["class_names"] == []
    run_recipe("evaluate", run_dir=str(out), out_dir=str(tmp_path / "again"))
    assert figures(tmp_path / "again") == pytest.approx(measured(out), abs=1e-5)


def test_numbers_of_images(folder, tmp_path):
    """The digits as numbers; evaluated and served as such."""
    own = {"source": "demo:digits", "label_kind": "regression", "preset": str(folder / "images"), "fast": True}
    run_recipe("finetune_image", **TINY, **own, out_dir=str(tmp_path / "run"))
    model, task = load_task(tmp_path / "run" / "preset")
    assert {"mean_absolute_error", "r2"} <= set(task["metrics"])
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    answer = exported(tmp_path / "run", tmp_path).signatures["serving_default"](
        image_bytes=tf.constant([tf.io.encode_png(image).numpy()])
    )
    expected = model.target.activate(model({"images": image[np.newaxis] / np.float32(255)}))
    np.testing.assert_allclose(answer["values"], expected, atol=1e-4)


def test_numbers_of_pairs(folder, tmp_path):
    """How alike two texts are; the recipe's report is evaluated again from the run's own column."""
    out = tmp_path / "run"
    own = {"source": f"csv:{folder}/pairs.csv", "label_kind": "regression", "preset": str(folder / "text")}
    run_recipe("finetune_pairs", **TEXT, **own, out_dir=str(out))
    model, task = load_task(out / "preset")
    assert (model.name, task["pair_column"]) == ("pair_regressor", "text_pair")
    row = encode_all_pairs(make_tokenizer(), ["w1 w2"], ["w2 w3"], sequence_length=16)
    asked = {"texts": tf.constant(["w1 w2"]), "text_pairs": tf.constant(["w2 w3"])}
    answer = exported(out, tmp_path).signatures["serving_default"](**asked)
    np.testing.assert_allclose(answer["values"], model.target.activate(model(row)), atol=1e-4)
    run_recipe("evaluate", run_dir=str(out), out_dir=str(tmp_path / "again"))
    assert figures(tmp_path / "again") == pytest.approx(measured(out), abs=1e-5)


@pytest.mark.slow
def test_sets_of_pairs(folder, tmp_path):
    write(
        tmp_path / "a.csv",
        ("text", "other", "label"),
        [(f"w{n % 60}", f"w{n % 7}", "a|b" if n % 2 else "b") for n in range(120)],
    )
    out, own = (
        tmp_path / "run",
        {"pair_column": "other", "label_kind": "multi-label", "label_separator": "|", "fast": True},
    )
    run_recipe(
        "finetune_pairs", **TEXT, **own, source=f"csv:{tmp_path}/a.csv", preset=str(folder / "text"), out_dir=str(out)
    )
    model, task = load_task(out / "preset")
    assert (model.name, task["class_names"], task["label_separator"]) == ("pair_multi_label", ["a", "b"], "|")
    asked = {"texts": tf.constant(["w1 w2"]), "text_pairs": tf.constant(["w2 w3"])}
    assert exported(out, tmp_path).signatures["serving_default"](**asked)["fits"].shape == (1, 2)
    run_recipe("evaluate", run_dir=str(out), out_dir=str(tmp_path / "again"), fast=True)
    assert figures(tmp_path / "again")["examples"] > 0


@pytest.mark.slow
def test_sets_of_images(folder, tmp_path):
    """Folders named after one label or two; the files are read again for the linear model."""
    random = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 50), ("bright;dark", 120)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(40):
            pixels = random.integers(level - 40, level + 40, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    own = {"source": f"images:{tmp_path}/images", "label_kind": "multi-label", "preset": str(folder / "images")}
    run_recipe("finetune_image", **TINY, **own, out_dir=str(tmp_path / "run"))
    assert load_task(tmp_path / "run" / "preset")[1]["class_names"] == ["bright", "dark"]
    assert figures(tmp_path / "run")["average_precision_macro"] > 0.5
    run_recipe("evaluate", run_dir=str(tmp_path / "run"), out_dir=str(tmp_path / "again"))
    assert figures(tmp_path / "again") == pytest.approx(measured(tmp_path / "run"), abs=1e-5)


@pytest.mark.parametrize("name", ["finetune_text", "finetune_image", "finetune_pairs", "find_learning_rate"])
def test_refusals_are_one_line_and_exit_2(name, tmp_path, capsys):
    """What each setting says is in tests/tasks/test_labels.py."""
    with pytest.raises(SystemExit) as stop:
        main(["run", name, "--label-kind", "regression", "--balance-classes", "--out-dir", str(tmp_path / "out")])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said == "error: --balance-classes and labels that are numbers: there are no classes to balance\n"


def test_recipes_for_classes_refuse_other_labels(sets, tmp_path):
    """A run on sets, a source of sets, or the option."""
    source = "demo:people-daily-kinds"
    cases = {
        "label_efficiency": ({"source": source}, "the labels of this source are sets of classes"),
        "adapt_domain": ({"source": (source,), "target": source, "preset": "p"}, "source are sets of classes"),
    }
    for name, (own, message) in cases.items():
        with pytest.raises(UsageError, match=message):
            run_recipe(name, out_dir=str(tmp_path / name), **own)
    with pytest.raises(UsageError, match=re.escape(f"{sets} holds no classifier of whole texts or images")):
        run_recipe("distil", teacher_dir=str(sets), preset="p")
    with pytest.raises(UsageError, match="--label-kind multi-label: this recipe is for classes"):
        load("distil").Config(label_kind="multi-label")


def test_runs_of_another_kind_are_not_averaged(sets, tmp_path):
    """A regression with the mean of other labels counts in other units; one on numbers is none on sets."""
    for name, offset in (("one", 1.0), ("two", 2.0)):
        model = pooled_head(make_encoder(), Regression(1, offset, 1.0), name="regressor")
        task = {"kind": "text", "class_names": [], "source": "demo:bbc", "license": "", "sequence_length": 16}
        save_preset(tmp_path / name / "preset", model, tokenizer=make_tokenizer(), task=task)
    one, two, out = str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "out")
    write(tmp_path / "n.csv", ("text", "label"), [(f"w{n % 60} w{n // 60}", n) for n in range(100)])
    own = {"out_dir": out, "source": f"csv:{tmp_path}/n.csv", "method": "greedy"}
    with pytest.raises(UsageError, match=rf"{two} does not fit {one}: offset: 1.0 -> 2.0"):
        run_recipe("soup", run_dirs=(one, two), **own)
    with pytest.raises(UsageError, match=rf'{sets} does not fit {one}: .*labels: "regression" -> "multi-label"'):
        run_recipe("soup", run_dirs=(one, str(sets)), **own)
