"""Parquet files: columns, nested ones, the names of classes that Hugging Face's `datasets` notes, what is none."""

import json

import pyarrow
import pyarrow.parquet
import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.questions import open_questions
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.errors import RunError, UsageError

NAMED = {"names": ["neg", "pos"], "_type": "ClassLabel"}
TAGS = {"names": ["O", "B-PER", "I-PER"], "_type": "ClassLabel"}


def write(path, rows, features=None):
    made = pyarrow.Table.from_pylist(rows)
    if features:
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(made, path)
    return str(path)


def test_texts_and_labels(tmp_path):
    path = write(tmp_path / "a.parquet", [{"text": "one", "label": "x"}, {"text": "two", "label": "y"}])
    source = open_source(path)
    assert (source.inputs, source.class_names) == (["one", "two"], ("x", "y"))
    assert source.where[1] == f"{path}[1]"


@pytest.mark.parametrize("column", ["label", "mood"])
def test_numbers_of_classes_have_the_names_that_the_file_notes(tmp_path, capsys, column):
    rows = [{"text": "one", column: 1}, {"text": "two", column: 0}]
    source = open_source(write(tmp_path / "a.parquet", rows, {column: NAMED}), label_column=column)
    assert (source.class_names, source.labels.tolist()) == (("neg", "pos"), [1, 0])
    more = open_source(
        write(tmp_path / "a.parquet", rows, {column: NAMED}), label_column="", more_labels=(column,)
    ).more[column]
    assert (more.class_names, more.labels.tolist()) == (("neg", "pos"), [1, 0])
    rows[1][column] = -1  # how such files say that there is no label
    left = open_source(write(tmp_path / "a.parquet", rows, {column: NAMED}), label_column=column)
    assert (left.inputs, left.labels.tolist()) == (["one"], [1])
    assert "1 of 2 rows have no label" in capsys.readouterr().out
    hidden = write(tmp_path / "b.parquet", [*rows, {"text": "x", column: -1}], {column: NAMED})  # as datasets writes it
    assert open_source(hidden, label_column=column).inputs == ["one"]


def test_nested_bytes_numbers_and_what_is_missing(tmp_path):
    rows = [
        {"data": {"body": "one"}, "raw": b"eins", "stars": 1.5},
        {"data": {"body": "two"}, "raw": b"zwei", "stars": 2.0},
    ]
    path = write(tmp_path / "a.parquet", rows)
    assert open_source(path, text_column=("data.body", "raw")).inputs == ["one\neins", "two\nzwei"]
    rated = open_source(path, text_column="raw", label_column="stars", label_kind="regression")
    assert rated.labels.tolist() == [1.5, 2.0]
    with pytest.raises(
        UsageError, match="no column named 'body', the header has: data, raw, stars; name one with `text_c"
    ):
        open_source(path, text_column="body")
    with pytest.raises(RunError, match=r"a.parquet\[0\]: no text under 'stars' \(it is 1.5\)"):
        open_source(path, text_column="stars")


def test_a_folder_of_parts_and_a_glob(tmp_path):
    for number in range(3):
        write(tmp_path / f"deep/part-{number}.parquet", [{"text": f"one {number}", "label": "x"}])
    (tmp_path / "_SUCCESS").write_text("")
    assert open_source(f"parquet:{tmp_path}").inputs == ["one 0", "one 1", "one 2"]
    assert open_source(str(tmp_path)).inputs == ["one 0", "one 1", "one 2"]
    assert open_source(f"parquet:{tmp_path}/*/part-[12].parquet").inputs == ["one 1", "one 2"]
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match=r"no .parquet file in .*none"):
        open_source(f"parquet:{tmp_path}/none")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda data: data[:-20], "the Parquet file is damaged"),
        (lambda data: b"text,label\n", "the file is no Parquet file; give what it is"),
        (lambda data: b"PK\x03\x04", "the file is a ZIP archive"),
        (lambda data: b"version https://git-lfs.github.com/spec/v1\n", "the file is a pointer of Git LFS"),
    ],
    ids=["cut", "csv", "zip", "lfs"],
)
def test_what_is_no_parquet_is_named(tmp_path, data, said):
    path = write(tmp_path / "a.parquet", [{"text": "one"}])
    (tmp_path / "a.parquet").write_bytes(data((tmp_path / "a.parquet").read_bytes()))
    assert said in str(check(path).problems[0])


WORDS = [{"tokens": ["Ann", "ran"], "ner_tags": [1, 0]}, {"tokens": ["No"], "ner_tags": [0]}]


@pytest.mark.parametrize("kind", ["Sequence", "List"])
def test_numbers_of_tags_have_the_names_that_the_file_notes(tmp_path, kind):
    path = write(tmp_path / "a.parquet", WORDS, {"ner_tags": {"feature": TAGS, "_type": kind}})
    examples = open_tagged(path)
    assert examples.tag_lists() == [["B-PER", "O"], ["O"]]
    assert "the tags are under 'ner_tags' (`tags_key` names another key)" in examples.notes
    assert check(path).histogram == {"PER": 1}


def test_numbers_of_tags_need_names(tmp_path):
    path = write(tmp_path / "a.parquet", WORDS)
    with pytest.raises(
        RunError, match="'ner_tags' are numbers, and their names are nowhere; .*: `tag_names` O B-PER I-PER"
    ):
        open_tagged(path)
    assert open_tagged(path, tag_names=("O", "B-PER", "I-PER")).tag_lists() == [["B-PER", "O"], ["O"]]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, WORDS)))
    with pytest.raises(RunError, match=r"a.jsonl:1: the tags under 'ner_tags' are numbers"):
        open_tagged(f"{tmp_path}/a.jsonl")


def asked(number, texts, starts, **more):
    answers = {"text": texts, "answer_start": starts}
    return {
        "id": str(number),
        "title": f"T{number}",
        "context": f"Ann ran {number}.",
        "question": "Who?",
        "answers": answers,
    } | more


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.json"])
def test_flat_rows_of_questions(tmp_path, name):
    rows = [asked(1, ["Ann"], [0]), asked(2, [], []), asked(3, ["Ann", "ran 3"], [0, 4])]
    if name == "a.parquet":
        write(tmp_path / name, rows)
    else:
        (tmp_path / name).write_text(json.dumps(rows) if name == "a.json" else "\n".join(map(json.dumps, rows)))
    examples = open_questions(f"{tmp_path}/{name}")
    assert examples.answer_texts == [["Ann"], [], ["Ann", "ran 3"]]
    assert list(examples.groups) == ["T1", "T2", "T3"]
    assert check(f"{tmp_path}/{name}").histogram == {"answer": 2, "no answer": 1}


@pytest.mark.parametrize("scheme", ["jsonl", "squad"])
def test_bad_rows_of_questions_are_named(tmp_path, scheme):
    rows = [
        asked(1, ["Bob"], [0]),
        asked(2, ["Ann"], [0, 1]),
        {"question": "Who?"},
        asked(4, ["Ann"], [0], is_impossible=True),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    problems = [str(problem) for problem in check(f"{scheme}:{tmp_path}/a.jsonl").problems]
    assert "a.jsonl:1: the answer 'Bob' does not stand at character 0" in problems[0]
    assert "a.jsonl:2: 'answers' is" in problems[1]
    assert "a.jsonl:3: not question, context, answers (the keys are: question)" in problems[2]
    assert "a.jsonl:4: 'is_impossible' is true, and there is an answer" in problems[3]
