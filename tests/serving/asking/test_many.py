"""Answers to many rows: written as they come, errors in their rows, whole rows after any stop."""

import csv
import json
import os
import signal

import pytest

from tests.serving.asking.fake import FakeModel
from tfpretune.errors import RunError, UsageError
from tfpretune.serving.asking import many, results
from tfpretune.serving.asking.many import predict_many
from tfpretune.serving.asking.results import Results
from tfpretune.serving.asking.sources import Row


def rows_of(texts):
    return [
        Row(f"a:{number}", (text,) if text else None, "" if text else "empty") for number, text in enumerate(texts, 1)
    ]


@pytest.fixture
def model(monkeypatch):
    fake = FakeModel()
    monkeypatch.setattr(many, "open_model", lambda target: fake)
    return fake


def ask(texts, out, **settings):
    return predict_many("x", lambda model: iter(rows_of(texts)), out, **settings)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


TEXTS = ["", "good", "a bad one", 'say "so", \n twice as long', "", "bad"]


def test_a_table(model, tmp_path):
    done = ask(TEXTS, tmp_path / "new" / "a.csv", batch_size=4)
    found = table(tmp_path / "new" / "a.csv")
    assert list(found[0]) == ["where", "label", "probability", "probabilities/short", "probabilities/long", "error"]
    assert [row["where"] for row in found] == [f"a:{number}" for number in range(1, 7)]
    assert [row["label"] for row in found] == ["", "short", "", "long", "", ""]
    assert [row["error"] for row in found] == ["empty", "", "it is bad", "", "empty", "it is bad"]
    assert found[1]["probabilities/long"] == "0.4"
    assert (done.rows, done.errors) == (6, 4)
    assert str(done).startswith(f"{tmp_path}/new/a.csv: 6 rows, 4 with an error, ")


def test_json_lines(model, tmp_path):
    ask(TEXTS, tmp_path / "a.jsonl", batch_size=1)
    found = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert found[1] == {
        "where": "a:2",
        "label": "short",
        "probability": 0.6,
        "probabilities": {"short": 0.6, "long": 0.4},
        "error": None,
    }
    assert found[0] == {"where": "a:1", "error": "empty"}


def test_standard_output(model, capsysbinary):
    ask(["good"], "")
    assert json.loads(capsysbinary.readouterr().out)["where"] == "a:1"


def test_one_bad_row_costs_a_few_requests_not_all(model, tmp_path):
    ask(["good"] * 31 + ["bad"], tmp_path / "a.csv")
    assert len(model.asked) == 11  # all; then twice at each of five halvings
    assert [row["error"] for row in table(tmp_path / "a.csv")] == [""] * 31 + ["it is bad"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_it_goes_on_behind_the_last_whole_row(model, tmp_path, suffix):
    whole, stopped = tmp_path / f"whole.{suffix}", tmp_path / f"stopped.{suffix}"
    ask(TEXTS, whole, batch_size=2)
    data = whole.read_bytes()
    for end in range(len(data)):
        stopped.write_bytes(data[:end])
        done = ask(TEXTS, stopped, batch_size=2, resume=True)
        assert stopped.read_bytes() == data
        assert done.before + done.rows == len(TEXTS)


def test_what_is_there_is_kept_unless_told(model, tmp_path):
    path = tmp_path / "a.csv"
    ask(["good"], path)
    before = path.read_bytes()
    with pytest.raises(
        UsageError, match=r"a.csv is there: go on where it stopped \(`resume`\), or begin anew \(overwrite\)"
    ):
        ask(["good"], path)
    with pytest.raises(UsageError, match="ends with a:1, where the source has b:1: it is of another source"):
        predict_many("x", lambda model: iter([Row("b:1", ("good",))]), path, resume=True)
    with pytest.raises(UsageError, match="has 1 rows and the source 0"):
        ask([], path, resume=True)

    def no_source(model):
        raise UsageError("no such source")

    with pytest.raises(UsageError, match="no such source"):
        predict_many("x", no_source, path, overwrite=True)
    assert path.read_bytes() == before
    ask(["good", "better"], path, overwrite=True)
    assert len(table(path)) == 2
    path.write_text("id,text\n1,a\n")
    with pytest.raises(UsageError, match="a.csv is no file of results: its first column is not 'where'"):
        ask(["good"], path, resume=True)
    with pytest.raises(UsageError, match=r"a.txt: results are written as .csv or .jsonl: give such a name"):
        ask(["good"], tmp_path / "a.txt")


def test_all_rows_bad(model, tmp_path):
    done = ask(["", "bad"], tmp_path / "a.csv")
    assert done.rows == done.errors == 2
    assert [row["error"] for row in table(tmp_path / "a.csv")] == ["empty", "it is bad"]


def test_a_server_that_goes_away_leaves_whole_rows(model, tmp_path):
    answer = model.answer

    def once(value):
        if value == ("last",):
            raise RunError("the server cannot be reached")
        return answer(value)

    model.answer = once
    with pytest.raises(RunError, match="cannot be reached"):
        ask(["a", "b", "last"], tmp_path / "a.csv", batch_size=2)
    assert [row["where"] for row in table(tmp_path / "a.csv")] == ["a:1", "a:2"]


def test_rows_are_there_before_the_next_are_asked(model, tmp_path):
    path, seen, answer = tmp_path / "a.csv", [], model.answer

    def look(value):
        seen.append(len(table(path)) if path.stat().st_size else 0)
        return answer(value)

    model.answer = look
    ask(["a"] * 6, path, batch_size=2)
    assert seen == [0, 0, 2, 2, 4, 4]


def test_a_signal_within_a_write_waits_for_its_end(tmp_path, request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins without it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    came = []

    class Slow:
        """Stops in the middle of a row."""

        def __init__(self, file):
            self.file = file

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGINT)
            came.append(True)
            self.file.write(data[len(data) // 2 :])

        def __getattr__(self, name):
            return getattr(self.file, name)

    written = Results(tmp_path / "a.csv")
    with written:
        written._file = Slow(written._file)
        with pytest.raises(KeyboardInterrupt):
            written.add([{"where": "a:1", "label": "x", "error": None}])
    assert came == [True]
    assert (tmp_path / "a.csv").read_text() == "where,label,error\na:1,x,\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_rows_of_another_model_are_refused(tmp_path):
    with Results(tmp_path / "a.csv") as written:
        written.add([{"where": "a:1", "label": "x", "error": None}])
    with (
        pytest.raises(UsageError, match="has no column 'value': it is of another model or source"),
        Results(tmp_path / "a.csv", resume=True) as written,
    ):
        written.add([{"where": "a:2", "value": 1.0, "error": None}])


def test_names_of_kept_columns_never_hide_an_answer(model, tmp_path):
    row = Row("a:1", ("good",), kept={"label": "mine", "id": "7"})
    predict_many("x", lambda model: iter([row]), tmp_path / "a.csv")
    found = table(tmp_path / "a.csv")[0]
    assert (found["source/label"], found["source/id"], found["label"]) == ("mine", "7", "short")


def test_text_that_looks_like_a_table(tmp_path):
    assert results.flattened({"a": {"x,y": 1}, "b": [1]}) == {"a/x,y": 1, "b": [1]}
