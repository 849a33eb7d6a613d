"""A path without a scheme is what its ending or its content says; what can be two things is asked."""

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from tfpretune.data.checks.examples import check
from tfpretune.data.corpus.chunks import cut_corpus
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.naming import full_name
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.errors import UsageError


@pytest.mark.parametrize(
    ("spec", "full"),
    [
        ("a.csv", "csv:a.csv"),
        ("data/*.TSV", "csv:data/*.TSV"),
        ("a.csv.gz", "csv:a.csv.gz"),
        ("a.jsonl.zst", "jsonl:a.jsonl.zst"),
        ("a.ndjson", "jsonl:a.ndjson"),
        ("a.parquet", "parquet:a.parquet"),
        ("a.conll", "conll:a.conll"),
        ("a.conllu", "conll:a.conllu"),
        ("a.txt", "text:a.txt"),
        ("a.json", "jsonl:a.json"),
        ("demo:bbc", "demo:bbc"),
        ("csv:a.txt", "csv:a.txt"),
        ("~/a.csv", "csv:~/a.csv"),
        ("bbc", "bbc"),
    ],
)
def test_endings(spec, full):
    assert full_name(spec) == full


def test_what_is_read_decides(tmp_path):
    (tmp_path / "a.txt").write_text("Ann B-PER\nran O\n\nNo O\n")
    (tmp_path / "a.json").write_text('{"version": "1.1", "data": []}')
    assert full_name(f"{tmp_path}/a.json", json="squad").startswith("squad:")
    assert open_tagged(f"{tmp_path}/a.txt").words == [("Ann", "ran"), ("No",)]
    with pytest.raises(
        UsageError, match="may hold words with tags, one a line, or a text a line: give conll:.* or text:"
    ):
        check(f"{tmp_path}/a.txt")
    assert len(open_source(f"text:{tmp_path}/a.txt")) == 3


def test_folders(tmp_path, capsys):
    for folder, names in {"pics/cat": ["1.png"], "notes": ["1.txt"], "both": ["1.png", "1.txt"], "tables": []}.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            Image.new("L", (4, 4)).save(tmp_path / folder / name) if name.endswith("png") else None
            (tmp_path / folder / name).write_text("one") if name.endswith("txt") else None
    (tmp_path / "tables/a.csv").write_text("text\none\n")
    assert full_name(f"{tmp_path}/pics") == f"images:{tmp_path}/pics"
    assert capsys.readouterr().out == f"{tmp_path}/pics is read as images:{tmp_path}/pics\n"
    assert open_source(f"{tmp_path}/notes").inputs == ["one"]
    with pytest.raises(
        UsageError, match=r"did you mean images:\S+both or text:\S+both\? It is a folder: say what it holds"
    ):
        full_name(f"{tmp_path}/both")
    with pytest.raises(UsageError, match=r"or csv:\S+tables/\*.csv\?"):
        full_name(f"{tmp_path}/tables")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("table", b"text,label\n", "the name does not say what the file holds: give csv:"),
        ("a.xlsx", b"PK\x03\x04\xff", "the file is a ZIP archive, no text; unpack it"),
        ("a.db", b"SQLite format 3\0\0", "the file is an SQLite database"),
        ("a.pkl", b"\x80\x04\x95\xff", "the file is a pickle, which can run code"),
    ],
)
def test_files_that_no_ending_explains(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=message):
        full_name(f"{tmp_path}/{name}")


def test_a_parquet_file_without_its_ending(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one"]}), tmp_path / "part-0")
    with pytest.raises(UsageError, match="part-0 is a Parquet file: give parquet:"):
        full_name(f"{tmp_path}/part-0")
    assert open_source(f"parquet:{tmp_path}/part-0").inputs == ["one"]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"no file \S+none.xlsx .looked in .*: check the path"):
        open_source(f"{tmp_path}/none.xlsx")


def test_a_corpus_is_named_alike(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    assert cut_corpus(f"{tmp_path}/a.txt").pieces == cut_corpus(f"text:{tmp_path}/a.txt").pieces
