"""`fit`: checks, resume, callbacks, `keras.Model.fit`."""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import passed_on
from tfpretune.runtime.files import write_atomic
from tfpretune.runtime.lock import alone_in
from tfpretune.runtime.phases import phase
from tfpretune.settings.run import RunConfig
from tfpretune.training.devices.memory import out_of_memory_named
from tfpretune.training.devices.strategies import CrossWorkerSync, is_chief
from tfpretune.training.loop.callbacks import NonFinite, NonFiniteGuard, ScalarLog
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.preparation import prepare, roll_back
from tfpretune.training.loop.progress import ProgressLine
from tfpretune.training.loop.saving import Checkpoints
from tfpretune.training.loop.signals import Stop
from tfpretune.training.optimizers.moving_averages import AverageWeights


@dataclasses.dataclass(frozen=True)
class FitResult:
    """What a run came to.

    Attributes:
        steps: optimizer steps made in all, those before a resume included.
        seconds: wall time of this call.
        best_step: step of the best validation metric; None without validation.
        best: that figure.
        curves: name -> (step, value) pairs; validation metrics start with `val_`.
        stopped_early: the patience ran out before the last step.

    Examples:
        >>> from tfpretune.training import FitResult
        >>> curves = {"val_loss": [(50, 0.4), (100, 0.5)]}
        >>> result = FitResult(100, 12.5, best_step=50, best=0.4, curves=curves, stopped_early=False)
        >>> min(result.curves["val_loss"], key=lambda point: point[1]) == (result.best_step, result.best)
        True
    """

    steps: int
    seconds: float
    best_step: int | None
    best: float | None
    curves: dict[str, list[tuple[int, float]]]
    stopped_early: bool


def fit(
    model: keras.Model,
    batches: StepIndexed,
    run: RunConfig,
    *,
    validation: tf.data.Dataset | None = None,
    monitor: str = "val_loss",
    mode: str = "min",
    patience: int = 0,
    restore_best: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    identity: Mapping[str, Any] | None = None,
) -> FitResult:
    """Trains a model for the steps that `run` says, from where the last run in `run.out_dir` stopped.

    Args:
        model: an `Objective`. If it is not compiled, it is compiled from `run`.
        batches: the training batches, by step.
        run: the settings; saved as `OUT_DIR/config.json`.
        validation: batches to evaluate on after each save interval.
        monitor: the figure that decides which checkpoint is the best.
        mode: "min" or "max".
        patience: stop after so many intervals without a better figure; 0 never stops early.
        restore_best: end with the weights of the best checkpoint instead of the last.
        callbacks: more Keras callbacks; those that log, guard and save are always there.
        identity: what must be the same when the run goes on, such as the class names; JSON values.

    Returns:
        Steps, best figure and curves; the model has the weights of the last step, or the best ones, or their average.

    Raises:
        UsageError: the folder belongs to a run with other settings, or another process runs in it.
        RunError: the loss or the gradient stopped being a number, the disk or the memory is full.
        Stopped: a signal came or the minutes are over; all is saved.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.data import image_batches, open_source
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.settings.run import RunConfig
        >>> from tfpretune.training import fit
        >>> batches = image_batches(open_source("demo:digits"), 32, image_shape=(8, 8, 1))
        >>> run = RunConfig("demo:digits", "runs/digits", steps=2, precision="float32", jit="off")
        >>> result = fit(classifier(SmallCNN((8, 8, 1), (8,)), 10), batches, run)
        step 2 of 2 (100 %), ... loss ...
        >>> result.steps, [step for step, _ in result.curves["loss"]]
        (2, [1, 2])
    """
    started = time.perf_counter()
    out_dir = Path(run.out_dir)
    total = run.total_steps(batches.steps_per_epoch)
    folder = CheckpointFolder(run.shared_dir / "checkpoints", keep=run.keep_checkpoints)
    agreement = CrossWorkerSync(model.distribute_strategy)
    with alone_in(out_dir), Stop(run.max_minutes) as stop, out_of_memory_named(run, batches):
        with phase("making the model ready"):
            progress = prepare(model, batches, run, folder, agreement, identity or {})
        while True:
            attempt = _Attempt(model, batches, run, folder, progress, validation, callbacks, stop, agreement)
            attempt.saver.judge_by(monitor, mode=mode, patience=patience)
            try:
                attempt.train(total)
                break
            except NonFinite as error:
                attempt.saver.close()  # what is being written is the newest checkpoint
                progress = roll_back(model, folder, agreement, error, allowed=run.skip_bad_steps)
            except tf.errors.OpError as error:
                attempt.keep(error)
                raise
            finally:
                attempt.saver.close()
                attempt.progress.close()
        saver = attempt.saver
        if restore_best and saver.best_step not in (None, saver.step):
            folder.load(model, saver.best_step)
            if model.unfreezing is not None:
                model.unfreezing.stand_after(saver.best_step)
        attempt.average.put_in()
        seconds = time.perf_counter() - started
        curves = attempt.scalars.curves
        result = FitResult(saver.step, seconds, saver.best_step, saver.best, curves, saver.step < total)
        record = {name: getattr(result, name) for name in ("steps", "seconds", "best_step", "best", "stopped_early")}
        write_atomic(out_dir / "run.json", json.dumps(record, indent=2) + "\n")
    return result


class _Attempt:
    """The callbacks of one way through the steps: to the end, or to a step that is rolled back."""

    def __init__(
        self,
        model: keras.Model,
        batches: StepIndexed,
        run: RunConfig,
        folder: CheckpointFolder,
        progress: dict[str, Any],
        validation: tf.data.Dataset | None,
        callbacks: Sequence[keras.callbacks.Callback],
        stop: Stop,
        agreement: CrossWorkerSync,
    ):
        self.model, self.batches, self.run, self.validation = model, batches, run, validation
        self.skipped: list[int] = progress.get("skipped", [])
        step, total = progress.get("step", 0), run.total_steps(batches.steps_per_epoch)
        chief = is_chief(model.distribute_strategy)
        self.scalars = ScalarLog(
            Path(run.out_dir, "logs") if chief else None,
            batches.batch_size,
            every_steps=20 if total > 100 else 1,
            start_step=step,
            last_step=total,
            curves=progress.get("curves"),
        )
        self.average = AverageWeights(batches)
        kept = ("jit", "accumulate_steps", "rows", "identity")
        facts = {"curves": self.scalars.curves, "pending": self.scalars.pending, "skipped": self.skipped}
        facts |= {name: progress[name] for name in kept}
        self.saver = Checkpoints(
            folder if chief else None,
            interval=run.save_every_steps,
            minutes=run.save_every_minutes,
            progress=progress,
            facts=facts,
            stop=stop,
            agreement=agreement,
            average=self.average,
            scalars=self.scalars,
        )
        guard = NonFiniteGuard(self._rows, start_step=step)
        unfreezing = [] if model.unfreezing is None else [model.unfreezing]
        for callback in unfreezing:
            callback.stand_after(step)
        more = [callback for callback in callbacks if callback not in unfreezing]
        # The scalars stand behind the others: `Measured` adds to what is logged.
        self.callbacks = [*unfreezing, self.average, guard, *more, self.scalars, self.saver]
        self.progress = ProgressLine(self.saver, self.scalars, total=total)
        if chief:
            self.callbacks.append(self.progress)
        self.evaluated = progress.get("evaluated", True)
        for callback in (self.average, self.scalars, self.saver):
            callback.set_model(model)
        self.scalars.begin(progress.get("pending", ()))

    def train(self, total: int) -> None:
        """Trains to step `total`, unless the patience ends before."""
        if self.run.skip_bad_steps and self.saver.step == 0:
            self.saver.save(evaluated=True)  # to have something to go back to
        if not self.evaluated:
            self._evaluate()
        legs = _segments(self.saver.step, total, self.run.save_every_steps)
        for first, steps, intervals in [] if self.saver.out_of_patience else legs:
            self.model.fit(
                _without(self.batches, first, steps * intervals, self.skipped, spare=total),
                steps_per_epoch=steps,
                epochs=intervals,
                validation_data=self.validation,
                callbacks=self.callbacks,
                shuffle=False,
                verbose=0,
            )
            if self.model.stop_training:
                break
        self.saver.wait()

    def keep(self, error: tf.errors.OpError) -> None:
        """Saves what was learnt before a file that cannot be read; not on replicas, nor where one call makes several steps."""
        alone = self.model.distribute_strategy.num_replicas_in_sync == 1 and self.model.steps_per_execution == 1
        if passed_on(error) and alone:
            self.saver.save_before_error()

    def _evaluate(self) -> None:
        """Makes up for the end of an interval that was stopped before its evaluation was over."""
        logs: dict[str, Any] = {}
        if self.validation is not None:
            watching = [self.average, self.saver]
            found = self.model.evaluate(self.validation, callbacks=watching, verbose=0, return_dict=True)
            logs = {f"val_{name}": value for name, value in found.items()}
        for callback in self.callbacks:
            callback.set_model(self.model)
            callback.on_epoch_end(0, logs)

    def _rows(self, step: int) -> list[int]:
        return self.batches.rows(step).tolist()


def _without(batches: StepIndexed, first: int, steps: int, skipped: list[int], *, spare: int) -> tf.data.Dataset:
    """Returns the batches of these steps; a skipped step gets one from behind the run's end (`spare`) instead."""
    here = [step for step in skipped if first <= step < first + steps]
    if not here:
        return batches.from_step(first, steps)
    data, start = batches.from_step(first, 0), first
    for step in sorted(here):
        data = data.concatenate(batches.from_step(start, step - start))
        data = data.concatenate(batches.from_step(spare + skipped.index(step), 1))
        start = step + 1
    return data.concatenate(batches.from_step(start, first + steps - start))


def _segments(step: int, total: int, interval: int) -> list[tuple[int, int, int]]:
    """Splits the steps still to go into (first step, steps an interval, intervals) so that saves fall on multiples."""
    legs = []
    if step < total and step % interval:
        part = min(interval - step % interval, total - step)
        legs.append((step, part, 1))
        step += part
    whole = (total - step) // interval
    if whole > 0:
        legs.append((step, interval, whole))
        step += whole * interval
    if step < total:
        legs.append((step, total - step, 1))
    return legs
