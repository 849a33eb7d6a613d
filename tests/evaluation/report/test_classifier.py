import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.evaluation.report.pages import ParsedPage
from tfpretune.data.examples.examples import Examples
from tfpretune.data.splits.rule import RULE
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
    assert report.task == expected | {"metrics": report.metrics, "split_rule": RULE}
    json.dumps(report.task)


def test_the_page_shows_table_mistake_settings_and_licence(report):
    text = report.page.read_text("utf-8")
    ParsedPage(text)
    for words in ("Four texts", "Both sides", "vier", "t.csv:5", "seed", "CC0"):
        assert words in text
