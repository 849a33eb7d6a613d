import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.evaluation.report.pages import ParsedPage
from tfpretune.data.examples.examples import Examples
from tfpretune.data.splits.rule import RULE
from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.classifier import report_classes
from tfpretune.evaluation.report.tables import Table
from tfpretune.objectives import Classification, Supervised


@pytest.fixture
def report(tmp_path):
    """The model returns its input as logits: of the texts a a b b it takes the last for an a."""
    x = keras.Input((2,), name="x")
    model = Supervised({"x": x}, keras.layers.Activation("linear")(x), target=Classification(2))
    logits = np.array([[2, 0], [3, 0], [0, 1], [1, 0]], "float32")
    labels = np.array([0, 0, 1, 1], np.int32)
    where = [f"t.csv:{line}" for line in (2, 3, 4, 5)]
    examples = Examples("text", ["eins", "zwei", "drei", "vier"], labels, ("a", "b"), where, "csv:t.csv", "CC0")
    batches = tf.data.Dataset.from_tensor_slices({"x": logits}).batch(3)
    table = Table("Both sides", ("", "mean"), [["ours", 0.75]])
    settings = {"seed": 5}
    answers = predict_outputs(model, batches)
    return report_classes(examples, answers, out_dir=tmp_path, title="Four texts", tables=[table], settings=settings)


def test_figures_by_hand(report):
    """F1 of a: precision 2/3, recall 1, so .8; of b: precision 1, recall 1/2, so .667."""
    assert report.summary == "accuracy 0.750, macro F1 0.733 on 4 texts"
    assert report.metrics == json.loads(report.page.with_name("metrics.json").read_text("utf-8"))


def test_the_task_says_what_the_classifier_is_for(report):
    expected = {"kind": "text", "class_names": ["a", "b"], "source": "csv:t.csv", "license": "CC0"}
    verdict = [
        "4 test examples are few: accuracies less than 0.474 apart cannot be told apart.",
        "Fewer than 10 test examples: a (2), b (2): what is said of these classes is hardly more than chance.",
    ]
    expected |= {"metrics": report.metrics, "split_rule": RULE, "verdict": verdict}
    assert report.task == expected
    json.dumps(report.task)


def test_the_page_shows_table_mistake_settings_and_licence(report):
    text = report.page.read_text("utf-8")
    ParsedPage(text)
    for words in ("Four texts", "Both sides", "vier", "t.csv:5", "seed", "CC0"):
        assert words in text


def answers(tmp_path, **more):
    labels, where = np.repeat([0, 1], 20).astype(np.int32), [f"t:{row}" for row in range(40)]
    examples = Examples("text", [f"text {row}" for row in range(40)], labels, ("a", "b"), where, "t")
    frequent = Baseline("most_frequent", "always a", np.tile([0.5, 0.5], (40, 1)), {"accuracy": 0.5, "f1_macro": 1 / 3})
    return report_classes(
        examples, np.eye(2)[labels], out_dir=tmp_path, title="T", baselines=[frequent], notes=["It fell."], **more
    )


def test_simple_models_stand_beside_it_everywhere(tmp_path):
    report = answers(tmp_path)
    assert {name: report.metrics[name] for name in report.metrics if "baseline" in name} == {
        "baseline_most_frequent_accuracy": 0.5,
        "baseline_most_frequent_f1_macro": 1 / 3,
    }
    assert report.summary == "accuracy 1.000, macro F1 1.000 on 40 texts (always a 0.500)"
    assert report.task["baselines"] == {"always a": {"accuracy": 0.5, "f1_macro": 1 / 3}}
    text = ParsedPage(report.page.read_text("utf-8")).text
    assert "always a 0.500 0.333 this model 1.000 1.000" in text
    ahead = "Ahead of always a: accuracy 1.000 against 0.500 (paired test over 40 examples, p = 1.9e-06)."
    assert report.verdict == (ahead, report.verdict[1], "It fell.")
    assert all(line in text for line in report.verdict)


def test_a_rehearsal_says_so_and_nothing_else(tmp_path):
    report = answers(tmp_path, settings={"fast": True})
    text = ParsedPage(report.page.read_text("utf-8")).text
    assert "A rehearsal: these figures say nothing." in text
    assert report.task["rehearsal"] is True
    assert report.verdict == ("It fell.",)  # what the run says of its curves it does not say of a rehearsal
    assert "rehearsal" not in answers(tmp_path).task
