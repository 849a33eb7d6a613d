"""Packed files are read or named as what they are, not as text in another encoding."""

import bz2
import contextlib
import gzip
import io
import lzma
import pickle
import sqlite3
import zipfile

import pyarrow
import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.corpus.chunks import cut_corpus, read_texts
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.tagged import open_tagged

TABLE = b"text,label\none,x\ntwo,y\n"


LINES = b'{"text": "one", "label": "x"}\n{"text": "two", "label": "y"}\n'


def zstd(data):
    return pyarrow.compress(data, codec="zstd", asbytes=True)


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}


@pytest.mark.parametrize(("scheme", "data"), [("csv", TABLE), ("jsonl", LINES), ("text", b"one\ntwo\n")])
@pytest.mark.parametrize("suffix", PACK)
def test_packed_files_are_read(tmp_path, scheme, data, suffix):
    (tmp_path / f"a.{scheme}.{suffix}").write_bytes(PACK[suffix](data))
    assert open_source(f"{scheme}:{tmp_path}/a.{scheme}.{suffix}").inputs == ["one", "two"]


def test_a_packed_tsv_and_packed_sentences(tmp_path):
    (tmp_path / "a.tsv.xz").write_bytes(lzma.compress(TABLE.replace(b",", b"\t")))
    assert open_source(f"csv:{tmp_path}/a.tsv.xz").class_names == ("x", "y")
    (tmp_path / "a.conll.bz2").write_bytes(bz2.compress(b"Ann B-PER\nran O\n\nNo O\n"))
    assert [list(words) for words in open_tagged(f"conll:{tmp_path}/a.conll.bz2").words] == [["Ann", "ran"], ["No"]]


@pytest.mark.parametrize("suffix", PACK)
def test_files_that_were_cut_short_are_damaged(tmp_path, suffix):
    (tmp_path / "a.csv").write_bytes(PACK[suffix](TABLE * 99)[:-9])
    (problem,) = check(f"csv:{tmp_path}/a.csv").problems[:1]
    assert "file is damaged" in problem.what


def archive(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as inside:
        inside.writestr("[Content_Types].xml", "x")
        inside.writestr(name, "x")
    return file.getvalue()


def database(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as made, made:
        made.execute("create table a (b)")
    return (tmp_path / "a.db").read_bytes()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            gzip.compress(gzip.compress(TABLE, mtime=0), mtime=0),
            "the file is packed with gzip twice, no text; unpack it: g",
        ),
        (lzma.compress(lzma.compress(TABLE)), "the file is packed with xz twice, no text; unpack it: unxz -k "),
        (archive("xl/workbook.xml"), "the file is a workbook (.xlsx), no text; save the sheet as CSV"),
        (archive("word/document.xml"), "the file is a Word document (.docx), no text; save it as text"),
        (archive("train.csv"), "the file is a ZIP archive, no text; unpack it: unzip "),
        (b"PK\x03\x04\x14\0\xff", "the file is a ZIP archive, no text; unpack it: unzip "),
        (b"PAR1\x15\0\x15", "the file is a Parquet file, no text; read it as parquet:"),
        (
            pickle.dumps({"text": ["caf\xe9"]}),
            "the file is a pickle, which can run code when it is opened, no text; write",
        ),
        (b"<!DOCTYPE html>\n<html lang=en>", "the file is an HTML page, no table; download the file itself"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
            "the file is a pointer of Git LFS, not the",
        ),
        (TABLE.decode().encode("utf-16"), "the file is UTF-16, not UTF-8"),
        (TABLE.decode().encode("utf-16-be"), "the file seems to be utf-16-be, not UTF-8; give `encoding` utf-16-be"),
    ],
    ids=["gzip", "xz", "xlsx", "docx", "zip", "cut-zip", "parquet", "pickle", "html", "lfs", "utf-16", "utf-16-be"],
)
def test_other_files_are_named_as_what_they_are(tmp_path, data, said):
    (tmp_path / "a.csv").write_bytes(data)
    assert said in str(check(f"csv:{tmp_path}/a.csv").problems[0])


def test_a_database_is_named(tmp_path):
    (tmp_path / "a.csv").write_bytes(database(tmp_path))
    assert check(f"csv:{tmp_path}/a.csv").problems[0].what == "the file is an SQLite database, no text"


def test_text_that_begins_like_a_packed_file_is_text(tmp_path):
    (tmp_path / "a.txt").write_text("BZh is a name\nPAR1 too\n", "utf-8")
    assert open_source(f"text:{tmp_path}/a.txt").inputs == ["BZh is a name", "PAR1 too"]


@pytest.mark.parametrize("suffix", PACK)
def test_a_corpus_that_is_packed_is_read_into_memory_and_said(tmp_path, capsys, suffix):
    (tmp_path / f"a.txt.{suffix}").write_bytes(PACK[suffix](b"one\ntwo\n"))
    corpus = cut_corpus(f"text:{tmp_path}/a.txt*", piece_bytes=4)
    assert [text for piece in corpus.pieces for text in read_texts(piece)] == ["one", "two"]
    assert f"a.txt.{suffix} is packed; unpacked it would be read piece by piece" in capsys.readouterr().out
