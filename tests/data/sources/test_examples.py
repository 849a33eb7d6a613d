import json
import os

import numpy as np
import pytest

from tfpretune.data.sources.examples import open_source
from tfpretune.errors import RunError, UsageError


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cvs:a.csv", "unknown source 'cvs:a.csv', did you mean csv:a.csv.: expected one of demo:, tfds:, csv:"),
        ("reviews.csv", "no file matches csv:reviews.csv .looked in .*: check the path"),
        ("Notes.TXT", "no file matches text:Notes.TXT"),
        ("csv", "unknown source 'csv', did you mean csv:PATH."),
        ("demo", "unknown source 'demo', did you mean demo:NAME."),
        ("/", "unknown source '/', did you mean images:/ or text:/."),
        ("nothing", "unknown source 'nothing': expected one of"),
        ("demo:bcc", "unknown demo 'bcc', did you mean 'bbc'.: expected one of digits, mnist5k, bbc, reviews-zh"),
        ("csv:", "names nothing after the colon"),
        ("csv:nowhere/*.csv", "no file matches csv:nowhere/.*csv .looked in .*: check the path"),
        ("text:nowhere.txt", "no file matches text:nowhere.txt"),
        ("images:nowhere", "no folder nowhere"),
    ],
)
def test_unknown_sources_are_refused(spec, message):
    with pytest.raises(UsageError, match=message):
        open_source(spec)


def test_csv_with_mark_quotes_line_breaks_and_commas(tmp_path):
    path = write(
        tmp_path / "a.csv",
        '\ufefftext,label\r\n"one, ""two""",pos\r\n"first line\nsecond line",neg\r\n\r\nlast,pos\r\n',
    )
    source = open_source(f"csv:{path}")
    assert source.inputs == ['one, "two"', "first line\nsecond line", "last"]
    assert source.where == [f"{path}:2", f"{path}:3", f"{path}:6"]
    assert source.class_names == ("neg", "pos")
    assert source.labels.tolist() == [1, 0, 1]
    assert source.labels.dtype == np.int32


def test_csv_columns_and_globs(tmp_path):
    write(tmp_path / "b.csv", "stars,review\n10,great\n")
    write(tmp_path / "a.csv", "review,stars\nbad,1\nfair,2\n")
    columns = {"text_column": "review", "label_column": "stars"}
    with pytest.raises(RunError, match="b.csv:2: the label 10 is out of range: the others are 1 to 2"):
        open_source(f"csv:{tmp_path}/*.csv", **columns)
    source = open_source(f"csv:{tmp_path}/*.csv", **columns, labels_as_written=True)
    assert source.inputs == ["bad", "fair", "great"]
    assert source.class_names == ("1", "2", "10")
    assert source.labels.tolist() == [0, 1, 2]
    assert open_source(f"csv:{tmp_path}/*.csv", text_column="review").labels is None
    assert open_source(f"csv:{tmp_path}/a.csv", text_column="stars", label_column="").labels is None


def test_csv_takes_fields_of_any_length(tmp_path):
    path = write(tmp_path / "a.csv", "text\n" + "word " * 60000 + "\n")
    assert len(open_source(f"csv:{path}").inputs[0]) >= 5 * 60000 - 1


def test_class_names_give_the_indices(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\na,pos\nb,0\nc,neu\n")
    source = open_source(f"csv:{path}", class_names=("neg", "neu", "pos"))
    assert source.labels.tolist() == [2, 0, 1]
    assert source.class_names == ("neg", "neu", "pos")


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (
            "text,label\na,x\nb\n",
            RunError,
            r"a.csv:3: the row has 1 fields, the header 2; put fields .* run: tfpretune check csv:",
        ),
        ('text,label\na,x\n"b,y\nc,z\n', RunError, r"a.csv:3: a quote is opened and never closed"),
        ('text,label\n"a"b,x\nc,y\n', RunError, r"a.csv:2: broken quotes"),
        ("text,label\n ,x\nb,y\n", RunError, r"a.csv:2: the text is empty"),
        ("text,label\n", RunError, "there are no rows"),
        ("", RunError, r"a.csv:1: the file is empty"),
        (b"text,label\na,x\nb\xff,y\n", RunError, r"a.csv:3:2: byte 0xff is not UTF-8; save the file as UTF-8"),
        (
            "text,label\na,x\n".encode("utf-16"),
            RunError,
            r"a.csv:1:1: the file is UTF-16, not UTF-8; convert it: iconv",
        ),
        (
            "phrase;stars\na;1\n",
            UsageError,
            r"a.csv:1: no column named 'text', the header has: phrase, stars; did you mean 'ph",
        ),
        ("text,text\na,b\n", UsageError, r"more than one column named 'text'"),
    ],
)
def test_bad_csv_is_named_by_line(tmp_path, content, error, message):
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(error, match=message) as caught:
        open_source(f"csv:{path}")
    assert "\n" not in str(caught.value)


def test_a_label_column_that_was_asked_for_must_exist(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\na,x\n")
    with pytest.raises(UsageError, match="no column named 'lable', the header has: text, label"):
        open_source(f"csv:{path}", label_column="lable")


def test_a_label_out_of_range_is_named(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\na,0\nb,1\nc,2\n")
    with pytest.raises(RunError, match=r"a.csv:4: the label '2' is out of range; expected one of neg, pos or 0..1"):
        open_source(f"csv:{path}", class_names=("neg", "pos"))


def test_jsonl(tmp_path):
    rows = [{"text": "a\u2028b", "label": 1}, {"text": "c", "label": 0.0}, {"text": "d", "label": 2, "more": []}]
    path = write(tmp_path / "a.jsonl", "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n")
    source = open_source(f"jsonl:{path}")
    assert source.inputs == ["a\nb", "c", "d"]
    assert source.class_names == ("0", "1", "2")
    assert source.labels.tolist() == [1, 0, 2]
    assert source.where == [f"{path}:1", f"{path}:3", f"{path}:5"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"text": "b", "label": ',
            r"a.jsonl:2: not JSON \(Expecting value at column 24\); write one JSON object a line",
        ),
        ('["b", "x"]', r"a.jsonl:2: expected an object such as .* received list"),
        ('{"txt": "b", "label": "x"}', r"a.jsonl:2: no text under 'text' \(the keys are: txt, label\)"),
        ('{"text": 3, "label": "x"}', r"a.jsonl:2: no text under 'text' \(it is 3\)"),
        ('{"text": "b", "label": [1]}', r"a.jsonl:2: the label \[1\] is neither a string nor an int"),
        ('{"text": "b", "label": 0.5}', r"a.jsonl:2: the label '0.5' is a number, and most are none"),
        (b'{"text": "b\xe9", "label": "x"}', r"a.jsonl:2:12: byte 0xe9 is not UTF-8"),
    ],
)
def test_bad_jsonl_is_named_by_line(tmp_path, line, message):
    line = line if isinstance(line, bytes) else line.encode()
    path = write(tmp_path / "a.jsonl", b'{"text": "a", "label": "x"}\n' + line + b"\n")
    with pytest.raises(RunError, match=message):
        open_source(f"jsonl:{path}")


def test_text_files_give_an_example_a_line(tmp_path):
    write(tmp_path / "deep/b.txt", "\n three \n\n")
    write(tmp_path / "a.txt", "\ufeffone\r\ntwo\n")
    source = open_source(f"text:{tmp_path}/**/*.txt")
    assert source.inputs == ["one", "two", "three"]
    assert source.where[2] == f"{tmp_path}/deep/b.txt:2"
    assert source.labels is None


def test_lines_that_are_too_long_become_several_examples(tmp_path):
    path = write(tmp_path / "a.txt", "word " * 1000 + "\nshort\n")
    source = open_source(f"text:{path}")
    assert source.inputs == [("word " * 819).strip(), ("word " * 181).strip(), "short"]


def test_text_folders_give_an_example_a_file(tmp_path):
    write(tmp_path / "sport/1.txt", "a match\n\nwas won")
    write(tmp_path / "art/1.txt", "a picture")
    write(tmp_path / "art/.hidden", "x")
    source = open_source(f"text:{tmp_path}")
    assert source.inputs == ["a picture", "a match\nwas won"]
    assert source.class_names == ("art", "sport")
    assert source.where[0] == str(tmp_path / "art/1.txt")
    assert open_source(f"text:{tmp_path}/art").labels is None


def test_image_folders(tmp_path):
    for name in ("cat/2.PNG", "cat/1.jpg", "dog/deep/3.webp", "dog/4.Gif", "dog/Thumbs.db", ".git/5.png"):
        write(tmp_path / name, b"x")
    source = open_source(f"images:{tmp_path}/")
    assert [os.path.relpath(path, tmp_path) for path in source.inputs] == [
        "cat/1.jpg",
        "cat/2.PNG",
        "dog/4.Gif",
        "dog/deep/3.webp",
    ]
    assert source.class_names == ("cat", "dog")
    assert source.labels.tolist() == [0, 0, 1, 1]
    flat = open_source(f"images:{tmp_path}/cat")
    assert flat.labels is None
    assert len(flat) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "dog/2.png",
            b"",
            r"dog/2.png: the file is empty; replace or remove it; for all problems run: tfpretune check",
        ),
        ("fish/readme.md", b"x", r"fish: the class folder has no images"),
        ("dog/2.tif", b"x", r"dog/2.tif: .tif images are not read \(TIFF, 1 file\); convert it"),
        ("2.png", b"x", r"2.png: the image lies beside the class folders and has no class"),
    ],
)
def test_bad_image_folders_are_named(tmp_path, name, content, message):
    write(tmp_path / "cat/1.png", b"x")
    write(tmp_path / "dog/1.png", b"x")
    write(tmp_path / name, content)
    with pytest.raises(RunError, match=message):
        open_source(f"images:{tmp_path}")
