"""Callbacks of every run: scalars for TensorBoard, figures to judge by, a guard against not-a-number."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpretune.errors import RunError
from tfpretune.training.tensorboard.log_writer import LogWriter


class ScalarLog(keras.callbacks.Callback):
    """Writes losses, learning rate, gradient norm, examples/s to `log_dir/train`, and validation metrics to `…/validation`.

    A point of a training curve is the mean over the steps since the point before it, each figure weighed by its counts: not
    Keras' running mean, which falls off a cliff where an interval begins. `begin` comes before training.

    Args:
        log_dir: where to; None writes nothing (a worker that is not the chief).
        batch_size: examples per step.
        every_steps: steps between two points of the training curves.
        start_step: steps made before.
        last_step: of the run; it ends with a point, after a shorter interval perhaps.
        curves: the points so far.
    """

    def __init__(
        self,
        log_dir: Path | None,
        batch_size: int,
        *,
        every_steps: int = 20,
        start_step: int = 0,
        last_step: int = 0,
        curves: dict[str, list[tuple[int, float]]] | None = None,
    ):
        super().__init__()
        self.batch_size = batch_size
        self.every_steps = every_steps
        self.train, self.validation = (
            LogWriter(None if log_dir is None else log_dir / name) for name in ("train", "validation")
        )
        self.step = start_step
        self.last_step = last_step
        self.curves = {
            name: [(int(step), float(value)) for step, value in points] for name, points in (curves or {}).items()
        }
        self.pending: list[float] = []

    def begin(self, pending: Sequence[float]) -> None:
        """Goes on from the sums of the steps behind the last point, as a checkpoint has them in `pending`."""
        self.model.recent.put(pending)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self.since = (self.step, time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes every `every_steps` steps, and after the last one."""
        self.step += self.model.steps_per_execution
        if self.step % self.every_steps < self.model.steps_per_execution or self.step == self.last_step:
            step, start = self.since
            now = time.perf_counter()
            rate = (self.step - step) * self.batch_size / max(now - start, 1e-9)
            self.since = (self.step, now)
            learning_rate = float(self.model.optimizer.learning_rate.numpy())
            means = self.model.recent.take(self.model)
            self._write(self.train, "", means | {"learning_rate": learning_rate, "examples_per_second": rate})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the validation metrics under the names of the training ones."""
        values = {name.removeprefix("val_"): value for name, value in (logs or {}).items() if name.startswith("val_")}
        self._write(self.validation, "val_", values)
        self.since = (self.step, time.perf_counter())

    def finish(self) -> None:
        """Writes a last point of the training curves, of a run that ends before its last step."""
        self._write(self.train, "", self.model.recent.take(self.model))

    def flush(self) -> None:
        """Brings all scalars to the disk, and what is behind the last point to `pending`."""
        self.pending[:] = self.model.recent.values()
        self.train.flush()
        self.validation.flush()

    def _write(self, writer: LogWriter, prefix: str, values: dict[str, Any]) -> None:
        if not values:
            return
        with writer.at(self.step):
            for name, value in values.items():
                tf.summary.scalar(name, float(value))
                self.curves.setdefault(prefix + name, []).append((self.step, float(value)))


class Measured(keras.callbacks.Callback):
    """Adds metrics of the validation set that no mean over batches gives, such as a mean IoU, to what is logged and judged.

    Args:
        measure: returns the figures by name, of the model as it is; called at the end of each interval.
    """

    def __init__(self, measure: Callable[[], Mapping[str, float]]):
        super().__init__()
        self.measure = measure

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds them with `val_` in front to the figures that all callbacks behind this one get."""
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in self.measure().items()})


class NonFinite(RunError):
    """A step whose loss or gradient is not a finite number.

    Attributes:
        brief: what was seen, and when.
        last: the step in which it was seen, counted from 1.
    """

    def __init__(self, brief: str, advice: str, last: int):
        super().__init__(f"{brief}; {advice}")
        self.brief = brief
        self.last = last


class NonFiniteGuard(keras.callbacks.Callback):
    """Stops the run in the step in which the gradient norm or the loss is not a finite number.

    The gradient norm is what counts: a fused CPU kernel can turn not-a-number into 0, so that the loss looks healthy while a
    weight is dead. In float16 the loss scaling tries norms that are too big on purpose and skips their steps; only when that
    does not end within `patience` steps, something is wrong.

    Args:
        rows_of_step: `step -> row numbers` of the batch of a step, counted from 0.
        start_step: steps made before.
        patience: float16 only, steps in a row.
    """

    def __init__(self, rows_of_step: Callable[[int], list[int]], *, start_step: int = 0, patience: int = 40):
        super().__init__()
        self.rows_of_step = rows_of_step
        self.step = start_step
        self.patience = patience
        self.skipped = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises NonFinite."""
        first = self.step + 1
        self.step += self.model.steps_per_execution
        values = {name: float((logs or {}).get(name, 0.0)) for name in ("gradient_norm", "loss")}
        if isinstance(self.model.optimizer, keras.optimizers.LossScaleOptimizer):
            self.skipped = 0 if math.isfinite(values["gradient_norm"]) else self.skipped + 1
            if self.skipped < self.patience:
                values.pop("gradient_norm")
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._error(name, value, first)

    def _error(self, name: str, value: float, first: int) -> NonFinite:
        rows = self.rows_of_step(self.step - 1)
        shown = ", ".join(map(str, rows[:64])) + (", …" if len(rows) > 64 else "")
        steps = f"step {self.step}" if first == self.step else f"steps {first} to {self.step}"
        advice = (
            f"lower `optimizer.learning_rate`, look at training rows {shown} (the batch of step {self.step}), or leave bad "
            "steps out with `skip_bad_steps`; the last checkpoint is unharmed"
        )
        return NonFinite(f"{steps}: {name} is {value}", advice, self.step)
