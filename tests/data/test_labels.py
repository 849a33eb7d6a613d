"""Classes, numbers and sets of classes, from csv and jsonl."""

import json

import numpy as np
import pytest

from tfpretune.config import RunError, UsageError
from tfpretune.data.checks import check
from tfpretune.data.examples import Examples, LabelColumn
from tfpretune.data.sources import open_source


def csv(tmp_path, rows, header="text,label"):
    path = tmp_path / "a.csv"
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return f"csv:{path}"


def jsonl(tmp_path, *records):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return f"jsonl:{path}"


def test_numbers_are_float32_and_have_no_classes(tmp_path):
    source = open_source(csv(tmp_path, ["good,3.5", "bad,-2", "fair,1e-1"]), label_kind="number")
    assert source.labels.dtype == np.float32
    np.testing.assert_allclose(source.labels, [3.5, -2, 0.1])
    assert (source.class_names, source.label_kind) == ((), "number")
    source = open_source(jsonl(tmp_path, {"text": "a", "label": 2.25}, {"text": "b", "label": -1}), label_kind="number")
    assert source.labels.tolist() == [2.25, -1]


@pytest.mark.parametrize("bad", ["", "1,5", "nan", "inf", "1_000", "three"])
def test_what_is_no_number_is_named(tmp_path, bad):
    spec = csv(tmp_path, ["good,3.5", f'bad,"{bad}"'])
    what = "the number is missing" if not bad else f"the label {bad!r} is not a finite number"
    with pytest.raises(RunError, match=f"a.csv:3: {what}; write it like -1.5"):
        open_source(spec, label_kind="number")


def test_sets_are_rows_of_0_and_1(tmp_path):
    source = open_source(csv(tmp_path, ["one,b;a", "two,", "three,c ; a;"]), label_kind="set")
    assert source.class_names == ("a", "b", "c")
    assert source.labels.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert (source.labels.dtype, source.label_kind) == (np.int32, "set")
    source = open_source(csv(tmp_path, ["one,b|a", "two,c"]), label_kind="set", label_separator="|")
    assert source.labels.tolist() == [[1, 1, 0], [0, 0, 1]]
    records = [{"text": "one", "label": ["b", "a"]}, {"text": "two", "label": []}, {"text": "three", "label": "a"}]
    source = open_source(jsonl(tmp_path, *records), label_kind="set", class_names=("b", "a"))
    assert source.labels.tolist() == [[1, 1], [0, 0], [0, 1]]


def test_wrong_sets_are_named(tmp_path):
    with pytest.raises(RunError, match="a.csv:2: the label 'x' is out of range; expected one of a, b"):
        open_source(csv(tmp_path, ["one,b;x"]), label_kind="set", class_names=("a", "b"))
    with pytest.raises(RunError, match="a.jsonl:2: the labels are missing; give each row a list"):
        open_source(jsonl(tmp_path, {"text": "one", "label": ["a"]}, {"text": "two"}), label_kind="set")
    with pytest.raises(RunError, match="a.jsonl:1: the label 'a;b' holds the separator ';'"):
        open_source(jsonl(tmp_path, {"text": "one", "label": ["a;b"]}), label_kind="set")
    with pytest.raises(RunError, match="neither a string nor an int"):  # a list is no class
        open_source(jsonl(tmp_path, {"text": "one", "label": ["a"]}))
    with pytest.raises(UsageError, match="unknown kind of labels 'sets'"):
        open_source("demo:digits", label_kind="sets")


def test_pairs_from_csv_and_jsonl(tmp_path):
    spec = csv(tmp_path, ["a,b,yes", "a,c,no", "a,b,yes", "a,b ,no"], header="text,text_pair,label")
    source = open_source(spec, pair_column="text_pair")
    assert (source.inputs, source.seconds) == (["a"] * 4, ["b", "c", "b", "b"])
    assert source.take([1]).seconds == ["c"]
    unique = source.without_duplicates()  # "a", "b" stands there with both labels
    assert (unique.inputs, unique.seconds) == (["a"], ["c"])
    source = open_source(jsonl(tmp_path, {"text": "a", "other": "b"}), pair_column="other")
    assert source.seconds == ["b"]
    with pytest.raises(RunError, match="a.csv:2: the second text is empty"):
        open_source(csv(tmp_path, ["a, ,yes"], header="text,text_pair,label"), pair_column="text_pair")
    with pytest.raises(RunError, match="a.jsonl:1: no text under 'other'"):
        open_source(jsonl(tmp_path, {"text": "a"}), pair_column="other")
    with pytest.raises(UsageError, match="pairs are read from csv: and jsonl:"):
        open_source("demo:digits", pair_column="other")


def test_check_tells_of_numbers_sets_and_pairs(tmp_path):
    result = check(csv(tmp_path, ["a,1", "b,3.5", "a,2"]), label_kind="number")
    assert result.histogram == {}
    assert "labels are 1 to 3.5, 2.16667 in the mean" in result.notes
    assert [str(problem).split(": ", 1)[1] for problem in result.problems] == [
        f"the same text stands at {tmp_path}/a.csv:2 with another label (1 and 2); correct one or remove both"
    ]
    result = check(csv(tmp_path, ["a,x;y", "b,x", "c,", "a,y"]), label_kind="set")
    assert result.histogram == {"x": 2, "y": 2}
    assert "('x;y' and 'y')" in result.problems[0].what
    result = check(csv(tmp_path, ["a,b,x", "a,c,y"], header="text,text_pair,label"), pair_column="text_pair")
    assert result.ok


def test_further_label_columns_go_with_their_rows():
    topics = LabelColumn(np.array([1, 0, 1], np.int32), ("books", "hotels"))
    source = Examples("text", list("abc"), None, (), list("123"), "toy", more={"topic": topics})
    swapped = source.take([2, 1]).with_labels("topic")
    assert (swapped.labels.tolist(), swapped.class_names) == ([1, 0], ("books", "hotels"))
    with pytest.raises(UsageError, match="toy has no label column 'kind': it has topic"):
        source.with_labels("kind")


def test_few_labels_needs_classes(tmp_path):
    source = open_source(csv(tmp_path, ["a,1", "b,3.5"]), label_kind="number")
    with pytest.raises(UsageError, match="no classes but a number for each example"):
        source.few_labels(1, 0)


@pytest.mark.parametrize(
    ("labels", "names"), [([[0, 2]], ("a", "b")), ([[0, 1]], ("a", "b", "c")), ([2], ("a", "b")), ([-1], ("a", "b"))]
)
def test_labels_out_of_range_are_refused(labels, names):
    with pytest.raises(ValueError, match="expected 3, received 2|labels must be in 0..1"):
        Examples("text", ["a"], np.array(labels, np.int32), names, ["1"], "toy")
