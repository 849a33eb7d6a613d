"""The name of what a run is doing while nothing else moves: on a terminal a line that goes again, elsewhere a short line.

They go to stderr, so that what a command answers stays alone on stdout. Who uses the library from Python sees none.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

QUIET_SECONDS = 1.0
"""Without a terminal a phase that takes no longer is not told."""


class _Shown:
    """What is told in this process."""

    def __init__(self) -> None:
        self.on = False
        self.names: list[str] = []
        self.live: Any = None
        self.last = ""


_shown = _Shown()


@contextlib.contextmanager
def phases_shown() -> Iterator[None]:
    """Tells phases meanwhile."""
    before, _shown.on = _shown.on, True
    try:
        yield
    finally:
        _shown.on = before


@contextlib.contextmanager
def without_phases() -> Iterator[None]:
    """Tells no phase meanwhile: something else moves."""
    before, _shown.on = _shown.on, False
    moving = _shown.live is not None
    if moving:
        _shown.live.stop()
        _shown.live = None
    try:
        yield
    finally:
        _shown.on = before
        if moving:
            _show_live(sys.stderr)


@contextlib.contextmanager
def phase(name: str, *, stream: TextIO | None = None) -> Iterator[None]:
    """Names what is being done meanwhile; also as a decorator.

    Args:
        name: what is being done.
        stream: where to, for who holds back what is written to stderr; None: stderr.

    Examples:
        >>> from tfpretune.runtime import phase
        >>> with phase("counting"):
        ...     total = sum(range(10))
    """
    if not _shown.on:
        yield
        return
    stream = stream or sys.stderr
    _shown.names.append(name)
    told = threading.Timer(QUIET_SECONDS, _tell, [name, stream])
    told.daemon = True
    try:
        if stream.isatty():
            _show_live(stream)
        else:
            told.start()
        yield
    finally:
        told.cancel()
        _shown.names.pop()
        _show_live(stream)


def _tell(name: str, stream: TextIO) -> None:
    if name == _shown.last:  # validation, time after time
        return
    _shown.last = name
    with contextlib.suppress(OSError, ValueError):
        print(f"{name} …", file=stream, flush=True)


def _show_live(stream: TextIO) -> None:
    """Shows the innermost phase on a terminal, or takes the line away."""
    if not _shown.names:
        if _shown.live is not None:
            _shown.live.stop()
            _shown.live = None
        return
    if not stream.isatty():
        return
    if _shown.live is None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        _shown.live = Progress(
            *columns,
            console=Console(file=stream, soft_wrap=True),  # a command that is printed stays in one piece
            transient=True,
            refresh_per_second=8,
            redirect_stdout=sys.stdout.isatty(),  # what is printed then stands above the line
            redirect_stderr=False,
        )
        _shown.live.start()
    for task in _shown.live.task_ids:
        _shown.live.remove_task(task)
    _shown.live.add_task(_shown.names[-1])
