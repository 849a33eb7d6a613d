"""What is not there is refused with its option and what lies near; what is there, or may be, passes."""

from types import SimpleNamespace

import pytest

from tfpretune.data.demo.catalogue import DEMOS as CATALOGUE
from tfpretune.data.sources.schemes import SCHEMES
from tfpretune.errors import UsageError
from tfpretune.settings.command_line import places
from tfpretune.settings.command_line.places import refuse_missing


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/reviews.csv").write_text("text,label\n")
    for run in ("pretrain_text", "sentiment"):
        (tmp_path / "runs" / run / "preset").mkdir(parents=True)
    (tmp_path / "runs/unfinished").mkdir()
    return tmp_path


def test_the_names_are_those_of_the_tables():
    assert sorted(places.DEMOS) == sorted(CATALOGUE)
    assert set(SCHEMES) - {"demo", "tfds"} <= set(places._FILES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "demo:bcc"}, "--source demo:bcc: unknown demo, did you mean demo:bbc?: expected one of digits, "),
        (
            {"source": "csv:data/review.csv"},
            "--source csv:data/review.csv: no file or folder data/review.csv (looked in {here}), "
            "did you mean csv:data/reviews.csv?",
        ),
        ({"target": "images:nowhere"}, "--target images:nowhere: no file or folder nowhere (looked in {here})"),
        (
            {"source": ("demo:bbc", "text:nowhere/x.txt")},
            "--source text:nowhere/x.txt: no file or folder nowhere/x.txt",
        ),
        (
            {"preset": "runs/pretrain_txt/preset"},
            "--preset runs/pretrain_txt/preset: no such folder, and no preset that KerasHub knows, "
            "did you mean runs/pretrain_text/preset?; tfpretune run pretrain_txt makes it",
        ),
        ({"preset": "./nothing"}, "--preset ./nothing: no such folder, and no preset that KerasHub knows"),
        ({"run_dir": "runs/sentimnt"}, "--run-dir runs/sentimnt: no such folder, did you mean runs/sentiment?"),
        ({"run_dirs": ("runs/sentiment", "runs/unfinished")}, "--run-dirs runs/unfinished: no preset in it: expected"),
        ({"teacher_dir": "x"}, "--teacher-dir x: no such folder"),
    ],
)
def test_what_is_not_there(here, given, message):
    with pytest.raises(UsageError) as refused:
        refuse_missing(SimpleNamespace(**given))
    assert str(refused.value).startswith(message.format(here=here))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"source": "", "preset": "", "run_dir": ""},
        {"source": "demo:bbc"},
        {"source": "csv:data/reviews.csv"},
        {"source": "csv:data/*.csv"},
        {"source": "csv:data/no*.csv"},  # the reader says that nothing fits
        {"source": "csv:a.csv,b.csv"},
        {"source": "csv:"},
        {"source": "tfds:imdb_reviews"},
        {"source": "data/reviews.csv"},  # the reader knows which scheme it wants
        {"preset": "bert_tiny_en_uncased"},
        {"preset": "demo:minilm"},
        {"preset": "hf://someone/model"},
        {"preset": "runs/sentiment/preset"},
        {"run_dir": "runs/sentiment", "run_dirs": (), "target": ()},
    ],
    ids=str,
)
def test_what_is_there_or_may_be(given):
    refuse_missing(SimpleNamespace(**given))
