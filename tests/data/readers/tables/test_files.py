"""Files of tables as other tools write them: tabs and semicolons, encodings, lists of objects."""

import json

import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import RunError, UsageError


def write(tmp_path, name, data):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return f"{tmp_path}/{name}"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('"hello there', '"hello there'),
        ('say "hi" now', 'say "hi" now'),
        ('"quoted ""x"""', 'quoted "x"'),
        ('"whole"', "whole"),
        ("it's 5\" long", "it's 5\" long"),
    ],
)
def test_quotes_between_tabs_swallow_no_lines(tmp_path, line, text):
    source = open_source(write(tmp_path, "a.tsv", f"text\tlabel\n{line}\tx\nlast\ty\n"))
    assert source.inputs == [text, "last"]
    assert source.where[1].endswith("a.tsv:3")


def test_a_quoted_line_break_between_tabs_is_one_record(tmp_path):
    source = open_source(write(tmp_path, "a.tsv", 'text\tlabel\n"one\ntwo"\tx\nlast\ty\n'))
    assert source.inputs == ["one\ntwo", "last"]


@pytest.mark.parametrize("delimiter", ["tab", "\\t", "\t"])
def test_names_of_the_tab(tmp_path, delimiter):
    assert open_source(write(tmp_path, "a.csv", "text\tlabel\none, two\tx\n"), delimiter=delimiter).inputs == [
        "one, two"
    ]


@pytest.mark.parametrize("delimiter", ["ab", "\n", '"', ",,"])
def test_what_separates_nothing_is_refused(delimiter):
    with pytest.raises(UsageError, match="`delimiter` must be one character, or tab"):
        open_source("csv:a.csv", delimiter=delimiter)


def test_one_column_asks_what_separates(tmp_path):
    with pytest.raises(
        UsageError, match="the header has: text:label; .*, and what separates the columns with `delimiter`"
    ):
        open_source(write(tmp_path, "a.csv", "text:label\none:x\n"))


@pytest.mark.parametrize(
    "encoding", ["gb18030", "big5", "utf-16", "utf-16-be", "utf-8-sig", "utf-32", "GB2312", "cp950"]
)
def test_encodings_are_read(tmp_path, encoding):
    path = write(tmp_path, "a.csv", "text,label\n好的文本,正\n不好的,反\n".encode(encoding))
    assert open_source(path, encoding=encoding).inputs == ["好的文本", "不好的"]


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (
            "text\nok\ncaf\xe9\n".encode("cp1252"),
            "",
            r"a.csv:3:4: byte 0xe9 is not UTF-8; .* or give `encoding`: gb18030",
        ),
        (
            "text\nok\ncaf\xe9 x\n".encode("cp1252"),
            "big5",
            r"a.csv:3:4: byte 0xe9 is not big5; give another `encoding`",
        ),
        ("text\nok\n好\n".encode("gb18030"), "ascii", r"a.csv:3:1: byte 0xba is not ascii"),
        ("text\n“hi”\n".encode("cp1252"), "latin-1", r"a.csv:2:1: byte 0x93 is a control .*; give `encoding` cp1252"),
        (
            "text\nhi\n".encode("utf-8-sig"),
            "cp1252",
            r"a.csv:1:1: the file begins with the mark of UTF-8, and `encoding` is",
        ),
        ("text\nhi\n".encode("utf-16"), "gb18030", r"a.csv:1:1: the file begins with the mark of UTF-16, and"),
        (
            "text\ncafé über été\n",
            "cp1252",
            r"a.csv:1:1: the file is UTF-8: read as cp1252 it holds other signs; leave",
        ),
        ("text\n好的文本好的文本\n", "gb18030", r"a.csv:1:1: the file is UTF-8: read as gb18030 it holds other signs"),
        (
            "text\nhi\n".encode("utf-16-le"),
            "",
            r"a.csv:1:1: the file seems to be utf-16-le, not UTF-8; give `encoding`",
        ),
        ("text\nhi\n".encode("utf-16-le") + b"x", "utf-16-le", r"a.csv:3:1: byte 0x78 is not utf-16-le"),
    ],
)
def test_a_wrong_encoding_is_named_by_line_and_byte(tmp_path, data, encoding, message):
    with pytest.raises(RunError, match=message) as caught:
        open_source(write(tmp_path, "a.csv", data), encoding=encoding)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "hex", "a\0b"])
def test_an_unknown_encoding_is_refused(encoding):
    with pytest.raises(UsageError, match="`encoding` .* is unknown: give one such as utf-8"):
        open_source("csv:a.csv", encoding=encoding)


ROWS = [{"text": "one", "label": "x"}, {"text": "two", "label": "y"}]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_list_of_objects(tmp_path, indent, name):
    source = open_source(write(tmp_path, name, json.dumps(ROWS, indent=indent)))
    assert (source.inputs, source.class_names) == (["one", "two"], ("x", "y"))
    assert source.where[1].endswith(f"{name}[1]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(ROWS, indent=1)[:-20], r"a.json:7: not JSON \("),
        (
            json.dumps({"rows": ROWS}, indent=1),
            "a.json: the file is one JSON object, with the keys: rows; write one JSON",
        ),
        (json.dumps([["one"], ["two"]]), r"a.json\[0\]: expected an object such as .* received list"),
    ],
    ids=["cut", "object", "lists"],
)
def test_other_json_is_named(tmp_path, text, message):
    with pytest.raises(RunError, match=message):
        open_source("json:" + write(tmp_path, "a.json", text))


def test_an_object_a_line_in_a_json_file(tmp_path):
    assert open_source(write(tmp_path, "a.json", "\n".join(map(json.dumps, ROWS)))).inputs == ["one", "two"]
    assert check(f"{tmp_path}/a.json").histogram == {"x": 1, "y": 1}
