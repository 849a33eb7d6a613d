"""Large files in pieces."""

import gzip
import os

import pytest

from tfpretune.serving.asking import pieces as module
from tfpretune.serving.asking.pieces import STDIN, pieces


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(module, "PIECE_BYTES", 40)


def contents(path, scheme):
    found = []
    for piece in pieces(str(path), scheme):
        with open(piece.path, "rb") as file:
            found.append((file.read(), piece.before, piece.header, piece.source))
    return found


def test_a_small_file_is_read_where_it_is(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text\na\n")
    (piece,) = pieces(str(path), "csv")
    assert (piece.path, piece.source, piece.line_of(2)) == (str(path), str(path), 2)


@pytest.mark.parametrize("packed", [False, True])
def test_records_of_a_table_stay_whole_and_each_piece_has_the_header(tmp_path, small, packed):
    rows = [f'{number},"line {number}\nand ""more"""\n' for number in range(9)]
    data = ("id,text\n" + "".join(rows)).encode()
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    found = contents(path, "csv")
    assert len(found) > 2
    assert all(part.startswith(b"id,text\n") for part, *_ in found)
    assert b"".join(part.removeprefix(b"id,text\n") for part, *_ in found) == data.removeprefix(b"id,text\n")
    assert [before for _, before, *_ in found] == [
        sum(map(len, (p.split(b"\n")[1:-1] for p, *_ in found[:n]))) for n in range(len(found))
    ]
    assert {header for _, _, header, _ in found} == {1}
    assert not any(os.path.exists(piece.path) for piece in list(pieces(str(path), "csv")))


def test_sentences_stay_whole(tmp_path, small):
    text = "".join(f"word{number} O\nmore O\n\n" for number in range(8))
    path = tmp_path / "a.conll"
    path.write_text(text)
    found = contents(path, "conll")
    assert len(found) > 1
    assert all(part.endswith(b"O\n\n") for part, *_ in found)
    assert b"".join(part for part, *_ in found).decode() == text


def test_a_quote_without_an_end_does_not_hold_the_rest_of_the_file(tmp_path, small):
    path = tmp_path / "a.csv"
    path.write_text('text\n"never closed\n' + "a line of it\n" * 200)
    assert max(len(part) for part, *_ in contents(path, "csv")) < 500


def test_standard_input_comes_a_few_lines_at_a_time(monkeypatch, tmp_path):
    path = tmp_path / "in"
    path.write_text("".join(f"line {number}\n" for number in range(70)))
    with path.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        found = contents(STDIN, "text")
    assert [part.count(b"\n") for part, *_ in found] == [32, 32, 6]
    assert [(before, source) for _, before, _, source in found] == [(0, "stdin"), (32, "stdin"), (64, "stdin")]
