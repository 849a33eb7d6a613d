"""The line that says where a run is: on a terminal, in a log, stopped, resumed; and that it costs no step."""

import io
import re

import keras
import pytest

from tests.training.loop.toys import Interrupt, Toy, make_batches, make_run
from tfpretune.training import fit
from tfpretune.training.loop import progress
from tfpretune.training.loop.progress import duration, progress_text


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def train(folder, **own):
    keras.utils.set_random_seed(3)
    return fit(Toy(0.5), make_batches(), make_run(folder), validation=make_batches(None).in_order(), **own)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (7.4, "7s"), (59.6, "1m00s"), (95, "1m35s"), (3599.7, "1h00m"), (7260, "2h01m")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_the_text_of_a_line():
    said = progress_text(0, 0, steps_per_second=0.0, batch_size=8, metrics={})
    assert said == "step 0 of 0 (0 %)"
    said = progress_text(9, 9, steps_per_second=0.5, batch_size=4, metrics={"loss": 2.0}, best=(0.25, None))
    assert said == "step 9 of 9 (100 %), 2.0 examples/s, loss 2, best 0.25"
    said = progress_text(1999, 2000, steps_per_second=0.01, batch_size=2000, metrics={})
    assert said == "step 1,999 of 2,000 (99 %), 1m40s left, 20 examples/s"


def test_without_a_terminal_a_line_an_interval(tmp_path, capsys):
    """Nine steps, saved every four: three lines, with the metrics of the validation set and the best so far."""
    result = train(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["step 4 of 9 (44 %)", "step 8 of 9 (88 %)", "step 9 of 9 (100 %)"]
    values = dict(result.curves["val_loss"])
    assert [float(re.search(r"val_loss ([\d.e-]+)", line)[1]) for line in lines] == pytest.approx(
        [values[4], values[8], values[9]], rel=1e-3
    )
    assert lines[-1].endswith(f"best {result.best:.4g} at step {result.best_step}")


def test_long_intervals_get_lines_between(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    train(tmp_path)
    assert len(capsys.readouterr().out.splitlines()) == 9 + 3


def test_on_a_terminal_one_line_moves_and_goes(tmp_path, monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(progress.sys, "stdout", shown)
    monkeypatch.setenv("TERM", "xterm")
    train(tmp_path)
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.getvalue())
    assert re.search(r"training +━+ the first step takes longest", text)
    assert re.search(r"training +━+ step 9 of 9 \(100 %\), [\d.]+ examples/s, loss", text)
    assert "validation " in text
    assert text.count("step 4 of 9 (44 %)") >= 1
    assert "val_loss" in text
    assert shown.getvalue().rstrip("\n").endswith(("\x1b[2K", "\x1b[?25h", "\x1b[1A\x1b[2K"))  # the line is taken away


def test_a_stopped_run_gives_the_terminal_back(tmp_path, monkeypatch):
    """The cursor is shown again, and the next run can open a line of its own."""
    shown = Terminal()
    monkeypatch.setattr(progress.sys, "stdout", shown)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, callbacks=[Interrupt(6)])
    assert shown.getvalue().count("\x1b[?25l") == shown.getvalue().count("\x1b[?25h") == 1
    train(tmp_path)
    assert shown.getvalue().count("\x1b[?25h") == 2


def test_a_resumed_run_counts_from_where_it_was(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, callbacks=[Interrupt(6)])
    capsys.readouterr()
    train(tmp_path)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"resumed from step 4 of 9 ({tmp_path}/checkpoints/step-00000004)",
        "step 8 of 9 (88 %)",
        "step 9 of 9 (100 %)",
    ]
