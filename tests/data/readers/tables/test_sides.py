"""Columns that say which split and which group a row is of."""

import collections
import json

import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.data.splits.form import SplitForm
from tfpretune.errors import RunError, UsageError

PARTS = ("train", "validation", "test")


def table(tmp_path, header, rows, name="a.csv"):
    (tmp_path / name).write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return f"csv:{tmp_path}/{name}"


def parts_of(spec, **form):
    parts = labelled_splits(spec, SourceForm(**form))
    return {name: set(getattr(parts, name).inputs) for name in PARTS}


def rows(count, last):
    return [f"word {row},{('no', 'yes')[row % 2]},{last(row)}" for row in range(count)]


def test_a_column_of_splits_is_read_and_said(tmp_path, capsys):
    names = ("train", "Training", "val", "dev", "TEST")
    spec = table(tmp_path, "text,label,split", rows(50, lambda row: names[row % 5]))
    found = parts_of(spec)
    assert found["validation"] == {f"word {row}" for row in range(50) if row % 5 in (2, 3)}
    assert found["test"] == {f"word {row}" for row in range(50) if row % 5 == 4}
    said = capsys.readouterr().out
    assert "the column 'split' says which split a row is of: train 20, validation 20, test 10" in said
    anew = parts_of(spec, split_column="")
    assert anew["test"] != found["test"]
    assert "which split" not in capsys.readouterr().out
    named = table(tmp_path, "text,label,part", rows(50, lambda row: names[row % 5]), "b.csv")
    assert parts_of(named, split_column="part") == found
    objects = [{"text": f"word {row}", "label": ("no", "yes")[row % 2], "split": names[row % 5]} for row in range(50)]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, objects)), "utf-8")
    assert parts_of(f"jsonl:{tmp_path}/c.jsonl") == found


def test_a_part_that_no_row_has_is_drawn_from_train(tmp_path, capsys):
    found = parts_of(table(tmp_path, "text,label,split", rows(100, lambda row: "test" if row < 20 else "train")))
    assert len(found["test"]) == 20
    assert 4 <= len(found["validation"]) <= 14
    assert "train 80, test 20; validation drawn from train by hash" in capsys.readouterr().out


def test_a_column_that_is_no_split_is_not_read_and_a_strange_cell_is_named(tmp_path):
    other = table(tmp_path, "text,label,split", rows(40, lambda row: ("banana", "boat")[row % 2]))
    result = check(other)
    assert result.ok
    assert "the column 'split' holds 'banana', 'boat': these are no splits, and it is not read" in result.notes
    assert open_source(other).splits is None
    asked = table(tmp_path, "text,label,part", rows(4, lambda row: "banana"), "b.csv")
    with pytest.raises(
        RunError, match="b.csv:2: the split 'banana' is none of train, validation, test; write one of these"
    ):
        open_source(asked, split_column="part")
    mixed = table(tmp_path, "text,label,split", rows(40, lambda row: ("train", "test", "", "tset")[row % 4]))
    assert collections.Counter(problem.what for problem in check(mixed).problems) == {
        "the split is blank": 10,
        "the split 'tset' is none of train, validation, test": 10,
    }


def test_a_column_that_is_asked_for_must_be_there(tmp_path):
    spec = table(tmp_path, "text,label", ["a,x", "b,y"])
    for field in ("split_column", "group_column"):
        with pytest.raises(UsageError, match="no column named 'patient', the header has: text, label"):
            open_source(spec, **{field: "patient"})
    (tmp_path / "t/x").mkdir(parents=True)
    (tmp_path / "t/x/1.txt").write_text("a")
    with pytest.raises(UsageError, match="`group_column` is for tables"):
        open_source(f"text:{tmp_path}/t", group_column="patient")
    table(tmp_path, "text,label,split", ["c,x,train"], "b.csv")
    with pytest.raises(UsageError, match="some files have a column 'split' and others have none"):
        open_source(f"csv:{tmp_path}/?.csv")


def test_a_group_is_never_on_two_sides(tmp_path, capsys):
    spec = table(tmp_path, "text,label,patient", rows(200, lambda row: f"p{row // 5}"))
    parts = labelled_splits(spec, SourceForm(group_column="patient"))
    sides = {}
    for name in PARTS:
        for group in set(getattr(parts, name).groups):
            assert sides.setdefault(group, name) == name
    assert set(sides.values()) == set(PARTS)
    assert "rows of one 'patient' are never on two sides: 40 groups, the largest of 5" in capsys.readouterr().out
    blank = table(tmp_path, "text,label,patient", rows(60, lambda row: "" if row % 2 else "p1"), "b.csv")
    assert "; 30 rows without one stand by themselves" in check(blank, SourceForm(group_column="patient")).notes[0]


def test_a_group_in_two_splits_is_named_and_one_in_an_own_test_source_left_out(tmp_path, capsys):
    torn = [f"word {row},{('no', 'yes')[row % 2]},p{row // 3},{('train', 'test')[row % 2]}" for row in range(12)]
    form = SourceForm(group_column="patient")
    problems = check(table(tmp_path, "text,label,patient,split", torn), form).problems
    assert [problem.what.split(" and, ")[0] for problem in problems] == [
        "the group 'p0' is in test",
        "the group 'p1' is in train",
        "the group 'p2' is in test",
        "the group 'p3' is in train",
    ]
    spec = table(tmp_path, "text,label,patient", rows(200, lambda row: f"p{row // 5}"), "b.csv")
    own = table(tmp_path, "text,label,patient", ["new 1,no,p3", "new 2,yes,p3", "new 3,no,q"], "t.csv")
    parts = labelled_splits(spec, form, splits=SplitForm(test_source=own))
    assert len(parts.train) + len(parts.validation) == 195
    assert "5 examples are left out because of" in capsys.readouterr().out
