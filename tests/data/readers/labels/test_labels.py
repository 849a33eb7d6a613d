"""Classes, numbers and sets of classes, from csv and jsonl."""

import json

import numpy as np
import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import RunError, UsageError


def csv(tmp_path, rows, header="text,label"):
    path = tmp_path / "a.csv"
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return f"csv:{path}"


def jsonl(tmp_path, *records):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return f"jsonl:{path}"


def test_numbers_are_float32_and_have_no_classes(tmp_path):
    source = open_source(csv(tmp_path, ["good,3.5", "bad,-2", "fair,1e-1"]), label_kind="regression")
    assert source.labels.dtype == np.float32
    np.testing.assert_allclose(source.labels, [3.5, -2, 0.1])
    assert (source.class_names, source.label_kind) == ((), "regression")
    source = open_source(
        jsonl(tmp_path, {"text": "a", "label": 2.25}, {"text": "b", "label": -1}), label_kind="regression"
    )
    assert source.labels.tolist() == [2.25, -1]


@pytest.mark.parametrize("bad", ["1,5", "nan", "inf", "1e39", "1_000", "three"])
def test_what_is_no_number_is_named(tmp_path, bad):
    spec = csv(tmp_path, ["good,3.5", f'bad,"{bad}"'])
    what = f"the label {bad!r} is not a finite number"
    what = "the label 'nan' looks like a missing label" if bad == "nan" else what
    with pytest.raises(RunError, match=f"a.csv:3: {what}; write it like -1.5"):
        open_source(spec, label_kind="regression")


def test_sets_are_rows_of_0_and_1(tmp_path):
    source = open_source(csv(tmp_path, ["one,b;a", "two,", "three,c ; a;"]), label_kind="multi-label")
    assert source.class_names == ("a", "b", "c")
    assert source.labels.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert (source.labels.dtype, source.label_kind) == (np.int32, "multi-label")
    source = open_source(csv(tmp_path, ["one,b|a", "two,c"]), label_kind="multi-label", label_separator="|")
    assert source.labels.tolist() == [[1, 1, 0], [0, 0, 1]]
    records = [{"text": "one", "label": ["b", "a"]}, {"text": "two", "label": []}, {"text": "three", "label": "a"}]
    source = open_source(jsonl(tmp_path, *records), label_kind="multi-label", class_names=("b", "a"))
    assert source.labels.tolist() == [[1, 1], [0, 0], [0, 1]]


def test_wrong_sets_are_named(tmp_path):
    with pytest.raises(RunError, match="a.csv:2: the label 'x' is out of range; expected one of a, b"):
        open_source(csv(tmp_path, ["one,b;x"]), label_kind="multi-label", class_names=("a", "b"))
    with pytest.raises(RunError, match="a.jsonl:1: the label 'a;b' holds the separator ';'"):
        open_source(jsonl(tmp_path, {"text": "one", "label": ["a;b"]}), label_kind="multi-label")
    with pytest.raises(RunError, match="neither a string nor an int"):  # a list is not a class
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
    with pytest.raises(
        UsageError, match="a.jsonl: no object has the key 'other', the keys are: text; name one with `pair"
    ):
        open_source(jsonl(tmp_path, {"text": "a"}), pair_column="other")
    with pytest.raises(UsageError, match="pairs are read from csv:, jsonl:, parquet: and tfds:"):
        open_source("demo:digits", pair_column="other")


def test_check_tells_of_numbers_sets_and_pairs(tmp_path):
    result = check(csv(tmp_path, ["a,1", "b,3.5", "a,2"]), SourceForm(label_kind="regression"))
    assert result.histogram == {}
    assert "labels are 1 to 3.5, 2.16667 in the mean" in result.notes
    assert result.ok
    assert f"1 texts have several numbers, whose mean counts (the first: {tmp_path}/a.csv:4)" in result.notes
    result = check(csv(tmp_path, ["a,x;y", "b,x", "c,", "a,y"]), SourceForm(label_kind="multi-label"))
    assert result.histogram == {"x": 2, "y": 2}
    assert "('x;y' and 'y')" in result.problems[0].what
    result = check(
        csv(tmp_path, ["a,b,x", "a,c,y"], header="text,text_pair,label"), SourceForm(pair_column="text_pair")
    )
    assert result.ok


def test_further_label_columns_go_with_their_rows():
    topics = LabelColumn(np.array([1, 0, 1], np.int32), ("books", "hotels"))
    source = Examples("text", list("abc"), None, (), list("123"), "toy", more={"topic": topics})
    swapped = source.take([2, 1]).with_labels("topic")
    assert (swapped.labels.tolist(), swapped.class_names) == ([1, 0], ("books", "hotels"))
    with pytest.raises(UsageError, match="toy has no label column 'kind': it has topic"):
        source.with_labels("kind")


def test_few_labels_needs_classes(tmp_path):
    source = open_source(csv(tmp_path, ["a,1", "b,3.5"]), label_kind="regression")
    with pytest.raises(UsageError, match="no classes but a number for each example"):
        source.few_labels(1, 0)


@pytest.mark.parametrize(
    ("labels", "names"), [([[0, 2]], ("a", "b")), ([[0, 1]], ("a", "b", "c")), ([2], ("a", "b")), ([-1], ("a", "b"))]
)
def test_labels_out_of_range_are_refused(labels, names):
    with pytest.raises(ValueError, match="expected 3, received 2|labels must be in 0..1"):
        Examples("text", ["a"], np.array(labels, np.int32), names, ["1"], "toy")


TOPICS = [("good book", "pos", "books"), ("bad inn", "neg", "hotels"), ("bad book", "neg", "books")]


def table(scheme, tmp_path, names=("text", "label", "topic"), rows=TOPICS):
    """The same rows as csv or jsonl; an empty cell is a key that lacks."""
    if scheme == "csv":
        return csv(tmp_path, [",".join(row) for row in rows], header=",".join(names))
    return jsonl(tmp_path, *({name: value for name, value in zip(names, row, strict=True) if value} for row in rows))


@pytest.mark.parametrize("scheme", ["csv", "jsonl"])
def test_further_label_columns_are_read_by_name(tmp_path, scheme):
    """Each has classes of its own; the label of the default name may be one of them, or be left out."""
    source = open_source(table(scheme, tmp_path), more_labels=("topic",))
    assert (source.class_names, source.labels.tolist()) == (("neg", "pos"), [1, 0, 0])
    assert source.with_labels("topic").class_names == ("books", "hotels")
    assert source.more["topic"].labels.tolist() == [0, 1, 0]
    assert source.more["topic"].labels.dtype == np.int32
    both = open_source(table(scheme, tmp_path), label_column="", more_labels=("topic", "label"))
    assert both.labels is None
    assert {name: column.labels.tolist() for name, column in both.more.items()} == {
        "topic": [0, 1, 0],
        "label": [1, 0, 0],
    }
    assert not open_source(table(scheme, tmp_path)).more


@pytest.mark.parametrize("scheme", ["csv", "jsonl"])
def test_a_missing_further_label_is_named_as_a_missing_label_is(tmp_path, scheme):
    spec = table(scheme, tmp_path, rows=[*TOPICS, ("fine pc", "pos", "")])
    line = 5 if scheme == "csv" else 4
    message = rf"a.{scheme}:{line}: the label 'topic' is missing; .* run: tfpretune check {spec} --label-column topic$"
    with pytest.raises(RunError, match=message):
        open_source(spec, more_labels=("topic",))
    assert len(open_source(spec)) == 4
    alone = check(spec, SourceForm(label_column="topic"))  # by itself it makes an unlabelled row
    assert (alone.ok, alone.counts["examples"]) == (True, 3)


@pytest.mark.parametrize("scheme", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("names", "lacking"), [(("text", "label", "topic"), "topik"), (("text", "tone", "topic"), "label")]
)
def test_a_further_column_that_is_not_there_is_named_with_those_that_are(tmp_path, scheme, names, lacking):
    """The label of the default name, too, where others are asked for beside it."""
    spec = table(scheme, tmp_path, names)
    with pytest.raises(UsageError, match=f"{lacking!r}, the (header has|keys are): {', '.join(names)}") as caught:
        open_source(spec, more_labels=(lacking,) if lacking == "topik" else ("topic",))
    assert "\n" not in str(caught.value)


def test_sources_without_columns_have_no_further_labels(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/1.txt").write_text("a")
    with pytest.raises(
        UsageError, match="has no label column 'topic': it has its own alone; columns are read from csv:"
    ):
        open_source(f"text:{tmp_path}", more_labels=("topic",))
    with pytest.raises(UsageError, match="has no label column 'topik': it has its own and topic;"):
        open_source("demo:reviews-zh", more_labels=("topik",))


def test_texts_with_two_labels_in_any_column_are_dropped(tmp_path):
    """ "c" has one tone and two topics; it stays where its topic is not asked for."""
    rows = [("a", "x", "s"), ("a", "x", "s"), ("b", "x", "s"), ("b", "y", "s"), ("c", "y", "s"), ("C ", "y", "t")]
    spec = table("csv", tmp_path, rows=rows)
    assert open_source(spec, more_labels=("topic",)).without_duplicates().inputs == ["a"]
    assert open_source(spec).without_duplicates().inputs == ["a", "c"]
