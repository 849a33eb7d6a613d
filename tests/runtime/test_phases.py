"""Phases are told where a person looks, and nowhere else. Time is no part of it: the timers are run by hand."""

import io
import os
import re

import pytest

from tfpretune.runtime import phases, quiet
from tfpretune.runtime.phases import phase, phases_shown, without_phases


class Timers:
    """In the place of `threading.Timer`: what has been started and not cancelled runs when `ring` is called."""

    def __init__(self):
        self.started = []

    def __call__(self, seconds, function, args):
        timers, assert_seconds = self, seconds
        assert assert_seconds == phases.QUIET_SECONDS

        class Timer:
            daemon = False

            def start(self):
                timers.started.append(self)

            def cancel(self):
                timers.started = [each for each in timers.started if each is not self]

            def ring(self):
                function(*args)

        return Timer()

    def ring(self):
        for each in self.started:
            each.ring()
        self.started = []


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def timers(monkeypatch):
    monkeypatch.setattr(phases, "_shown", phases._Shown())
    found = Timers()
    monkeypatch.setattr(phases.threading, "Timer", found)
    return found


def test_nothing_is_told_unless_asked_for(timers, capfd):
    with phase("reading"):
        timers.ring()
    with phases_shown():
        pass
    with phase("reading"):
        timers.ring()
    assert capfd.readouterr() == ("", "")


def test_a_long_phase_is_a_line_on_stderr_and_a_short_one_nothing(timers, capfd):
    with phases_shown():
        with phase("reading"):
            pass
        timers.ring()
        assert capfd.readouterr() == ("", "")
        with phase("reading"):
            timers.ring()
    assert capfd.readouterr() == ("", "reading …\n")


def test_each_of_two_nested_phases_has_its_line(timers, capfd):
    @phase("looking for near copies")
    def look():
        timers.ring()

    with phases_shown(), phase("reading"):
        timers.ring()
        look()
        timers.ring()
        with phase("looking for near copies"):  # the same again is not told twice
            timers.ring()
    assert capfd.readouterr().err.splitlines() == ["reading …", "looking for near copies …"]


def test_a_phase_that_fails_is_over(timers):
    with phases_shown(), pytest.raises(ValueError, match="no"), phase("reading"):
        raise ValueError("no")
    assert phases._shown.names == []
    assert timers.started == []


def test_a_live_line_silences_phases(timers, capfd):
    with phases_shown(), without_phases(), phase("validation"):
        timers.ring()
    assert capfd.readouterr() == ("", "")


def test_on_a_terminal_one_line_names_the_innermost_and_goes(timers, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    shown = Terminal()
    with phases_shown(), phase("reading", stream=shown):
        phases._shown.live.refresh()
        with phase("looking for [near] copies", stream=shown):
            phases._shown.live.refresh()
        phases._shown.live.refresh()
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.getvalue())
    assert "reading" in text
    assert "looking for [near] copies" in text
    assert shown.getvalue().count("\x1b[?25l") == shown.getvalue().count("\x1b[?25h") == 1
    assert phases._shown.live is None


def test_a_phase_is_told_while_stderr_is_held_back(timers, capfd, tmp_path):
    with (
        phases_shown(),
        quiet._real_stderr() as real,
        phase("starting", stream=real),
        open(tmp_path / "held", "wb") as held,
        quiet.stderr_to(held),
    ):
        os.write(2, b"noise\n")
        timers.ring()
    assert capfd.readouterr().err == "starting …\n"
    assert (tmp_path / "held").read_text() == "noise\n"
