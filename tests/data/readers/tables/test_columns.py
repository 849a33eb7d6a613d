"""Columns of a table: those that are asked for, the one that can be meant, the names of those that are not there."""

import json

import pytest

from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tables.columns import value_at
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.errors import RunError, UsageError

SCHEMES = ("csv", "jsonl")


def table(tmp_path, scheme, rows):
    path = tmp_path / f"a.{scheme}"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    if scheme == "csv":
        cells = [[*rows[0]], *([str(value) for value in row.values()] for row in rows)]
        lines = [",".join(f'"{cell}"' for cell in line) for line in cells]
    path.write_text("\n".join(lines), "utf-8")
    return f"{scheme}:{path}"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("text", "label"), [("Review", "Sentiment"), ("sentence", "label"), ("内容", "标签"), ("text", "category")]
)
def test_the_one_column_that_can_be_meant_is_taken_and_told(tmp_path, scheme, text, label):
    spec = table(tmp_path, scheme, [{"id": n, text: f"text {n}", label: "ab"[n % 2]} for n in range(4)])
    source = open_source(spec)
    assert (source.inputs[0], source.class_names) == ("text 0", ("a", "b"))
    notes = [f"the texts are the column {text!r} (`text_column` names another)"] * (text != "text")
    notes += [f"the labels are the column {label!r} (`label_column` names another)"] * (label != "label")
    assert list(source.notes) == notes


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("row", "asked", "message"),
    [
        (
            {"review": "a", "comment": "b"},
            {},
            "'text', the .*: review, comment; did you mean 'review'. name one with `text_c",
        ),
        ({"foo": "a", "bar": "b"}, {}, "'text', the .*: foo, bar; name one with `text_column`"),
        ({"Body": "a"}, {"text_column": "body"}, "'body', the .*: Body; did you mean 'Body'. name"),
        ({"text": "a"}, {"text_column": ("text", "titel")}, "'titel', the .*: text; did you mean 'text'. name"),
        ({"title": "a", "text": "b"}, {"text_column": ("titel", "text")}, "'titel', .* did you mean 'title'. name"),
        (
            {"text": "a", "stars": 1},
            {"label_column": "rating"},
            "'rating', .* did you mean 'stars'. name one with `label_c",
        ),
        (
            {"text": "a", "other": "b"},
            {"pair_column": "text_pair"},
            "'text_pair', the .*: text, other; name one with `pair_c",
        ),
        (
            {"text": "a", "file": "b"},
            {"image_column": "path"},
            "'path', the .*: text, file; did you mean 'file'. name one with `im",
        ),
        (
            {"text": "a", "sentence2": "b"},
            {"pair_column": "text_pair"},
            "'text_pair', .* did you mean 'sentence2'. name",
        ),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path, scheme, row, asked, message):
    with pytest.raises(UsageError, match=message) as caught:
        open_source(table(tmp_path, scheme, [row]), **asked)
    assert "\n" not in str(caught.value)


def test_several_labels_that_can_be_meant_are_listed(tmp_path):
    source = open_source(table(tmp_path, "csv", [{"text": "a", "category": "x", "topic": "y"}]))
    assert source.labels is None
    assert source.notes[0].endswith("so no labels; of these one may be named with `label_column`: category, topic")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_of_several_columns_are_joined_by_lines_and_blank_ones_passed_over(tmp_path, scheme):
    rows = [{"title": "A", "body": "one"}, {"title": " ", "body": "two"}, {"title": "C", "body": ""}]
    source = open_source(table(tmp_path, scheme, rows), text_column=["title", "body"])
    assert source.inputs == ["A\none", "two", "C"]
    assert open_source(table(tmp_path, scheme, rows), text_column=["body", "title"]).inputs[0] == "one\nA"
    with pytest.raises(RunError, match=r"a\.\w+:\d: the text is empty"):
        open_source(table(tmp_path, scheme, [*rows, {"title": "", "body": ""}]), text_column=["title", "body"])
    with pytest.raises(UsageError, match="`text_column` holds 'body' twice"):
        open_source("csv:a.csv", text_column=["body", "body"])


def test_a_blank_may_lack_in_objects_and_a_number_is_no_text(tmp_path):
    spec = table(tmp_path, "jsonl", [{"a": "one", "b": None}, {"b": "two"}, {"a": "three", "b": "four"}])
    assert open_source(spec, text_column=("a", "b")).inputs == ["one", "two", "three\nfour"]
    with pytest.raises(RunError, match=r"a.jsonl:1: no text under 'b' \(it is 3\); fill it in or name another column"):
        open_source(table(tmp_path, "jsonl", [{"a": "one", "b": 3}]), text_column=("a", "b"))


@pytest.mark.parametrize(
    ("name", "value"), [("a.b", 1), ("c.1", 3), ("c.0.d", 2), ("a", {"b": 1}), ("x.y", 4), ("c.0", {"d": 2})]
)
def test_ways_into_objects_and_lists(name, value):
    assert value_at({"a": {"b": 1}, "c": [{"d": 2}, 3], "x.y": 4}, name) == value


@pytest.mark.parametrize("name", ["b", "a.c", "c.2", "c.-1", "a.b.c", "c.x", ""])
def test_ways_that_lead_nowhere(name):
    with pytest.raises(KeyError):
        value_at({"a": {"b": 1}, "c": [{"d": 2}, 3]}, name)


def test_nested_texts_and_labels(tmp_path):
    rows = [{"data": {"body": f"text {n}", "tags": ["ab"[n % 2]]}} for n in range(4)]
    source = open_source(table(tmp_path, "jsonl", rows), text_column="data.body", label_column="data.tags.0")
    assert (source.inputs[3], source.class_names, source.labels.tolist()) == ("text 3", ("a", "b"), [0, 1, 0, 1])
    with pytest.raises(UsageError, match="no object has the key 'data.bdy', the keys are: data"):
        open_source(table(tmp_path, "jsonl", rows), text_column="data.bdy")


def test_columns_that_were_found_hold_for_all_files_and_are_kept(tmp_path):
    (tmp_path / "a.csv").write_text("review,topic\n" + "".join(f"good {n},{'xy'[n % 2]}\n" for n in range(40)), "utf-8")
    (tmp_path / "b.csv").write_text("text,review,topic\nno,yes,x\n", "utf-8")
    source = open_source(f"csv:{tmp_path}/*.csv")
    assert source.inputs[-1] == "yes"
    assert len(source.notes) == 2
    assert labelled_splits(f"csv:{tmp_path}/*.csv").form.as_task() == {"text_column": "review", "label_column": "topic"}


def test_a_key_that_comes_late_is_found(tmp_path, capsys):
    rows = [{"text": f"a {n}"} for n in range(150)] + [{"text": "b", "mood": "x"}, {"text": "c", "mood": "y"}]
    spec = table(tmp_path, "jsonl", rows)
    labelled = open_source(spec, label_column="mood")
    assert (labelled.inputs, labelled.class_names) == (["b", "c"], ("x", "y"))
    assert "150 of 152 rows have no label" in capsys.readouterr().out
    assert open_source(spec, label_column="mood").class_names == ("x", "y")
    with pytest.raises(
        UsageError, match="no object has the key 'moods', the keys are: text, mood; did you mean 'mood'"
    ):
        open_source(spec, label_column="moods")
    assert len(open_source(spec).inputs) == 152


@pytest.mark.parametrize(
    ("form", "options"),
    [
        (SourceForm(), ""),
        (SourceForm(("a", "b c"), "topic"), " --text-column a 'b c' --label-column topic"),
        (SourceForm(delimiter=";", encoding="cp1252", may_lack=True), " --delimiter ';' --encoding cp1252 --may-lack"),
    ],
)
def test_the_command_that_checks_a_source_has_its_options(form, options):
    assert form.options() == options


def test_the_advice_to_check_names_the_options(tmp_path):
    (tmp_path / "a.csv").write_bytes("body\ncaf\xe9\n \n".encode("cp1252"))
    with pytest.raises(RunError, match="check csv:.*a.csv --text-column body --encoding cp1252$"):
        open_source(f"csv:{tmp_path}/a.csv", text_column="body", encoding="cp1252")
