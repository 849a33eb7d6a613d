"""Labels as other programs write them are asked about and never learnt in silence."""

import json

import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.readers.labels.forms import are_bits, is_column_a_class, is_written_list, number_form
from tfpretune.data.readers.labels.labels import read_labels
from tfpretune.data.readers.records import Records
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import RunError, UsageError


def doubts(labels, kind="", **settings):
    """What is said of these labels of a table."""
    rows = Records(
        "text", [f"row {row}" for row in range(len(labels))], list(labels), [f"a:{row}" for row in range(len(labels))]
    )
    read_labels(rows, SourceForm(label_kind=kind, **settings))
    return [str(problem) for problem in rows.problems]


@pytest.mark.parametrize(
    "label",
    [
        "['a', 'b']",
        '["a", "b"]',
        "['a']",
        "[1, 0, 1]",
        "[1 0 1]",
        "[]",
        "{'a', 'b'}",
        "('a',)",
        "['a' 'b']",
        "[a, b]",
        "set()",
    ],
)
def test_a_list_in_a_cell_is_named_with_and_without_a_kind(label):
    assert is_written_list(label)
    for kind in ("", "multi-label"):
        (said,) = doubts(["x", label, "y"], kind)
        assert said.startswith(f"a:1: the label {label!r} is a list ")
    assert not [said for said in doubts(["x", label, "y"], "single") if "is a list" in said]
    assert not doubts(["x", label, "y"], "multi-label", labels_as_written=True)


@pytest.mark.parametrize("label", ["[PAD]", "a [b, c]", "(a)", "{x}", "f(x)", "New York (city)"])
def test_what_only_has_brackets_is_a_class(label):
    assert not is_written_list(label)
    assert not doubts(["x", label, "y"])


def test_a_cut_up_list_is_named_too():
    (said,) = doubts(["[1, 0, 1]", "[0, 1, 0]"], "multi-label", label_separator=",")
    assert said.startswith(
        "a:0: the label '[1, 0, 1]' is a list of 0 and 1 in one cell, which looks like one column per class"
    )


@pytest.mark.parametrize(
    "lists",
    [
        [[1, 0, 1], [0, 1, 0]],
        [[0, 1], [1, 0]],
        [[True, False, True], [False, False, True]],
        [[0.0, 1.0, 1.0], [1, 0, 0]],
    ],
)
def test_a_number_for_each_class_is_no_set_of_classes(tmp_path, lists):
    lines = [json.dumps({"text": f"row {row}", "label": label}) for row, label in enumerate(lists)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    spec = f"jsonl:{tmp_path}/a.jsonl"
    (problem,) = check(spec, SourceForm(label_kind="multi-label")).problems
    assert f"lists of {len(lists[0])} numbers each" in problem.what
    assert "one column per class" in problem.what
    with pytest.raises(RunError, match="one column per class"):
        open_source(spec, label_kind="multi-label")
    assert open_source(spec, label_kind="multi-label", labels_as_written=True).labels.shape[0] == 2


def test_rows_of_one_length():
    assert is_column_a_class([["2", "0", "2"], ["1", "0", "0"]])
    assert is_column_a_class([["0.1", "0.1", "0.8"], ["0.5", "0.2", "0.3"]])
    assert not is_column_a_class([["1", "2"], ["2", "3"]])
    assert not is_column_a_class([["0", "1"], ["1"]])
    assert not is_column_a_class([["a", "b"], ["b", "a"]])
    assert not is_column_a_class([["1"], ["0"]])
    assert not is_column_a_class([])


@pytest.mark.parametrize("labels", [["101", "010"], ["1 0 1", "0 1 0"], ["1.0 0.0", "0.0 1.0"]])
def test_bits_in_a_row(labels):
    assert are_bits(labels)
    for kind in ("", "multi-label"):
        assert "one column per class" in doubts(labels, kind)[0]


@pytest.mark.parametrize("labels", [["0", "1"], ["10", "11"], ["100", "111"], ["011"], ["011", "11"], ["0 1", "0 1 0"]])
def test_what_are_no_bits(labels):
    assert not are_bits(labels)


@pytest.mark.parametrize(
    ("labels", "separator"),
    [
        (["price|delivery", "price"], "|"),
        (["a,b", "c,d"], ","),
        (["a；b", "a"], "；"),
        (["a、b", "c"], "、"),
        (["a/b", "a", "b"], "/"),
        (["a b", "a", "b"], " "),
        (["a;c", "b,a", "b", "c"], ","),
    ],
)
def test_another_separator_in_sets_is_named(labels, separator):
    (said,) = doubts(labels, "multi-label")
    assert f"holds another separator, {separator!r}; " in said
    assert f"`label_separator` {separator!r}" in said
    assert not doubts(labels, "multi-label", labels_as_written=True)


@pytest.mark.parametrize(
    "labels",
    [["a;b", "c"], ["Bolivia, State of;a", "b"], ["and/or", "b"], ["New York;a", "b"], ["c++", "a"], ["R&D", "a"]],
)
def test_names_with_signs_are_classes(labels):
    assert not doubts(labels, "multi-label")


def test_the_separator_that_was_asked_for_is_no_other():
    assert not doubts(["a|b", "a"], "multi-label", label_separator="|")
    assert "';'" in doubts(["a;b", "a"], "multi-label", label_separator="|")[0]


@pytest.mark.parametrize(
    ("labels", "form"),
    [
        (["3,5", "4,5", "2,1"], "a decimal comma"),
        (["1,000", "2,000", "500"], "a thousands separator"),
        (["1.234,5", "2,5"], "a decimal comma"),
        (["$10", "$20"], "a currency"),
        (["10 €", "2,50 €"], "a currency"),
        (["5%", "10 %", "20%"], "a percent sign"),
        (["−1,5", "−2,5"], "a decimal comma"),
    ],
)
def test_numbers_as_people_write_them_are_asked_about(labels, form):
    (said,) = doubts(labels)
    assert form in said
    assert "`label_kind` regression" in said
    assert not doubts(labels, "single")


def test_many_decimal_commas_are_no_set():
    assert "a decimal comma" in doubts([f"{row},5" for row in range(30)])[0]


@pytest.mark.parametrize("label", ["3", "3.5", "1e3", "a,b", "v1,2", "$", "%", "10 kg", "1,2,3"])
def test_what_is_no_such_number(label):
    assert not number_form(label)


def test_a_class_given_twice_is_refused():
    for kind in ("single", "multi-label"):
        with pytest.raises(UsageError, match="class_names holds 'neg' twice"):
            doubts(["pos", "neg"], kind, class_names=("pos", "neg", "neg"))
