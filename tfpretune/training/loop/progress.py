"""What a person sees of a run while it trains: one live line on a terminal, short lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from tfpretune.runtime.phases import phase, without_phases
from tfpretune.training.loop.callbacks import ScalarLog
from tfpretune.training.loop.saving import Checkpoints

QUIET_SECONDS = 30.0
"""Without a terminal per line comes at the end of each save interval, and after so many seconds without one."""


class ProgressLine(keras.callbacks.Callback):
    """Says where a run is: step, time left, examples/s, loss, the metric that judges it, and the best so far.

    On a terminal that is one line that moves. Elsewhere, in a log file or a notebook's output, it is a line at the end of each
    save interval and one every 30 seconds between them. Reading it costs no step: the loss is the last point of the curves,
    which `ScalarLog` fetches from the device anyway. It stands behind all other callbacks.

    Args:
        saver: knows step, metric and best.
        scalars: has the curves and the batch size.
        total: steps of the run.
        stream: where to; None: stdout as it is when training begins.
    """

    def __init__(self, saver: Checkpoints, scalars: ScalarLog, *, total: int, stream: TextIO | None = None):
        super().__init__()
        self.saver, self.scalars, self.total, self.stream = saver, scalars, total, stream
        self._live: Progress | None = None
        self._phase = "training"
        self._named = contextlib.ExitStack()
        self._since: tuple[int, float] | None = None
        self._said = time.monotonic()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the live line."""
        console = Console(file=self.stream or sys.stdout)
        if console.is_terminal and self._live is None:
            doing = TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=len("validation")))
            line = TextColumn("{task.fields[line]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
            columns = (doing, BarColumn(12), line)
            self._live = Progress(*columns, console=console, transient=True, expand=True, refresh_per_second=4)
            self._live.add_task(
                self._phase, total=self.total, completed=self.saver.step, line="the first step takes longest"
            )
            self._live.start()
            self._named.enter_context(without_phases())
        elif self._since is None:
            self._named.enter_context(phase("training: the first step takes longest"))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves on. The clock starts behind the first step, whose graph is made."""
        now = time.monotonic()
        if self._since is None:
            self._since = (self.saver.step, now)
            if self._live is None:
                self._named.close()
        if self._live is not None:
            self._show()
        elif now - self._said >= QUIET_SECONDS:
            self._print({})

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Names the phase."""
        self._phase = "validation"
        if self._live is None:
            self._named.enter_context(phase(self._phase))
        self._show()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Names the phase."""
        self._phase = "training"
        if self._live is None:
            self._named.close()
        self._show()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Prints the line of the interval, with all metrics of the validation set."""
        self._print({name: value for name, value in (logs or {}).items() if name.startswith("val_")})

    def close(self) -> None:
        """Takes the live line away; what was printed stays."""
        self._named.close()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _show(self) -> None:
        if self._live is not None:
            task = self._live.task_ids[0]
            self._live.update(task, description=self._phase, completed=self.saver.step, line=self._line({}))

    def _print(self, metrics: Mapping[str, float]) -> None:
        self._said = time.monotonic()
        if self._live is not None:
            self._live.console.print(self._line(metrics), highlight=False, markup=False, soft_wrap=True)
        else:
            print(self._line(metrics), file=self.stream or sys.stdout, flush=True)

    def _line(self, metrics: Mapping[str, float]) -> str:
        shown = {
            name: points[-1][1] for name, points in self.scalars.curves.items() if name in ("loss", self.saver.monitor)
        }
        step, rate = self.saver.step, 0.0
        if self._since is not None and step > self._since[0]:
            rate = (step - self._since[0]) / max(time.monotonic() - self._since[1], 1e-9)
        best = None if self.saver.best is None else (self.saver.best, self.saver.best_step)
        return progress_text(
            step,
            self.total,
            steps_per_second=rate,
            batch_size=self.scalars.batch_size,
            metrics=shown | dict(metrics),
            best=best,
        )


def progress_text(
    step: int,
    total: int,
    *,
    steps_per_second: float,
    batch_size: int,
    metrics: Mapping[str, float],
    best: tuple[float, int | None] | None = None,
) -> str:
    """Returns where a run is, in one line.

    Args:
        step: steps made.
        total: steps of the run.
        steps_per_second: 0 where it is not known yet; then there is no time left and no examples/s.
        batch_size: examples per step.
        metrics: name -> value.
        best: the best value of the metric that judges, and its step.

    Examples:
        >>> progress_text(500, 2000, steps_per_second=5.0, batch_size=32, metrics={"loss": 0.05848}, best=(0.0495, 500))
        'step 500 of 2,000 (25 %), 5m00s left, 160 examples/s, loss 0.05848, best 0.0495 at step 500'
    """
    parts = [f"step {step:,} of {total:,} ({int(100 * step / max(total, 1))} %)"]
    if steps_per_second > 0:
        if step < total:
            parts.append(f"{duration((total - step) / steps_per_second)} left")
        parts.append(f"{steps_per_second * batch_size:,.{0 if steps_per_second * batch_size >= 10 else 1}f} examples/s")
    parts += [f"{name} {float(value):.4g}" for name, value in metrics.items()]
    if best is not None:
        parts.append(f"best {best[0]:.4g}" + ("" if best[1] is None else f" at step {best[1]:,}"))
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Returns seconds as people write them.

    Examples:
        >>> duration(7.4), duration(95), duration(7260)
        ('7s', '1m35s', '2h01m')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
