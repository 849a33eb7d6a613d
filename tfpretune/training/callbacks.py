"""Callbacks of every run: scalars for TensorBoard, a guard against not-a-number, checkpoints with the best one kept."""

import math
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpretune.config import RunError
from tfpretune.training.checkpoints import CheckpointFolder


def optimizer_step(model: keras.Model) -> int:
    """Returns how many steps the optimizer has made."""
    return int(model.optimizer.iterations.numpy())


class ScalarLog(keras.callbacks.Callback):
    """Writes losses, learning rate, gradient norm, examples/s to `log_dir/train`, and validation figures to `…/validation`."""

    def __init__(
        self,
        log_dir: Path,
        batch_size: int,
        *,
        every_steps: int = 20,
        start_step: int = 0,
        curves: dict[str, list[tuple[int, float]]] | None = None,
    ):
        super().__init__()
        self.batch_size = batch_size
        self.every_steps = every_steps
        self.train = tf.summary.create_file_writer(str(log_dir / "train"))
        self.validation = tf.summary.create_file_writer(str(log_dir / "validation"))
        self.step = start_step
        self.curves = {
            name: [(int(step), float(value)) for step, value in points] for name, points in (curves or {}).items()
        }

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self.since = (self.step, time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes every `every_steps` steps."""
        self.step += self.model.steps_per_execution
        if self.step % self.every_steps < self.model.steps_per_execution:
            step, start = self.since
            now = time.perf_counter()
            rate = (self.step - step) * self.batch_size / max(now - start, 1e-9)
            self.since = (self.step, now)
            learning_rate = float(self.model.optimizer.learning_rate.numpy())
            self._write(
                self.train, "", dict(logs or {}) | {"learning_rate": learning_rate, "examples_per_second": rate}
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the validation figures under the names of the training ones."""
        values = {name.removeprefix("val_"): value for name, value in (logs or {}).items() if name.startswith("val_")}
        self._write(self.validation, "val_", values)
        self.since = (self.step, time.perf_counter())
        self.train.flush()
        self.validation.flush()

    def _write(self, writer: tf.summary.SummaryWriter, prefix: str, values: dict[str, Any]) -> None:
        with writer.as_default(step=self.step):
            for name, value in values.items():
                tf.summary.scalar(name, float(value))
                self.curves.setdefault(prefix + name, []).append((self.step, float(value)))


class NonFiniteGuard(keras.callbacks.Callback):
    """Stops the run in the step in which the gradient norm or the loss is no finite number.

    The gradient norm is what counts: a fused CPU kernel can turn not-a-number into 0, so that the loss looks healthy while a
    weight is dead. In float16 the loss scaling tries norms that are too big on purpose and skips their steps.
    """

    def __init__(self, batch_size: int, *, start_step: int = 0):
        super().__init__()
        self.batch_size = batch_size
        self.step = start_step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises RunError."""
        self.step += self.model.steps_per_execution
        scaled = isinstance(self.model.optimizer, keras.optimizers.LossScaleOptimizer)
        for name in ("loss",) if scaled else ("gradient_norm", "loss"):
            value = float((logs or {}).get(name, 0.0))
            if not math.isfinite(value):
                raise RunError(
                    f"step {self.step}: {name} is {value}; lower --optimizer.learning-rate or look at the batch of this step "
                    f"({self.batch_size} examples); the last checkpoint is unharmed"
                )


class Checkpoints(keras.callbacks.Callback):
    """Saves at the end of each interval, remembers the best, and stops when `patience` intervals brought nothing better.

    Args:
        folder: where the checkpoints go.
        monitor: the figure that decides, such as "val_loss".
        mode: "min" or "max".
        patience: 0 never stops.
        progress: what the checkpoint that the run goes on from says.
        facts: values that go into every checkpoint's progress as they are at that time.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        *,
        monitor: str,
        mode: str,
        patience: int,
        progress: dict[str, Any],
        facts: dict[str, Any],
    ):
        super().__init__()
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be min or max, received {mode!r}")
        self.folder = folder
        self.monitor = monitor
        self.sign = 1.0 if mode == "max" else -1.0
        self.patience = patience
        self.facts = facts
        self.step = progress.get("step", 0)
        self.best = progress.get("best")
        self.best_step = progress.get("best_step")
        self.waited = progress.get("waited", 0)

    @property
    def out_of_patience(self) -> bool:
        """Whether `patience` intervals have brought nothing better."""
        return 0 < self.patience <= self.waited

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts; the optimizer's own number stands still where float16 skips a step."""
        self.step += self.model.steps_per_execution

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves."""
        value = (logs or {}).get(self.monitor)
        if value is not None:
            self._judge(float(value))
        progress = self.facts | {"best": self.best, "best_step": self.best_step, "waited": self.waited}
        self.folder.save(self.model, self.step, progress, best_step=self.best_step)
        if self.out_of_patience:
            self.model.stop_training = True

    def _judge(self, value: float) -> None:
        if not math.isfinite(value):
            raise RunError(
                f"step {self.step}: {self.monitor} is {value}: not saved; lower --optimizer.learning-rate; "
                "the last checkpoint is unharmed"
            )
        if self.best is None or self.sign * value > self.sign * self.best:
            self.best, self.best_step, self.waited = value, self.step, 0
        else:
            self.waited += 1
