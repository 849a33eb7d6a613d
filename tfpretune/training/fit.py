"""`fit`: checks, resume, callbacks, `keras.Model.fit`."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock
import keras
import tensorflow as tf

from tfpretune import config_file
from tfpretune.config import RunConfig, UsageError
from tfpretune.data.batches import StepIndexed
from tfpretune.files import write_atomic
from tfpretune.training.callbacks import Checkpoints, NonFiniteGuard, ScalarLog
from tfpretune.training.checkpoints import CheckpointFolder
from tfpretune.training.devices import separate_dropout
from tfpretune.training.jit import choose_jit
from tfpretune.training.optimizers import make_optimizer

MAY_DIFFER = ("out_dir", "save_every_steps", "resume", "dry_run", "jit")  # the folder may have been moved


@dataclasses.dataclass(frozen=True)
class FitResult:
    """What a run came to.

    Attributes:
        steps: optimizer steps made in all, those before a resume included.
        seconds: wall time of this call.
        best_step: step of the best validation figure; None without validation.
        best: that figure.
        curves: name -> (step, value) pairs; validation figures start with `val_`.
        stopped_early: the patience ran out before the last step.
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
        callbacks: more Keras callbacks; `ScalarLog`, `NonFiniteGuard` and `Checkpoints` are always there.

    Raises:
        UsageError: the folder belongs to a run with other settings, or another process runs in it.
        RunError: the loss or the gradient stopped being a number.
    """
    started = time.perf_counter()
    out_dir = Path(run.out_dir)
    total = run.total_steps(batches.steps_per_epoch)
    folder = CheckpointFolder(out_dir / "checkpoints")
    with _alone_in(out_dir):
        progress = _prepare(model, batches, run, folder)
        step = progress.get("step", 0)
        scalars = ScalarLog(
            out_dir / "logs",
            batches.batch_size,
            every_steps=20 if total > 100 else 1,
            start_step=step,
            curves=progress.get("curves"),
        )
        facts = {"curves": scalars.curves, "jit": bool(model.jit_compile), "rows": batches.num_rows}
        saver = Checkpoints(folder, monitor=monitor, mode=mode, patience=patience, progress=progress, facts=facts)
        guard = NonFiniteGuard(batches.batch_size, start_step=step)
        for first, steps, intervals in [] if saver.out_of_patience else _legs(step, total, run.save_every_steps):
            model.fit(
                batches.from_step(first, steps * intervals),
                steps_per_epoch=steps,
                epochs=intervals,
                validation_data=validation,
                callbacks=[guard, scalars, *callbacks, saver],
                shuffle=False,
                verbose=2,
            )
            if model.stop_training:
                break
        if restore_best and saver.best_step not in (None, saver.step):
            folder.load(model, saver.best_step)
        seconds = time.perf_counter() - started
        result = FitResult(saver.step, seconds, saver.best_step, saver.best, scalars.curves, saver.step < total)
        record = {name: getattr(result, name) for name in ("steps", "seconds", "best_step", "best", "stopped_early")}
        write_atomic(out_dir / "run.json", json.dumps(record, indent=2) + "\n")
    return result


def compile_model(model: keras.Model, batches: StepIndexed, run: RunConfig, *, jit: bool | None = None) -> None:
    """Compiles a model as `run` says: optimizer, schedule, clipping, XLA where it helps.

    Args:
        model: an `Objective`.
        batches: the training batches.
        run: the settings.
        jit: what an earlier part of the run chose where `run.jit` is "auto"; None: nothing was chosen yet.
    """
    total = run.total_steps(batches.steps_per_epoch)
    clip_norm = run.optimizer.clip_norm or None
    with model.distribute_strategy.scope():
        model.compile(make_optimizer(run.optimizer, total), clip_norm=clip_norm)
        if choose_jit(model, batches, run.jit, total) if jit is None or run.jit != "auto" else jit:
            model.compile(make_optimizer(run.optimizer, total), clip_norm=clip_norm, jit_compile=True)


@contextlib.contextmanager
def _alone_in(out_dir: Path) -> Iterator[None]:
    out_dir.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(out_dir / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UsageError(f"{out_dir} is in use by another run: choose another --out-dir or wait") from None
    try:
        yield
    finally:
        lock.release()


def _prepare(model: keras.Model, batches: StepIndexed, run: RunConfig, folder: CheckpointFolder) -> dict[str, Any]:
    """Compiles and builds the model and restores the newest checkpoint; returns its progress, {} for a new run."""
    _check_settings(run, folder)
    _check_shares(batches.batch_size, model.distribute_strategy.num_replicas_in_sync)
    step = folder.newest()
    progress = {} if step is None else folder.progress(step)
    if progress.get("rows", batches.num_rows) != batches.num_rows:
        raise UsageError(
            f"{run.out_dir} was started on {progress['rows']} training rows, now there are {batches.num_rows}: "
            "choose another --out-dir"
        )
    if not model.compiled:
        compile_model(model, batches, run, jit=progress.get("jit"))
    if not model.optimizer.built:
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
    if step is not None:
        folder.load(model, step)
        total = run.total_steps(batches.steps_per_epoch)
        print(f"resumed from step {step} of {total} ({folder.path(step)})", flush=True)
    separate_dropout(model)
    return progress


def _legs(step: int, total: int, interval: int) -> list[tuple[int, int, int]]:
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


def _check_shares(batch_size: int, replicas: int) -> None:
    share = -(-batch_size // replicas)  # tf.distribute gives every replica so many rows, the last ones what is left
    if share * (replicas - 1) >= batch_size:
        raise UsageError(
            f"--batch-size {batch_size} leaves one of the {replicas} replicas without a row: give a multiple"
        )


def _check_settings(run: RunConfig, folder: CheckpointFolder) -> None:
    out_dir = Path(run.out_dir)
    file = out_dir / "config.json"
    if folder.steps():
        if run.resume == "never":
            raise UsageError(
                f"{out_dir} holds a run already: choose another --out-dir, or --resume auto to go on with it"
            )
        changed = config_file.differences(_old_settings(run, file), run, may_differ=MAY_DIFFER)
        if changed:
            raise UsageError(
                f"{out_dir} was started with other settings ({'; '.join(changed)}): choose another --out-dir"
            )
    write_atomic(file, config_file.to_json(run))


def _old_settings(run: RunConfig, file: Path) -> RunConfig:
    if not file.is_file():
        return run
    try:
        return config_file.read_config(type(run), file)
    except UsageError as error:
        raise UsageError(f"{file.parent} holds another kind of run ({error}): choose another --out-dir") from None
