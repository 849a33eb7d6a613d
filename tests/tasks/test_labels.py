"""Sets of classes and numbers: what is learnt, what is refused, and that the report says what the figures' functions say."""

import json
import types

import numpy as np
import pytest

from tests.evaluation.report.pages import ParsedPage
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.data.splits.folds import Folds
from tfpretune.errors import UsageError
from tfpretune.evaluation.baselines.labels import linear_numbers, linear_sets
from tfpretune.evaluation.metrics.multi_label import best_threshold, multi_label_metrics
from tfpretune.evaluation.metrics.out_of_fold import wilson_interval
from tfpretune.evaluation.metrics.regression import regression_metrics
from tfpretune.evaluation.report.labelled import NUMBER_FIGURES, SET_FIGURES
from tfpretune.objectives import Classification, MultiLabel, Regression
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks import labels as labelled
from tfpretune.tasks.by_target import LABELS
from tfpretune.tasks.held_out import HeldOut
from tfpretune.tasks.labels import open_splits, source_form
from tfpretune.tasks.multi_label import MultiLabelTask
from tfpretune.tasks.regression import RegressionTask

RESULT = types.SimpleNamespace(curves={"loss": [(1, 2.0)], "val_loss": [(1, 1.0)]}, steps=1, best_step=1)


def settings(**own):
    return FinetuneConfig(**{"source": "demo:digits", "out_dir": "x", "preset": "p", "steps": 1} | own)


def texts(labels, names=(), words="good bad"):
    """Texts whose first word goes with the first label, or with the sign of the number."""
    good, bad = words.split()
    inputs = [f"{good if np.ravel(label)[0] > 0 else bad} word{row}" for row, label in enumerate(labels)]
    return Examples("text", inputs, np.asarray(labels), names, [f"a:{row}" for row in range(len(inputs))], "csv:a.csv")


def make_target(train, run):
    return LABELS[train.label_kind].target(train, run)


def test_the_target_follows_from_the_training_labels():
    sets = texts(np.array([[1, 0], [1, 1], [0, 0], [1, 1]], np.int32), ("a", "b"))
    assert make_target(sets, settings()) == MultiLabel(2)
    balanced = make_target(sets, settings(balance_classes=True))
    assert balanced.positive_weights == pytest.approx((1 / 3, 1.0))  # one without a, three with it; two and two
    assert make_target(texts(np.array([1.0, 5.0], np.float32)), settings()) == Regression(1, 3.0, 2.0)
    classes = texts(np.array([0, 1, 1, 1], np.int32), ("a", "b"))
    given = {"balance_classes": True, "label_smoothing": 0.1}
    assert make_target(classes, settings(**given)) == Classification(2, 0.1, (2.0, 4 / 6))


def test_labels_that_teach_nothing_are_refused():
    with pytest.raises(UsageError, match="csv:a.csv: all training labels are 2: there is nothing to learn"):
        make_target(texts(np.full(3, 2.0, np.float32)), settings())
    for column, which in (([0, 0, 0], "no"), ([1, 1, 1], "every")):
        labels = np.stack([[1, 0, 1], column], axis=1).astype(np.int32)
        with pytest.raises(UsageError, match=f"`balanced_positive_weights`: 'b' fits {which} training example"):
            make_target(texts(labels, ("a", "b")), settings(balance_classes=True))


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (
            {"label_kind": "multi-label", "labels_per_class": 5},
            "--labels-per-class and labels that are sets of classes: ",
        ),
        ({"label_kind": "regression", "labels_per_class": 5}, "--labels-per-class and labels that are numbers: "),
        (
            {"label_kind": "multi-label", "label_smoothing": 0.1},
            "--label-smoothing and labels that are sets of classes: ",
        ),
        ({"label_kind": "regression", "label_smoothing": 0.1}, "--label-smoothing and labels that are numbers: "),
        ({"label_kind": "regression", "balance_classes": True}, "--balance-classes and labels that are numbers: "),
    ],
)
def test_settings_that_do_not_go_with_a_kind(own, message, monkeypatch):
    """As options, and where the source says of itself what its labels are."""
    with pytest.raises(UsageError, match=message):
        settings(**own)
    kind = {"multi-label": np.eye(2, dtype=np.int32), "regression": np.array([1.0, 2.0], np.float32)}[
        own.pop("label_kind")
    ]
    part = texts(kind, ("a", "b") if kind.ndim == 2 else ())
    monkeypatch.setattr(labelled, "labelled_splits", lambda *_, **__: LabelledSplits(part, part, part))
    with pytest.raises(UsageError, match=message):
        open_splits(settings(**own))
    assert open_splits(settings()).train is part


NO_COPIES = {"near_copies": 0, "near_copy_groups": 0}


def sets_of(rows, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, (rows, 2)).astype(np.int32)
    return texts(labels, ("a", "b")), labels


def test_the_threshold_of_sets_comes_from_the_validation_set(monkeypatch, tmp_path):
    """On the validation set labels fit from 0.3 on, on the test set from 0.8 on: what is written is the first."""
    (train, _), (validation, seen), (test, truth) = (sets_of(40, seed) for seed in range(3))
    on_validation, on_test = np.where(seen == 1, 0.4, 0.2), np.where(truth == 1, 0.9, 0.7)
    assert best_threshold(truth, on_test) == pytest.approx(0.8)
    monkeypatch.setattr(labelled, "predict_outputs", lambda model, batches: batches)
    parts, run = LabelledSplits(train, validation, test), settings(out_dir=str(tmp_path))
    model = types.SimpleNamespace(target=MultiLabel(2))
    report = MultiLabelTask(parts, on_validation, on_test).report(model, run, RESULT)
    assert report.task["threshold"] == pytest.approx(0.3)
    expected = multi_label_metrics(truth, on_test, ("a", "b"), threshold=0.3)
    expected |= {"threshold": report.task["threshold"]}
    page = ParsedPage(report.page.read_text("utf-8")).text
    name, predict = linear_sets(train)
    simple = multi_label_metrics(truth, predict(test), ("a", "b"), threshold=best_threshold(seen, predict(validation)))
    beside = {f"baseline_linear_{figure}": simple[figure] for figure in SET_FIGURES}
    found = json.loads(report.page.with_name("metrics.json").read_text("utf-8"))
    assert found == pytest.approx(expected | NO_COPIES | beside)
    assert f"{name} {simple['f1_micro']:.3f} {simple['f1_macro']:.3f}" in page
    assert f"this model {expected['f1_micro']:.3f} {expected['f1_macro']:.3f}" in page
    of_a = " ".join(f"{expected[f'{figure}/a']:.3f}" for figure in ("precision", "recall", "f1"))
    assert f"a {expected['support/a']:.0f} {of_a}" in page
    words = f"micro F1 {expected['f1_micro']:.3f}, macro F1 {expected['f1_macro']:.3f}"
    assert report.summary == f"{words} on 40 texts ({name} {simple['f1_micro']:.3f})"
    assert f"{name}: mean F1 of an example" in page or f"{name} is shown: mean F1" in page or f"of {name}:" in page


def test_numbers_stand_beside_the_mean_and_a_ridge_regression(monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    parts = LabelledSplits(*(texts(random.normal(1.0, 1.0, 30).astype(np.float32)) for _ in range(3)))
    found = parts.test.known_labels[:, np.newaxis] + 0.5
    monkeypatch.setattr(labelled, "predict_outputs", lambda model, batches: batches)
    model, run = types.SimpleNamespace(target=Regression()), settings(out_dir=str(tmp_path))
    report = RegressionTask(parts, None, found).report(model, run, RESULT)
    expected = regression_metrics(parts.test.labels, found[:, 0])
    assert expected["mean_absolute_error"] == pytest.approx(0.5)
    page = ParsedPage(report.page.read_text("utf-8"))
    mean = regression_metrics(parts.test.labels, np.full(30, parts.train.known_labels.mean(dtype=np.float64)))
    simple = regression_metrics(parts.test.labels, linear_numbers(parts.train)[1](parts.test))
    beside = {f"baseline_mean_{figure}": value for figure, value in mean.items() if figure in NUMBER_FIGURES}
    beside |= {f"baseline_linear_{figure}": value for figure, value in simple.items() if figure in NUMBER_FIGURES}
    found = json.loads(report.page.with_name("metrics.json").read_text("utf-8"))
    assert found == pytest.approx(expected | NO_COPIES | beside)
    assert "TF-IDF + ridge regression" in report.verdict[0]
    assert f"always the mean {mean['root_mean_squared_error']:.3f} {mean['mean_absolute_error']:.3f}" in page.text
    assert f"TF-IDF + ridge regression {simple['root_mean_squared_error']:.3f}" in page.text
    assert [svg["aria-label"][:9] for svg in page.all("svg") if svg.get("role") == "img"] == ["loss: tra", "Predicted"]
    assert "threshold" not in report.task
    assert report.task["class_names"] == []


def test_what_decides_and_what_must_be_the_same():
    """Sets by their cross-entropy, numbers by the absolute error; the mean of the labels belongs to a run of numbers."""
    cases = (
        (MultiLabel(2), texts(np.array([[1, 1], [0, 0]], np.int32), ("a", "b")), {}, ["a;b", ""]),
        (
            Regression(1, 3.0, 2.0),
            texts(np.array([1.5, 4.0], np.float32)),
            {"mean of the labels": 3.0, "spread of the labels": 2.0},
            ["1.5", "4"],
        ),
        (Classification(2), texts(np.array([1, 0], np.int32), ("a", "b")), {}, ["b", "a"]),
    )
    for target, examples, same, shown in cases:
        task = LABELS[examples.label_kind](LabelledSplits(examples, examples, examples), None, None)
        assert task.identity(types.SimpleNamespace(target=target)) == same
        assert task.monitor is None  # the target's own
        assert task.label_texts(examples) == shown
    assert (MultiLabel.monitor, Regression.monitor) == (("binary_cross_entropy", "min"), ("mean_absolute_error", "min"))


def test_the_options_of_a_run_are_the_form_of_its_source():
    assert source_form(settings()) == SourceForm()
    own = {"text_column": "body", "label_column": "topic", "label_kind": "multi-label", "label_separator": "|"}
    form = source_form(settings(**own, labels_as_written=True), pair_column="other")
    assert form == SourceForm(**own, labels_as_written=True, pair_column="other")


def held_out(train, outputs, simple):
    """Four folds, twice; what the models said of each example in each repeat."""
    numbers = np.stack([np.arange(len(train)) % 4, np.arange(len(train)) // 2 % 4])
    return HeldOut(train, Folds(numbers, np.arange(len(train))), outputs, simple, "TF-IDF + something")


def metrics_of(report):
    return json.loads(report.page.with_name("metrics.json").read_text("utf-8"))


def judged_in_folds(kind, train, outputs, tmp_path, *, test=None):
    """The report on predictions out of fold, with 3 steps made."""
    empty = train.take([])
    parts = LabelledSplits(train, empty, empty, SourceForm(label_kind=kind))
    task = LABELS[kind](parts, None, test, held_out=held_out(train, outputs, outputs))
    result = types.SimpleNamespace(curves={"loss": [(3, 2.0)]}, steps=3, best_step=None)
    return task.report(None, settings(out_dir=str(tmp_path), label_kind=kind), result)


def test_a_classifier_judged_in_folds(tmp_path):
    """Of eight examples one is wrong in one of two repeats."""
    train = texts(np.arange(8, dtype=np.int32) % 2, ("a", "b"))
    outputs = np.stack([np.eye(2)[train.labels]] * 2).astype(np.float32)
    outputs[1, 3] = (0.9, 0.1)
    report = judged_in_folds("single", train, outputs, tmp_path)
    metrics = metrics_of(report)
    low, high = wilson_interval(15 / 16, 8)
    assert (metrics["accuracy"], metrics["examples"], metrics["support/a"]) == (15 / 16, 8, 4)
    assert (metrics["accuracy_low"], metrics["accuracy_high"]) == pytest.approx((low, high))
    assert metrics["out_of_fold_linear_accuracy"] == 15 / 16
    assert (metrics["folds"], metrics["fold_repeats"]) == (4, 2)
    said = f"accuracy 0.94 [{low:.2f}, {high:.2f}], macro F1 0.94 "
    assert report.task["judged"].startswith(said)
    assert report.task["judged"].endswith(", out of fold, 4 x 2 folds of 8 texts")
    assert report.closing == f"{report.task['judged']} (TF-IDF + something 0.938)"
    assert any("paired test over 8 examples" in line or "no test" in line for line in report.verdict)
    page = " ".join(ParsedPage(report.page.read_text("utf-8")).texts)
    for words in (
        "Out of fold: 4 x 2 folds of 8 texts",
        "TF-IDF + something",
        "those of the last step, 3",
        "8 examples, 2 classes",
    ):
        assert words in page


def test_sets_judged_in_folds_have_a_threshold_that_nothing_chose(tmp_path):
    train = texts((np.arange(16).reshape(8, 2) // 3 % 2).astype(np.int32), ("a", "b"))
    outputs = np.stack([train.labels * 0.4 + 0.2] * 2).astype(np.float32)
    outputs[0, 0] = 0.6
    report = judged_in_folds("multi-label", train, outputs, tmp_path)
    assert report.task["threshold"] == metrics_of(report)["threshold"] == 0.5
    pooled = multi_label_metrics(np.tile(train.labels, (2, 1)), outputs.reshape(16, 2), "ab")
    assert metrics_of(report)["f1_micro"] == pytest.approx(pooled["f1_micro"])
    assert "on the validation set" not in report.page.read_text("utf-8")
    assert report.closing.startswith(f"micro F1 {pooled['f1_micro']:.2f} [")


def test_numbers_judged_in_folds(tmp_path):
    train = texts(np.arange(8, dtype=np.float32))
    outputs = np.stack([train.labels + 1, train.labels - 2])[:, :, np.newaxis].astype(np.float32)
    outputs[0, 0] = 5
    report = judged_in_folds("regression", train, outputs, tmp_path)
    assert metrics_of(report)["mean_absolute_error"] == pytest.approx((5 + 7 * 1 + 8 * 2) / 16)
    assert metrics_of(report)["mean_absolute_error_low"] < 28 / 16 < metrics_of(report)["mean_absolute_error_high"]
    assert report.closing.startswith("MAE 1.75 [")
