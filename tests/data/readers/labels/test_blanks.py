"""Blank labels are rows without a label."""

import json

import numpy as np
import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.data.sources.pretraining import pretraining_parts
from tfpretune.errors import UsageError

SAID = "3 of 5 rows have no label and are left out of what is learnt from labels; pretrain_text learns from them"


def csv(folder, labels, name="a.csv"):
    lines = "".join(f"word {row},{label}\n" for row, label in enumerate(labels))
    (folder / name).write_text(f"text,label\n{lines}", "utf-8")
    return f"csv:{folder}/{name}"


def jsonl(folder, labels):
    records = [{"text": f"word {row}"} | ({} if label is ... else {"label": label}) for row, label in enumerate(labels)]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, records)), "utf-8")
    return f"jsonl:{folder}/a.jsonl"


@pytest.mark.parametrize(
    ("make", "labels"),
    [(csv, ["x", "", "y", "  ", "\u200b"]), (jsonl, ["x", None, "y", "", ...]), (jsonl, ["x", " \t", "y", ..., None])],
)
def test_classes(tmp_path, capsys, make, labels):
    spec = make(tmp_path, labels)
    source = open_source(spec)
    assert (source.inputs, source.labels.tolist(), source.class_names) == (["word 0", "word 2"], [0, 1], ("x", "y"))
    assert SAID in capsys.readouterr().out
    result = check(spec)
    assert (result.ok, result.histogram, result.counts["examples"]) == (True, {"x": 1, "y": 1}, 2)
    assert SAID in result.notes
    assert len(open_source(spec, label_column="")) == 5


def test_numbers(tmp_path):
    source = open_source(csv(tmp_path, ["1.5", "", "-2", " ", ""]), label_kind="regression")
    assert source.labels.tolist() == [1.5, -2]
    assert source.labels.dtype == np.float32
    assert SAID in source.notes


def test_sets_may_be_empty(tmp_path, capsys):
    """A blank cell is a set without a class, or asked about where most are blank; null is no label, [] an empty set."""
    few = csv(tmp_path, ["a;b", "", "b", "a", "a"])
    assert open_source(few, label_kind="multi-label").labels.tolist() == [[1, 1], [0, 0], [0, 1], [1, 0], [1, 0]]
    assert "1 of 5 rows have a blank label: a set without a class" in capsys.readouterr().out
    many = csv(tmp_path, ["a;b", "", "", " ", "a"], "b.csv")
    (problem,) = check(many, SourceForm(label_kind="multi-label")).problems
    assert (
        problem.what
        == "3 of 5 rows have a blank label: they may be rows that nobody has labelled, or sets without a class"
    )
    left = open_source(many, label_kind="multi-label", blank_labels="unlabelled")
    assert (left.inputs, left.labels.tolist()) == (["word 0", "word 4"], [[1, 1], [1, 0]])
    assert len(open_source(many, label_kind="multi-label", blank_labels="empty-set")) == 5
    source = open_source(jsonl(tmp_path, [["a"], [], None, ["b", "a"], ...]), label_kind="multi-label")
    assert (source.inputs, source.labels.tolist()) == (["word 0", "word 1", "word 3"], [[1, 0], [0, 0], [1, 1]])


def test_where_all_are_blank_it_is_said(tmp_path):
    spec = csv(tmp_path, ["", " ", ""])
    (problem,) = check(spec).problems
    assert problem.what == "all 3 labels of the column 'label' are blank"
    with pytest.raises(UsageError, match="all 3 labels of the column 'label' are blank") as caught:
        labelled_splits(spec)
    assert "\n" not in str(caught.value)


def test_what_looks_missing_stays_a_question(tmp_path):
    assert [
        "looks like a missing label" in str(problem) for problem in check(csv(tmp_path, ["x", "", "y", "NA"])).problems
    ] == [True]


def test_rows_without_labels_count_for_the_split_and_what_is_held_out_is_not_pre_trained_on(tmp_path, capsys):
    labels = ["", "", "", "", "x", "y", ""] * 40
    spec = csv(tmp_path, labels)
    parts = labelled_splits(spec)
    whole = open_source(spec, label_column="")
    sides = dict(zip(whole.inputs, whole.sides((0.8, 0.1, 0.1)), strict=True))
    for number, part in enumerate((parts.train, parts.validation, parts.test), 1):
        assert {sides[text] for text in part.inputs} == {number}
    for size in (3, 5, 9):  # small classes, where every part gets some
        spec = csv(tmp_path, [("x", "y")[row % 2] if row < 2 * size else "" for row in range(200)], f"{size}.csv")
        parts, pretraining = labelled_splits(spec), pretraining_parts(spec, kind="text")
        held_out = {*parts.validation.inputs, *parts.test.inputs}
        assert not held_out & {*pretraining.train.inputs}
        assert len(pretraining.train) > 130
    assert "are not pre-trained on, since a run on their labels holds them out" in capsys.readouterr().out
