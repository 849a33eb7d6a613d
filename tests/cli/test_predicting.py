"""`tfpretune predict` with a source: options, exit codes, and what it says."""

import json

import pytest

from tests.cli.test_arguments import call
from tests.serving.asking.fake import FakeModel
from tfpretune.cli import predicting
from tfpretune.errors import RunError
from tfpretune.serving import loading
from tfpretune.serving.asking import many


@pytest.fixture
def model(monkeypatch, tmp_path):
    fake = FakeModel()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "version_folder", lambda folder: tmp_path)
    monkeypatch.setattr(loading, "read_object", lambda folder, name: {})
    monkeypatch.setattr(predicting, "start_tensorflow", lambda: None)
    monkeypatch.setattr(many, "open_model", lambda target: fake)
    (tmp_path / "a.csv").write_text("id,body\n7,good\n8,\n9,bad\n", "utf-8")
    return fake


def test_a_source_into_a_table(model, tmp_path, capsys):
    options = [
        "--source",
        "csv:a.csv",
        "--text-column",
        "body",
        "--keep",
        "id",
        "--out",
        "out.csv",
        "--batch-size",
        "1",
    ]
    assert call("predict", "x", *options) == 0
    assert "out.csv: 3 rows, 2 with an error, " in capsys.readouterr().out
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "where,source/id,label,probability,probabilities/short,probabilities/long,error"
    assert lines[1] == "a.csv:2,7,short,0.6,0.6,0.4,"
    assert lines[3] == "a.csv:4,9,,,,,it is bad"
    assert model.asked == [1, 1]
    assert call("predict", "x", *options) == 2
    assert "out.csv is there" in capsys.readouterr().err
    assert call("predict", "x", *options, "--resume") == 0
    assert "out.csv: 0 rows behind 3 that were there" in capsys.readouterr().out
    assert call("predict", "x", *options, "--overwrite") == 0


def test_without_a_file_json_lines_are_printed(model, capsysbinary):
    assert call("predict", "x", "--source", "csv:a.csv", "--text-column", "body") == 0
    found = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [row["where"] for row in found] == ["a.csv:2", "a.csv:3", "a.csv:4"]


def test_inputs_into_a_file(model, tmp_path):
    assert call("predict", "x", "good", "better", "--out", "out.jsonl") == 0
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["where"] for row in found] == ["input:1", "input:2"]


def test_1_where_no_row_could_be_answered(model, capsys):
    assert call("predict", "x", "bad", "bad", "--out", "out.csv") == 1
    assert capsys.readouterr().err == "failed: none of 2 rows could be answered\n"


def test_a_stop_says_how_to_go_on(model, monkeypatch, capsys):
    def stop(value):
        raise KeyboardInterrupt

    model.answer = stop
    assert call("predict", "x", "--source", "csv:a.csv", "--text-column", "body", "--out", "out.csv") == 130
    err = capsys.readouterr().err
    assert err == "out.csv holds whole rows: the same command with --resume goes on\nstopped\n"

    def gone(value):
        raise RunError("the server cannot be reached")

    model.answer = gone
    assert call("predict", "x", "good", "--out", "out.csv", "--overwrite") == 1
    assert "--resume goes on\nfailed: the server cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a", "--source", "csv:a.csv"], "predict takes inputs or --source, and both are given"),
        ([], "predict takes inputs or --source, and none is given"),
        (["a", "--json", "--out", "a.jsonl"], "--json is for a few inputs"),
        (["a", "--resume"], "--resume and --overwrite need --out"),
        (["a", "--batch-size", "0"], "--batch-size must be at least 1, received 0"),
        (["a", "--out", "a.xlsx"], "a.xlsx: results are written as .csv or .jsonl: give such a name"),
        (["--source", "cvs:a.csv", "--out", "a.csv"], "a.csv is there"),
        (["--source", "cvs:a.csv", "--out", "b.csv"], "unknown source 'cvs:a.csv', did you mean csv:a.csv?"),
        (["a", "--words"], "words are asked of taggers"),
    ],
)
def test_mistakes_cost_one_line(model, capsys, options, message):
    options = [*options, "--out", "c.csv"] if options == ["a", "--words"] else options
    assert call("predict", "x", *options) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_raw_text_for_a_tagger_of_other_words_is_warned_about(model, monkeypatch, capsys):
    words = {"words": {"exact": 0.5, "alike": 0.75, "sentences": 4}}
    monkeypatch.setattr(loading, "read_object", lambda folder, name: {"training": words})
    assert call("predict", "x", "good", "--out", "out.csv") == 0
    assert "warning: raw text is split into what this tagger has learnt in 75.0% of its" in capsys.readouterr().err
