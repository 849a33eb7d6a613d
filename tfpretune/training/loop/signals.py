"""Why a run stops before its last step: a signal, or its minutes are over. It saves first; the same command goes on."""

import signal
import threading
import time
from types import FrameType
from typing import Any

STOPPED_BY_TIME = 128 + signal.SIGTERM


class Stopped(SystemExit):
    """Ends the process after a save, with 130 (SIGINT), 143 (SIGTERM, or the minutes are over) as its exit code.

    Examples:
        >>> from tfpretune.training import Stopped
        >>> try:
        ...     raise Stopped(143)  # as `fit` does when SIGTERM came and all is saved
        ... except SystemExit as stopped:
        ...     stopped.code
        143
    """


class Stop:
    """Watches for SIGINT, SIGTERM and the end of `minutes`. A context manager; a second signal stops at once.

    Args:
        minutes: wall time from now; 0 has no end.
    """

    def __init__(self, minutes: float = 0.0):
        self.deadline = time.monotonic() + 60 * minutes if minutes else None
        self.received: int | None = None
        self._old: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        """Takes the signals over, where this is the main thread (only there Python allows it)."""
        if threading.current_thread() is threading.main_thread():
            self._old = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        """Gives the signals back."""
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self.__exit__()
            signal.raise_signal(number)
            return
        self.received = number
        print(f"\n{signal.Signals(number).name}: saving after this step; once more stops at once", flush=True)

    @property
    def code(self) -> int:
        """The exit code to stop with; 0 while the run may go on."""
        if self.received is not None:
            return 128 + self.received
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return STOPPED_BY_TIME
        return 0

    @property
    def reason(self) -> str:
        """Why."""
        return "the minutes are over" if self.received is None else signal.Signals(self.received).name
