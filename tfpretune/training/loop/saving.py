"""The callback that saves: at the end of each interval, when minutes have passed, and when the run has to stop."""

import concurrent.futures
import math
import time
from typing import Any

import keras
import numpy as np

from tfpretune.errors import RunError
from tfpretune.training.devices.strategies import CrossWorkerSync
from tfpretune.training.loop.callbacks import ScalarLog
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.signals import Stop, Stopped
from tfpretune.training.optimizers.moving_averages import AverageWeights
from tfpretune.training.run_variables import snapshot


class Checkpoints(keras.callbacks.Callback):
    """Saves, remembers the best, and stops when `patience` intervals brought nothing better.

    The values are copied between two steps and written by a thread, while the next steps run. One file is written at a time.

    Args:
        folder: where the checkpoints go; None on the workers that do not write.
        interval: steps between two evaluations; a checkpoint at such a step before its evaluation says so.
        minutes: save also when N minutes have passed since the last time; 0 does not.
        progress: what the checkpoint that the run goes on from says.
        facts: values that go into every checkpoint's progress as they are at that time.
        stop: when the run has to end early.
        agreement: what the workers do together.
        average: the averaged weights that the model may hold at the moment; they are never saved as the weights.
        scalars: flushed before each save, so that the logs on the disk reach as far as the checkpoint; finished where the
            patience ends.
    """

    def __init__(
        self,
        folder: CheckpointFolder | None,
        *,
        interval: int,
        minutes: float,
        progress: dict[str, Any],
        facts: dict[str, Any],
        stop: Stop,
        agreement: CrossWorkerSync,
        average: AverageWeights,
        scalars: ScalarLog,
    ):
        super().__init__()
        self.folder = folder
        self.interval = interval
        self.minutes = minutes
        self.facts = facts
        self.stop = stop
        self.agreement = agreement
        self.average = average
        self.scalars = scalars
        self.judge_by("val_loss", mode="min", patience=0)
        self.step = progress.get("step", 0)
        self.best = progress.get("best")
        self.best_step = progress.get("best_step")
        self.waited = progress.get("waited", 0)
        self._metrics = progress.get("metrics", [])
        self._saved = time.monotonic()
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._writing: concurrent.futures.Future | None = None

    def judge_by(self, monitor: str, *, mode: str, patience: int) -> None:
        """Says which figure decides what is the best, such as "val_loss", and after how many worse ones to stop (0: never)."""
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be min or max, received {mode!r}")
        self.monitor = monitor
        self.sign = 1.0 if mode == "max" else -1.0
        self.patience = patience

    @property
    def out_of_patience(self) -> bool:
        """Whether `patience` intervals have brought nothing better."""
        return 0 < self.patience <= self.waited

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Puts the running means of an interval that was cut back; Keras has just set them to zero."""
        for metric, value in zip(self._running_means(), self._metrics, strict=False):
            metric.assign(np.asarray(value, metric.dtype))
        self._metrics = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts (the optimizer's own number stands still where float16 skips a step), and saves where it is time."""
        self.step += self.model.steps_per_execution
        late = bool(self.minutes) and time.monotonic() - self._saved >= 60 * self.minutes
        code, late = self.agreement(self.stop.code, late)
        if code:
            self._save_and_stop(code)
        if late and self.step % self.interval:
            self.save()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops in the middle of an evaluation; it is made again when the run goes on."""
        code, _ = self.agreement(self.stop.code, False)
        if code:
            self._save_and_stop(code)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Judges the figure and saves."""
        value = (logs or {}).get(self.monitor)
        if value is not None:
            self._judge(float(value))
        if self.out_of_patience:
            self.scalars.finish()
        self.save(evaluated=True)
        code, _ = self.agreement(self.stop.code, False)
        if code:
            self._end(code)
        if self.out_of_patience:
            self.model.stop_training = True

    def save(self, *, evaluated: bool = False) -> None:
        """Hands a copy of the values to the thread that writes."""
        self.average.put_back()
        self.scalars.flush()
        inside = self.step % self.interval and not evaluated
        progress = self.facts | {
            "best": self.best,
            "best_step": self.best_step,
            "waited": self.waited,
            "evaluated": evaluated or bool(inside),
            "metrics": [value.numpy().tolist() for value in self._running_means()] if inside else [],
        }
        arrays = snapshot(self.model)
        self.wait()
        if self.folder is not None:
            copied = {name: list(value) if isinstance(value, list) else value for name, value in progress.items()}
            copied["curves"] = {name: list(points) for name, points in progress.get("curves", {}).items()}
            self._writing = self._thread.submit(self.folder.save, arrays, self.step, copied, best_step=self.best_step)
        self._saved = time.monotonic()

    def save_before_error(self) -> None:
        """Saves the last whole step, unless a checkpoint has it already."""
        if self.folder is not None and self.step > (self.folder.newest() or 0):
            self.save()
            self.wait()
            print(f"saved after step {self.step}; the same command goes on from there", flush=True)

    def wait(self) -> None:
        """Waits until the last checkpoint is on the disk; raises what went wrong with it."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def close(self) -> None:
        """Waits, and ends the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def _running_means(self) -> list[keras.Variable]:
        return [variable for metric in self.model.metrics for variable in metric.variables]

    def _save_and_stop(self, code: int) -> None:
        self.save()
        self._end(code)

    def _end(self, code: int) -> None:
        self.wait()
        self.agreement(0, False)  # no worker leaves before the checkpoint is whole: a launcher may then end the rest
        reason = self.stop.reason if self.stop.code else "another worker stops"
        print(f"{reason}: saved after step {self.step}; the same command goes on from there", flush=True)
        raise Stopped(code)

    def _judge(self, value: float) -> None:
        if not math.isfinite(value):
            raise RunError(
                f"step {self.step}: {self.monitor} is {value}: not saved; lower `optimizer.learning_rate`; "
                "the last checkpoint is unharmed"
            )
        if not self.average.begun:
            return  # these weights would not be kept
        if self.best is None or self.sign * value > self.sign * self.best:
            self.best, self.best_step, self.waited = value, self.step, 0
        else:
            self.waited += 1
