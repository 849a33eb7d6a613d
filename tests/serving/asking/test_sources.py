"""The rows of sources, good and bad, in their order."""

import json

import pytest

from tests.serving.asking.fake import FakeModel
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.errors import UsageError
from tfpretune.serving.asking import pieces as pieces_module
from tfpretune.serving.asking.sources import Row, SentForm, input_rows, rows_of

TEXTS, PAIRS, ASKED = FakeModel(), FakeModel(("texts", "text_pairs")), FakeModel(("questions", "contexts"))
TAGGER, WORDS, IMAGES = (
    FakeModel(words=True),
    FakeModel(("words",), words=True),
    FakeModel(("image_bytes",), of_files=True),
)


def rows(source, model=TEXTS, form=None, **settings):
    return list(rows_of(SentForm(source, form or SourceForm(), **settings), model))


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("size", [8 << 20, 30], ids=["whole", "in pieces"])
def test_a_table_with_bad_rows(tmp_path, monkeypatch, size):
    monkeypatch.setattr(pieces_module, "PIECE_BYTES", size)
    text = b'id,text,label\n1,good,x\n2,,x\n3,"two\nlines",nan\n4,a\n5,caf\xe9,x\n6,last,\n'
    path = write(tmp_path, "a.csv", text)
    found = rows(f"csv:{path}", keep=("id",))
    assert [row.where for row in found if row.value] == [f"{path}:2", f"{path}:4", f"{path}:8"]
    assert [row.value for row in found if row.value] == [("good",), ("two\nlines",), ("last",)]
    assert [row.kept for row in found if row.value] == [{"id": "1"}, {"id": "3"}, {"id": "6"}]
    bad = {row.where.removeprefix(f"{path}:"): row.error for row in found if row.error}
    assert list(bad) == ["3", "6", "7"]
    assert "the text is empty" in bad["3"]
    assert "2 fields" in bad["6"]
    assert "not UTF-8" in bad["7"]
    assert [row.where for row in found] == [f"{path}:{line}" for line in (2, 3, 4, 6, 7, 8)]


def test_labels_are_not_read_and_not_doubted(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\na,1\nb,01\nc,nan\nd,x;y\n")
    assert [row.value for row in rows(f"csv:{path}")] == [("a",), ("b",), ("c",), ("d",)]


def test_json_lines_and_other_columns(tmp_path):
    lines = [{"body": "a", "n": 1}, {"body": 3}, {"body": "b", "n": 2}]
    path = write(tmp_path, "a.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines) + "no json\n")
    found = rows(f"jsonl:{path}", form=SourceForm(text_column="body"), keep=("n",))
    assert [bool(row.error) for row in found] == [False, True, False, True]
    assert [row.kept for row in found if not row.error] == [{"n": "1"}, {"n": "2"}]
    with pytest.raises(UsageError, match="'nothing'"):
        rows(f"jsonl:{path}", form=SourceForm(text_column="body"), keep=("nothing",))


def test_pairs_and_questions(tmp_path):
    path = write(tmp_path, "a.csv", "text,text_pair\na,b\nc,\n")
    first, second = rows(f"csv:{path}", PAIRS)
    assert first.value == ("a", "b")
    assert "second text is empty" in second.error
    path = write(tmp_path, "q.csv", "question,context\nWho?,Bob is here.\n")
    assert rows(f"csv:{path}", ASKED)[0].value == ("Who?", "Bob is here.")
    paragraphs = [{"context": "Bob is here.", "qas": [{"id": "7", "question": "Who?"}, {"id": "8", "question": ""}]}]
    path = write(tmp_path, "q.json", json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}))
    found = rows(f"squad:{path}", ASKED)  # no answers, as of a test set
    assert found[0] == Row(f"{path}:7", ("Who?", "Bob is here."))
    assert "the question is empty" in found[1].error


def test_words_of_a_tagged_file_and_of_one_without_tags(tmp_path):
    path = write(tmp_path, "a.conll", "do O\nn't O\n\n\u3000 O\nb O extra\n\nlast O\n")
    found = rows(f"conll:{path}", TAGGER)
    assert [row.value for row in found] == [["do", "n't"], None, ["last"]]  # no tags for a sentence that lacks a word
    assert found[1].where == f"{path}:5"
    path = write(tmp_path, "b.conll", "# text = do n't\ndo\nn't\n\n#\ntag\n")
    assert [row.value for row in rows(f"conll:{path}", WORDS)] == [["do", "n't"], ["#", "tag"]]
    path = write(tmp_path, "a.jsonl", json.dumps({"tokens": ["a", "\u200b"]}) + "\n")
    assert rows(f"jsonl:{path}", WORDS)[0].value == ["a", "\u200b"]
    path = write(tmp_path, "a.txt", "do n't\n")
    assert rows(f"text:{path}", TAGGER, words=True)[0].value == ["do", "n't"]
    assert rows(f"text:{path}", TAGGER)[0].value == ("do n't",)


def test_folders(tmp_path):
    for name in ("b/2.png", "a/1.jpg", "a/x.heic", "a/notes.txt", ".hidden/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path, name, "x")
    found = rows(f"images:{tmp_path}", IMAGES)
    assert [row.where.removeprefix(f"{tmp_path}/") for row in found] == ["a/1.jpg", "a/x.heic", "b/2.png"]
    assert [row.value for row in found] == [(f"{tmp_path}/a/1.jpg",), None, (f"{tmp_path}/b/2.png",)]
    assert ".heic images are not read" in found[1].error
    assert [row.value for row in rows(f"text:{tmp_path}")] == [("x",)]


def test_demos():
    assert rows("demo:digits", IMAGES)[3].value[0].shape == (8, 8, 1)


@pytest.mark.parametrize(
    ("source", "model", "message"),
    [
        ("conll:a.conll", TEXTS, "words are asked of taggers, and this model is none"),
        ("csv:a.csv", WORDS, "this tagger takes words as they were split"),
        ("demo:digits", TEXTS, "the model takes texts, and the source has images"),
        ("images:.", TEXTS, "the model takes texts"),
        ("cvs:a.csv", TEXTS, "unknown source 'cvs:a.csv', did you mean csv:a.csv"),
        ("csv:none.csv", TEXTS, "no file matches csv:none.csv"),
    ],
)
def test_what_does_not_fit(tmp_path, monkeypatch, source, model, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a.csv", "text\na\n")
    with pytest.raises(UsageError, match=message):
        rows(source, model)


def test_inputs():
    assert list(input_rows(["a b", "c"], TEXTS)) == [Row("input:1", ("a b",)), Row("input:2", ("c",))]
    assert list(input_rows(["a", "b"], PAIRS)) == [Row("input:1", ("a", "b"))]
    assert list(input_rows(["a b"], TAGGER, words=True)) == [Row("input:1", ["a", "b"])]
    assert list(input_rows(["x.png"], IMAGES)) == [Row("x.png", ("x.png",))]
    with pytest.raises(UsageError, match="give 2 inputs for each answer"):
        list(input_rows(["a"], PAIRS))
