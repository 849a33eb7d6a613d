"""A corpus is cut into pieces, and no text is lost or read twice wherever the cuts fall."""

import pytest

from tfpretune.data.corpus import spans as pieces
from tfpretune.data.corpus.chunks import cut_corpus, read_texts
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import RunError, UsageError


def texts_of(spec, **settings):
    return [text for piece in cut_corpus(spec, **settings).pieces for text in read_texts(piece)]


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 5, 7, 1000])
def test_lines_are_whole_wherever_a_file_is_cut(tmp_path, piece_bytes):
    (tmp_path / "a.txt").write_bytes("one\n\n  二二 \r\nthree".encode())
    (tmp_path / "b.txt").write_bytes(b"")
    (tmp_path / "c.txt").write_bytes(b"\xef\xbb\xbffour\n")
    spec = f"text:{tmp_path}/*.txt"
    assert texts_of(spec, piece_bytes=piece_bytes) == ["one", "二二", "three", "four"]
    assert texts_of(spec, piece_bytes=piece_bytes) == open_source(spec).inputs


def test_pieces_are_bounded_and_small_files_share_one(tmp_path):
    for name, size in (("a", 4), ("b", 4), ("c", 25)):
        (tmp_path / f"{name}.txt").write_text("x" * (size - 1) + "\n")
    corpus = cut_corpus(f"text:{tmp_path}/*.txt", piece_bytes=10)
    sizes = [[span.end - span.start for span in piece.spans] for piece in corpus.pieces]
    assert sizes == [[4, 4], [10], [10], [5]]
    assert [piece.number for piece in corpus.pieces] == [0, 1, 2, 3]
    assert (corpus.num_files, corpus.num_bytes) == (3, 33)


@pytest.mark.parametrize("piece_bytes", [1, 30, 1000])
def test_json_lines(tmp_path, piece_bytes):
    (tmp_path / "a.jsonl").write_text('{"body": "one\\ntwo", "n": 1}\n\n{"body": " three "}\n{"body": ""}\n')
    spec = f"jsonl:{tmp_path}/a.jsonl"
    assert texts_of(spec, form=SourceForm("body"), piece_bytes=piece_bytes) == ["one\ntwo", "three"]


def test_a_folder_has_a_text_a_file(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.txt").write_text("one\ntwo")
    (tmp_path / "b.txt").write_text("three")
    (tmp_path / "c.md").write_text("no text")
    assert sorted(texts_of(f"text:{tmp_path}", piece_bytes=3)) == ["one\ntwo", "three"]


def test_other_sources_are_read_whole_and_keep_their_licence():
    corpus = cut_corpus("demo:bbc", piece_bytes=1 << 20)
    texts = [text for piece in corpus.pieces for text in read_texts(piece)]
    assert texts == list(open_source("demo:bbc").inputs)
    assert len(corpus.pieces) == 5  # of 5,028,197 bytes
    assert "BBC news" in corpus.license


@pytest.mark.parametrize("piece_bytes", [1, 4, 100])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"good\nb\xe4d\n", r"a\.txt:2:2: byte 0xe4 is not UTF-8; save the file as UTF-8"),
        ("a.txt", "word".encode("utf-16"), r"a\.txt:1:1: byte 0xff is not UTF-8"),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', r"a\.jsonl:2: not JSON \("),
        (
            "a.jsonl",
            b'{"text": "x"}\n\n{"txt": "y"}\n',
            r"a\.jsonl:3: no text under 'text' \(the keys are: txt\); fill it in",
        ),
        ("a.jsonl", b"1\n", r"a\.jsonl:1: a JSON int and no object; write one object per line"),
    ],
)
def test_bad_places_are_named_by_line_and_byte(tmp_path, piece_bytes, name, content, message):
    (tmp_path / name).write_bytes(content)
    scheme = "jsonl" if name.endswith("jsonl") else "text"
    with pytest.raises(RunError, match=message):
        texts_of(f"{scheme}:{tmp_path}/{name}", piece_bytes=piece_bytes)


def test_bad_byte_in_a_file_that_is_one_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntw\xff")
    with pytest.raises(RunError, match=r"a\.txt:2:3: byte 0xff is not UTF-8"):
        texts_of(f"text:{tmp_path}")


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no file matches text:"):
        cut_corpus(f"text:{tmp_path}/*.txt")
    with pytest.raises(UsageError, match=r"no \.txt file in"):
        cut_corpus(f"text:{tmp_path}")
    with pytest.raises(UsageError, match="holds image examples, expected text"):
        cut_corpus("demo:digits")
    (tmp_path / "a.txt").write_text("x")
    corpus = cut_corpus(f"text:{tmp_path}/a.txt")
    (tmp_path / "a.txt").unlink()
    with pytest.raises(RunError, match=r"a\.txt: cannot be read \(No such file"):
        list(read_texts(corpus.pieces[0]))


def test_a_line_that_no_memory_may_hold_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "LONGEST_TEXT", 8)
    (tmp_path / "a.txt").write_text("12345678\nabcdefgh\n")
    with pytest.raises(RunError, match=r"a\.txt:1: a line of more than 8 bytes"):
        texts_of(f"text:{tmp_path}/a.txt")


def test_another_corpus_is_told_from_this_one(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    spec = f"text:{tmp_path}/a.txt"
    before = cut_corpus(spec)
    assert cut_corpus(spec) == before
    (tmp_path / "a.txt").write_text("y")
    after = cut_corpus(spec)
    assert after.names_and_sizes == before.names_and_sizes
    assert after.times != before.times
    (tmp_path / "a.txt").write_text("yy")
    assert cut_corpus(spec).names_and_sizes != before.names_and_sizes


@pytest.mark.parametrize("encoding", ["gb18030", "shift_jis", "utf-8-sig", "utf-16", "utf-16-le", "iso2022_jp"])
@pytest.mark.parametrize("piece_bytes", [3, 8, 1000])
def test_every_encoding_is_cut_between_lines_or_read_whole(tmp_path, capsys, encoding, piece_bytes):
    (tmp_path / "a.txt").write_bytes("日本\n語の文\nend".encode(encoding))
    (tmp_path / "a.jsonl").write_bytes('{"body": "日本"}\n{"body": "語の文"}\n{"body": "end"}'.encode(encoding))
    cut = {"form": SourceForm(encoding=encoding), "piece_bytes": piece_bytes}
    assert texts_of(f"text:{tmp_path}/a.txt", **cut) == ["日本", "語の文", "end"]
    whole = encoding in ("utf-16", "utf-16-le", "iso2022_jp")
    assert ("read into memory: lines of" in capsys.readouterr().out) == whole
    assert texts_of(f"jsonl:{tmp_path}/a.jsonl", **cut) == ["日本", "語の文", "end"]
    assert "the texts are the column 'body'" in capsys.readouterr().out
    if encoding != "iso2022_jp":  # it is ASCII, too
        with pytest.raises(RunError, match=r"a\.txt:\d+:\d+: .*(is not|the file begins)"):
            texts_of(f"text:{tmp_path}/a.txt", form=SourceForm(encoding="ascii"))


def test_columns_of_objects_are_joined_or_named(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"a": {"t": "one"}, "b": "two"}\n{"a": {"t": ""}, "b": "three"}\n')
    spec = f"jsonl:{tmp_path}/a.jsonl"
    assert texts_of(spec, form=SourceForm(("a.t", "b")), piece_bytes=9) == ["one\ntwo", "three"]
    with pytest.raises(
        UsageError, match="a.jsonl: no object has the key 'text', the keys are: a, b; name one with `text_column`"
    ):
        cut_corpus(spec)
    (tmp_path / "b.jsonl").write_text('[{"text": "one"},\n {"text": "two"}]')
    assert texts_of(f"jsonl:{tmp_path}/b.jsonl", piece_bytes=4) == ["one", "two"]
    assert "b.jsonl is one list; as one object a line it would be read piece by piece" in capsys.readouterr().out


def test_a_table_is_read_into_memory_and_said(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("title,body\nA,one\n,two\n")
    assert texts_of(f"{tmp_path}/a.csv", form=SourceForm(("title", "body"))) == ["A\none", "two"]
    assert "a.csv: all of it is read into memory; as one JSON object a line it would be" in capsys.readouterr().out
