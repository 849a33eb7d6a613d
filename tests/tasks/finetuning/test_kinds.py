"""The tables of kinds of input: which there are, and what a new kind has to say in each."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.evaluation.report.pages import ParsedPage
from tfpretune.backbones import Preprocessing
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.checks.examples import check_examples
from tfpretune.data.checks.kinds import CHECKS, InputCheck
from tfpretune.data.examples.examples import Examples
from tfpretune.data.examples.kinds import KINDS, InputKind
from tfpretune.data.readers.folders.kinds import FILES
from tfpretune.evaluation.baselines.kinds import LINEAR, Linear
from tfpretune.evaluation.baselines.labels import linear_numbers
from tfpretune.evaluation.report.kinds import SHOWN, Shown
from tfpretune.evaluation.report.report import write_report
from tfpretune.serving.card import texts as card_texts
from tfpretune.serving.inputs import SERVED
from tfpretune.tasks.finetuning.kinds import INPUTS, Inputs

TABLES = {
    "examples": KINDS,
    "checks": CHECKS,
    "files": FILES,
    "linear": LINEAR,
    "shown": SHOWN,
    "inputs": INPUTS,
    "served": SERVED,
    "card": card_texts.KINDS,
    "card's inputs": card_texts.INPUTS,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_table_knows_every_kind(table):
    assert list(TABLES[table]) == ["text", "image"]


@dataclasses.dataclass(frozen=True, eq=False)
class CurveInputs(Inputs):
    """A toy: three numbers an input."""

    scale: float
    tokenizer: None = None

    @classmethod
    def preprocessing_of(cls, preset, *, window_length=0, image_size=(0, 0)):
        return Preprocessing()

    @classmethod
    def of_preset(cls, preset, preprocessing, *, sequence_length):
        return cls(2.0)

    @classmethod
    def of_task(cls, preset, task, *, pairs):
        return cls(task["scale"])

    def batches(self, examples, batch_size, *, seed=0, transform=None):
        columns = {"values": self.scale * examples.inputs.astype(np.float32), "labels": examples.labels}
        return StepIndexed(columns, batch_size, seed=seed, transform=transform)

    def shown(self, examples):
        return examples.inputs

    def require_known(self, examples, *, source, preset, limit=1.0):
        pass


def _classes(few, test, num_classes):
    model = LogisticRegression().fit(few.inputs, few.known_labels)
    return model.predict_proba(test.inputs)


@pytest.fixture
def curves(monkeypatch):
    """Twelve curves: the first number decides; the last is a copy of the first."""
    keys = InputKind("a curve", lambda rows: [row.tobytes() for row in rows], None, None)
    monkeypatch.setitem(KINDS, "curve", keys)
    looks = InputCheck(lambda rows: ([], []), lambda rows: [f"numbers from {rows.min()} to {rows.max()}"])
    monkeypatch.setitem(CHECKS, "curve", looks)
    monkeypatch.setitem(LINEAR, "curve", Linear("numbers", 1.0, lambda train: lambda some: some.inputs, _classes))
    monkeypatch.setitem(SHOWN, "curve", Shown(lambda row, where: f"<code>{row}</code>", str, False))
    monkeypatch.setitem(INPUTS, "curve", CurveInputs)
    rows = np.array([[10 * (number % 2), number, 1] for number in range(11)] + [[0, 0, 1]])
    where = [f"s[{number}]" for number in range(12)]
    labels = np.array([number % 2 for number in range(11)] + [0], np.int32)
    return Examples("curve", rows, labels, ("low", "high"), where, "toys")


def test_a_new_kind_is_split_checked_and_compared(curves):
    assert curves.without_duplicates().where == curves.where[:11]
    assert curves.near_copies() == {}
    assert "numbers from 0 to 10" in check_examples(curves).notes
    found = LINEAR["curve"].classes(curves, curves, 2)
    np.testing.assert_array_equal(found.argmax(1), curves.labels)
    name, predict = linear_numbers(dataclasses.replace(curves, labels=curves.labels.astype(np.float32), class_names=()))
    assert name == "numbers + ridge regression"
    np.testing.assert_allclose(predict(curves), curves.labels, atol=0.1)


def test_a_new_kind_is_served_to_a_model_and_shown(curves, tmp_path):
    inputs = INPUTS["curve"].of_task("preset", {"scale": 3.0}, pairs=False)
    (batch,) = inputs.batches(curves, 12).in_order()
    np.testing.assert_array_equal(batch["values"], 3.0 * curves.inputs)
    page = write_report(
        tmp_path,
        title="toys",
        kind=curves.kind,
        labels=curves.labels,
        probabilities=np.tile([[0.9, 0.1]], (12, 1)),
        class_names=curves.class_names,
        inputs=inputs.shown(curves),
        where=curves.where,
    )
    assert "[10 1 1]" in ParsedPage(page.read_text("utf-8")).text


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be 'text' or 'image', received 'curve'"):
        Examples("curve", np.zeros((0, 3)), None, (), [], "toys")
