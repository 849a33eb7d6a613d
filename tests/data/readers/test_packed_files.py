"""Packed files are read or named as what they are, not as text in another encoding."""

import bz2
import gzip
import lzma

import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.corpus.chunks import cut_corpus, read_texts
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import RunError

TABLE = b"text,label\none,x\ntwo,y\n"


@pytest.mark.parametrize(("scheme", "data"), [("csv", TABLE), ("jsonl", b'{"text": "one"}\n{"text": "two"}\n')])
def test_gzip_is_read(tmp_path, scheme, data):
    (tmp_path / f"a.{scheme}.gz").write_bytes(gzip.compress(data))
    assert open_source(f"{scheme}:{tmp_path}/a.{scheme}.gz").inputs == ["one", "two"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(TABLE, mtime=0)[:-9], "the gzip file is damaged"),
        (
            gzip.compress(gzip.compress(TABLE, mtime=0), mtime=0),
            "the file is packed with gzip, no text; unpack it: gunzip -k ",
        ),
        (bz2.compress(TABLE), "the file is packed with bzip2, no text; unpack it: bunzip2 -k "),
        (lzma.compress(TABLE), "the file is packed with xz, no text; unpack it: unxz -k "),
        (b"PK\x03\x04\x14\0\xff", "the file is a ZIP archive or a workbook (.zip, .xlsx), no text"),
        (b"PAR1\x15\0\x15", "the file is a Parquet file, no text; write it as JSON lines or CSV"),
        (TABLE.decode().encode("utf-16"), "the file is UTF-16, not UTF-8"),
    ],
    ids=["cut gzip", "gzip twice", "bz2", "xz", "zip", "parquet", "utf-16"],
)
def test_other_files_are_named_as_what_they_are(tmp_path, data, said):
    (tmp_path / "a.csv").write_bytes(data)
    assert said in str(check(f"csv:{tmp_path}/a.csv").problems[0])


def test_text_that_begins_like_a_packed_file_is_text(tmp_path):
    (tmp_path / "a.txt").write_text("BZh is a name\nPAR1 too\n", "utf-8")
    assert open_source(f"text:{tmp_path}/a.txt").inputs == ["BZh is a name", "PAR1 too"]


def test_a_corpus_that_is_packed_is_named(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\ntwo\n" * 9))
    with pytest.raises(RunError, match="a.txt.gz: the file is packed with gzip, no text; unpack it: gunzip -k"):
        list(read_texts(cut_corpus(f"text:{tmp_path}/a.txt.gz", piece_bytes=100).pieces[0]))
