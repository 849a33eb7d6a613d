"""Labels that may not mean what is written are asked about, by `check` and by what opens a source, with the same line."""

import json

import numpy as np
import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.checks.result import format_result
from tfpretune.data.readers.labels.doubts import looks_missing, number_doubt, set_doubt
from tfpretune.data.readers.labels.spellings import number_of, spelling_key
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.errors import RunError, UsageError


def csv(tmp_path, labels, name="a.csv"):
    lines = "".join(f'row {row},"{label}"\n' for row, label in enumerate(labels))
    (tmp_path / name).write_text(f"text,label\n{lines}", "utf-8")
    return f"csv:{tmp_path}/{name}"


def jsonl(tmp_path, labels):
    lines = [json.dumps({"text": f"row {row}", "label": label}) for row, label in enumerate(labels)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return f"jsonl:{tmp_path}/a.jsonl"


def problems(spec, **settings):
    """What `check` says, without the folder; that opening the source says the first of it, too."""
    found = [str(problem) for problem in check(spec, SourceForm(**settings)).problems]
    if found:
        with pytest.raises(RunError) as caught:
            open_source(spec, **settings)
        assert str(caught.value).startswith(f"{found[0]}; for all problems run: tfpretune check {spec}")
    folder = spec.partition(":")[2].rpartition("/")[0]
    return [line.replace(f"{folder}/", "") for line in found]


@pytest.mark.parametrize(
    "missing", ["nan", "NaN", "None", "NULL", "N/A", "n/a", "NA", "<NA>", "-", "?", "ｎａｎ", "-1"]
)
def test_what_stands_for_no_value_is_no_class(tmp_path, missing):
    spec = csv(tmp_path, ["pos", missing, "neg"])
    assert problems(spec) == [
        f"a.csv:3: the label {missing!r} looks like a missing label; give the row a label or remove it; "
        f"if {missing!r} is a class of its own: `labels_as_written`"
    ]
    assert check(spec).histogram == {"neg": 1, "pos": 1}
    assert set(open_source(spec, labels_as_written=True).class_names) == {"pos", "neg", missing}
    assert open_source(spec, class_names=("neg", missing, "pos")).labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize("label", ["nano", "no", "unknown", "none of these", "Namibia", "n"])
def test_what_only_begins_like_it_is_a_class(tmp_path, label):
    assert not looks_missing(label)
    assert check(csv(tmp_path, ["pos", label, "neg"])).ok


def test_a_source_with_nothing_but_missing_labels(tmp_path):
    assert len(problems(csv(tmp_path, ["nan", "nan"]))) == 3  # and no usable rows


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        (["0", "0", "0.0", "00", "1"], [("0.0", "0", 2), ("00", "0", 2)]),
        (["1", "01", "01", "2"], [("1", "01", 3)]),
        (["Sport", "sport", "law"], [("sport", "Sport", 2)]),
        (["law", "ｌａｗ", "art"], [("ｌａｗ", "law", 2)]),
        (["sci fi", "sci \u200bfi", "art"], [("sci \u200bfi", "sci fi", 2)]),
        (["true", "1", "false"], [("1", "true", 2)]),
    ],
)
def test_two_spellings_of_one_class_are_named_both(tmp_path, labels, pairs):
    spec = csv(tmp_path, labels)
    assert problems(spec) == [
        f"a.csv:{labels.index(rare) + 2}: the label {rare!r} and the {usual!r} of a.csv:{line} look like one class in two "
        "spellings; write both alike; if they are two: `labels_as_written`"
        for rare, usual, line in pairs
    ]
    assert len(open_source(spec, labels_as_written=True).class_names) == len(set(labels))


def test_keys_of_spellings_are_exact():
    assert len({spelling_key(text) for text in ("7", "07", "7.0", "+7", "0.7e1", "７", " 7")}) == 1
    assert (
        len({spelling_key(text) for text in ("7", "-7", "70", "7a", "12345678901234567890", "12345678901234567891")})
        == 6
    )
    assert [number_of(text) for text in ("1_0", "nan", "inf", "", "1,5", ".")] == [None] * 6


def numbers(count, step=0.25):
    return [f"{1 + step * row:g}" for row in range(count)]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (numbers(60), "the labels are 60 different numbers, 1 to 15.75"),
        (numbers(60, 1), "the labels are 60 different numbers, 1 to 60"),
        (["1.5", "2", "2.0"] * 3, "the labels are 2 different numbers, 1.5 to 2"),
        (
            [*numbers(40), "four"],
            "the labels are 40 different numbers, 1 to 10.75, and 1 that are none, such as 'four'",
        ),
    ],
)
def test_many_numbers_are_asked_about(tmp_path, labels, said):
    spec = csv(tmp_path, labels)
    todo = "say which they are: `label_kind` regression to learn their values, `label_kind` single if each is a class"
    assert problems(spec) == [f"a.csv:2: {said}; {todo}"]
    if "four" not in labels:
        assert open_source(spec, label_kind="regression").labels.dtype == np.float32
    with pytest.raises(RunError, match="`label_kind` regression"):
        labelled_splits(spec)


def test_numbers_that_are_meant_as_classes_are_told(tmp_path, capsys):
    """Where the kind is given, and where there are few."""
    spec = csv(tmp_path, numbers(60))
    assert (
        check(spec, SourceForm(label_kind="single")).notes[0]
        == "the labels are 60 different numbers, 1 to 15.75: each is taken as a class"
    )
    with pytest.raises(UsageError, match="has [01] examples"):
        labelled_splits(spec, SourceForm(label_kind="single"), labels_per_class=5)
    assert "each is taken as a class" in capsys.readouterr().out
    few = check(csv(tmp_path, ["1", "2", "3", "5", "4"] * 2))
    assert few.ok
    assert few.notes[0] == "the labels 1 to 5 are taken as 5 classes (`label_kind` regression: as numbers)"
    assert number_doubt(["3", "4"]) == number_doubt(["a", "b", "0.5"]) == ""


def test_a_number_from_another_column_is_named(tmp_path):
    assert problems(csv(tmp_path, ["pos", "neg", "0.87", "pos"])) == [
        "a.csv:4: the label '0.87' is a number, and most are none; correct it; if it is a class: `labels_as_written`"
    ]


@pytest.mark.parametrize(
    ("labels", "option"),
    [
        (["art;law", "art", "law"], ""),
        (["art|sea", "sea", "art|law", "law"], " `label_separator` '|'"),
        (["art, law", "law, art"], " `label_separator` ','"),
    ],
)
def test_sets_are_asked_about(tmp_path, labels, option):
    spec = csv(tmp_path, labels)
    assert problems(spec) == [
        f"a.csv:2: the label {labels[0]!r} looks like a set of classes; `label_kind` multi-label{option} for several "
        "classes a row, `label_kind` single for one"
    ]
    assert check(spec, SourceForm(label_kind="single")).ok
    assert set_doubt({"Smith, John": 1, "Smith, Ann": 2, "a;b": 1}) == ("", "")


def test_what_json_may_hold(tmp_path):
    """true and false are classes, 1.0 is 1, null and NaN are missing, and a list is asked about."""
    source = open_source(jsonl(tmp_path, [True, False, "true"]))
    assert (source.class_names, source.labels.tolist()) == (("false", "true"), [1, 0, 1])
    assert open_source(jsonl(tmp_path, [1.0, 0, "1"])).class_names == ("0", "1")
    found = problems(jsonl(tmp_path, ["a", None, float("nan"), "b"]))
    assert [line.split("; ")[0] for line in found] == [
        "a.jsonl:3: the label 'nan' looks like a missing label",
    ]
    assert "say what a list is: `label_kind` multi-label" in problems(jsonl(tmp_path, ["a", ["a", "b"]]))[0]
    found = problems(jsonl(tmp_path, [["a", None], ["b"]]), label_kind="multi-label")
    assert found[0].startswith("a.jsonl:1: the label 'null' looks like a missing label")
    assert problems(jsonl(tmp_path, [0.5, 1.5, 2.5]))[0].startswith("a.jsonl:1: the labels are 3 different numbers")


def test_sets_and_numbers_have_missing_ones_and_spellings_too(tmp_path):
    found = problems(csv(tmp_path, ["a;b", "nan", "B", ""]), label_kind="multi-label")
    assert [line.split("; ")[0] for line in found] == [
        "a.csv:3: the label 'nan' looks like a missing label",
        "a.csv:4: the label 'B' and the 'b' of a.csv:2 look like one class in two spellings",
    ]
    found = problems(csv(tmp_path, ["1.5", "2", "N/A"]), label_kind="regression")
    assert found == ["a.csv:4: the label 'N/A' looks like a missing label; write it like -1.5, or remove the row"]


def test_ratings_of_one_text_are_averaged_and_told(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nfine,1\nbad,-1\nFine ,4\nfine,4\ngood,2\ngood,2\n", "utf-8")
    source = open_source(f"csv:{tmp_path}/a.csv", label_kind="regression").without_duplicates()
    assert source.inputs == ["fine", "bad", "good"]
    assert source.labels.dtype == np.float32
    assert source.labels.tolist() == [3, -1, 2]
    said = f"1 texts have several numbers, whose mean counts (the first: {tmp_path}/a.csv:2)"
    assert source.notes == (said,)


def test_texts_with_two_classes_are_left_out_and_told(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,x\nb,y\nA,y\nb,y\n", "utf-8")
    source = open_source(f"csv:{tmp_path}/a.csv").without_duplicates()
    assert source.inputs == ["b"]
    assert source.notes[0].startswith("1 texts stand there with different labels and are left out")
    assert source.notes[0].endswith("(the first: " + f"{tmp_path}/a.csv:2)")


def test_labels_under_another_name_are_told(tmp_path):
    (tmp_path / "a.csv").write_text("text,mood\na,x\nb,y\n", "utf-8")
    note = f"{tmp_path}/a.csv has no 'label', so no labels; of these one may be named with `label_column`: mood"
    assert check(f"csv:{tmp_path}/a.csv").notes[0] == note
    with pytest.raises(UsageError, match="has 0 classes: labels of at least 2 are needed .*`label_column`: mood"):
        labelled_splits(f"csv:{tmp_path}/a.csv")
    assert open_source(f"csv:{tmp_path}/a.csv", label_column="").notes == ()


def test_twenty_lines_of_a_kind_are_printed(tmp_path):
    """All problems count; those of another kind are not crowded out."""
    result = check(csv(tmp_path, [*["nan"] * 50, "pos", "neg", "pos", "Pos", *(f"class {n}" for n in range(30))]))
    assert len(result.problems) == 51
    lines = format_result(result).splitlines()
    assert sum("looks like a missing label" in line for line in lines) == 20
    assert "  … and 30 more of this kind" in lines
    assert "  and 13 more classes" in lines
    assert [line.split("; ")[0].split(": ", 2)[2] for line in lines if "spellings" in line] == [
        f"the label 'Pos' and the 'pos' of {tmp_path}/a.csv:52 look like one class in two spellings",
    ]
    assert lines[-1] == "51 problems"


def test_names_of_folders_are_classes(tmp_path):
    """Many numbers, and one that stands apart, are meant; two spellings are asked about."""
    for name in (*map(str, range(30)), "99", "0.5"):
        (tmp_path / "texts" / name).mkdir(parents=True)
        (tmp_path / "texts" / name / "1.txt").write_text(f"text {name}")
    spec = f"text:{tmp_path}/texts"
    assert len(open_source(spec).class_names) == 32
    (tmp_path / "texts/007").mkdir()
    (tmp_path / "texts/007/1.txt").write_text("text")
    assert [line.split("; ")[0] for line in problems(spec)] == [
        "texts/7/1.txt: the label '7' and the '007' of texts/007/1.txt look like one class in two spellings"
    ]


def test_numbers_of_which_none_is_good(tmp_path):
    assert [line.split("; ")[0] for line in problems(csv(tmp_path, ["x", "y"]), label_kind="regression")][:2] == [
        "a.csv:2: the label 'x' is not a finite number",
        "a.csv:3: the label 'y' is not a finite number",
    ]
