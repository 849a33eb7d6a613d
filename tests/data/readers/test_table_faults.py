"""Tables and lines that could be taken wrongly: quotes behind blanks, other columns, empty labels, line ends, encodings."""

import json

import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.readers.masks.form import MaskForm
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tag_form import TagForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.errors import RunError, UsageError


def write(tmp_path, name, data):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return f"{name.rpartition('.')[2]}:{tmp_path}/{name}"


def whats(result):
    return [problem.what for problem in result.problems]


@pytest.mark.parametrize(
    ("cell", "label"), [(' "pos"', "pos"), ('\t"pos" ', "pos"), (' "a ""b"""', 'a "b"'), (' " pos"', "pos")]
)
def test_quotes_behind_blanks_are_quotes(tmp_path, cell, label):
    examples = open_source(write(tmp_path, "a.csv", f'text, "label"\none,{cell}\ntwo,neg\n'))
    assert set(examples.class_names) == {label, "neg"}
    assert any("blanks between a comma and a quote" in note for note in examples.notes)


@pytest.mark.parametrize("text", [' "Great" he said', ' he said "great"', ' "a" and "b"'])
def test_quotes_in_a_text_stay(tmp_path, text):
    examples = open_source(write(tmp_path, "a.csv", f"label,text\npos,{text}\nneg,two\n"))
    assert examples.inputs[0] == text.strip()


def test_a_comma_in_quotes_behind_a_blank_names_the_blank(tmp_path):
    said = whats(check(write(tmp_path, "a.csv", 'text,label\none, "a, b"\ntwo,c\nthree,d\n')))
    assert said == ["the row has 3 fields, the header 2, and a quote has a blank before it"]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_another_separator_is_taken_and_told(tmp_path, mark):
    for header in ('"text"', "text", '"more, and more"'):
        spec = write(tmp_path, "a.csv", f'{header}{mark}label{mark}body\n"one, two"{mark}x{mark}"three, four"\n')
        source = open_source(spec, text_column="body")
        assert (source.inputs, source.class_names) == (["three, four"], ("x",))
        assert any("the columns are separated by" in note for note in source.notes)
    spec = write(tmp_path, "a.csv", f"text{mark}label\none{mark}x\n")
    assert open_source(spec, delimiter={"\t": "tab"}.get(mark, mark)).notes == ()
    with pytest.raises(UsageError, match="no column named 'text', the header has: text.label;"):
        open_source(spec, delimiter=",")


def test_an_open_quote_in_the_header(tmp_path):
    assert "a quote is opened and never closed" in whats(check(write(tmp_path, "a.csv", 'text,"label\none,a\n')))[0]


def test_an_empty_label_in_a_list_is_no_null(tmp_path):
    lines = '{"text": "a", "label": ["x", ""]}\n{"text": "b", "label": ["y"]}\n'
    assert whats(check(write(tmp_path, "a.jsonl", lines), SourceForm(label_kind="multi-label"))) == [
        'the labels ["x", ""] hold an empty one'
    ]


@pytest.mark.parametrize("line", ['{"text": "a", "label": ' + "[" * 100_000, "[" * 100_000])
def test_lists_in_lists_without_end(tmp_path, line):
    spec = write(tmp_path, "a.jsonl", line + '\n{"text": "b", "label": "x"}\n{"text": "c", "label": "y"}\n')
    assert whats(check(spec))[0].startswith("not JSON (maximum recursion depth")


@pytest.mark.parametrize("coding", ["utf-32", "utf-32-le", "utf-32-be", "utf-16"])
def test_the_encoding_is_named(tmp_path, coding):
    bom = "" if coding in ("utf-32", "utf-16") else "\ufeff"
    problem = check(write(tmp_path, "a.csv", f"{bom}text,label\na,b\n".encode(coding))).problems[0]
    name = coding[:6].upper()
    assert problem.what == f"the file is {name}, not UTF-8"
    assert f"iconv -f {name} -t UTF-8" in problem.todo
    assert open_source(write(tmp_path, "a.csv", f"{bom}text,label\na,b\n".encode(coding)), encoding=coding).inputs == [
        "a"
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path, end):
    lines = end.join(['{"text": "a", "label": "x"}', '{"text": "b", "label": "y"}', ""])
    assert len(open_source(write(tmp_path, "a.jsonl", lines))) == 2
    tagged = open_tagged(write(tmp_path, "a.conll", end.join(["Ann\tB-PER", "ran\tO", "", "No\tO", ""])))
    assert [list(words) for words in tagged.words] == [["Ann", "ran"], ["No"]]


@pytest.mark.parametrize("text", ["\u200b", "\u200b\u2060", "\ufe0f", "\u3164", "\u2800 \u200d"])
def test_a_text_or_label_that_cannot_be_seen_is_empty(tmp_path, text):
    assert "the text is empty" in whats(check(write(tmp_path, "a.csv", f"text,label\n{text},a\nx,a\ny,b\n")))
    found = check(write(tmp_path, "a.csv", f"text,label\nz,{text}\nx,a\ny,b\n"))
    assert (found.ok, found.counts["examples"]) == (True, 2)
    assert found.notes[0].startswith("1 of 3 rows have no label and are left out")


@pytest.mark.parametrize(
    ("labels", "odd", "what"),
    [
        (["pos", "neg", 1], 1, "is a number, and most are none"),
        (["pos", "neg", "0.87"], "0.87", "is a number, and most are none"),
        ([1.5, 2.5, "inf"], "inf", "is not a finite number, and the others are"),
    ],
)
def test_a_label_unlike_the_others(tmp_path, labels, odd, what):
    lines = [json.dumps({"text": f"row {row}", "label": label}) for row, label in enumerate(labels)]
    said = whats(check(write(tmp_path, "a.jsonl", "\n".join(lines))))
    assert f"the label '{odd}' {what}" in said


def test_unknown_is_a_class_with_a_note(tmp_path):
    result = check(write(tmp_path, "a.csv", "text,label\na,x\nb,y\nc,unknown\n"))
    assert result.ok
    assert any(note.startswith("'unknown' is taken as a class") for note in result.notes)


@pytest.mark.parametrize(("word", "tag"), [(1, 1), (0, 0), (-1, -1), (1, -1), (-1, 1), (-2, 0)])
def test_words_and_tags_in_one_column_are_refused(tmp_path, word, tag):
    spec = write(tmp_path, "a.conll", "Ann B-PER\nran O\n\n")
    with pytest.raises(UsageError, match="are one column of 2"):
        check(spec, tags=TagForm(word, tag))
    with pytest.raises(UsageError, match="are one column of 2"):
        open_tagged(spec, word_column=word, tag_column=tag)


@pytest.mark.parametrize("key", ["labels", "pos_tags"])
def test_tags_under_another_key_are_named(tmp_path, key):
    spec = write(tmp_path, "a.jsonl", json.dumps({"id": "0", "tokens": ["Ann", "ran"], key: ["B-PER", "O"]}))
    assert f"no object has the key 'tags', and there are lists of one value per word under: {key}" in whats(check(spec))
    with pytest.raises(RunError, match=f"name the one with the tags: `tags_key` {key}"):
        open_tagged(spec)
    assert open_tagged(spec, tags_key=key).tags is not None
    assert open_tagged(spec, tags_key="").tags is None


def test_tag_names_given_twice_are_refused(tmp_path):
    with pytest.raises(UsageError, match="tag_names holds 'O' twice"):
        open_tagged(write(tmp_path, "a.conll", "Ann B-PER\nran O\n"), tag_names=("O", "O"))


def test_a_question_with_and_without_an_answer(tmp_path):
    asked = [
        {"id": "1", "question": "Who ran?", "answers": [{"text": "Ann", "answer_start": 0}]},
        {"id": "2", "question": "who  ran?", "answers": [], "is_impossible": True},
        {"id": "3", "question": "Who sat?", "answers": [], "is_impossible": True},
    ]
    data = {"data": [{"title": "t", "paragraphs": [{"context": "Ann ran.", "qas": asked}]}]}
    (tmp_path / "a.json").write_text(json.dumps(data), "utf-8")
    (what,) = whats(check(f"squad:{tmp_path}/a.json"))
    assert what.startswith("the question has no answer, and the same question on the same context at ")


@pytest.mark.parametrize(
    ("spec", "settings", "option"),
    [
        ("a.csv", {"masks": MaskForm(values=(0, 1))}, "--mask-values"),
        ("a.csv", {"tags": TagForm(repair=True)}, "--repair"),
        ("a.csv", {"tags": TagForm(tag_column=1)}, "--tag-column"),
        ("a.conll", {"form": SourceForm(label_kind="multi-label")}, "--label-kind"),
        ("a.conll", {"form": SourceForm(labels_as_written=True)}, "--labels-as-written"),
        ("a.text", {"form": SourceForm(label_column="stars")}, "--label-column"),
    ],
)
def test_options_of_another_kind_are_refused(tmp_path, spec, settings, option):
    source = write(tmp_path, spec, "text,label\na,b\n")
    with pytest.raises(UsageError, match=f"{option} is for"):
        check(source, **settings)


def test_files_named_after_splits_are_noted(tmp_path):
    for name in ("reviews-train.csv", "reviews_test.csv", "more.csv"):
        write(tmp_path, name, f"text,label\n{name} a,x\n{name} b,y\n")
    (note,) = [note for note in check(f"csv:{tmp_path}/*.csv").notes if "look like splits" in note]
    assert note.startswith("reviews-train.csv, reviews_test.csv look like splits")
    assert not [note for note in check(f"csv:{tmp_path}/[m]*.csv").notes if "look like splits" in note]
