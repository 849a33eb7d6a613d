"""What comes before the first step: settings compared, model compiled, the newest checkpoint restored."""

import contextlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import UsageError
from tfpretune.runtime.files import remove_leftovers, write_atomic
from tfpretune.runtime.keras_internals import all_layers
from tfpretune.settings import file as config_file
from tfpretune.settings.run import RunConfig
from tfpretune.training.devices.jit import choose_jit
from tfpretune.training.devices.memory import fewest_parts, refuse_too_big
from tfpretune.training.devices.strategies import (
    CrossWorkerSync,
    is_chief,
    num_workers,
    separate_dropout,
    synchronize_normalization,
)
from tfpretune.training.loop.callbacks import NonFinite
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.fingerprint import check_ranges, comparable
from tfpretune.training.optimizers.from_settings import make_optimizer

MAY_DIFFER = (  # the folder may have been moved; the rest changes nothing that is learnt, or says when to stop
    "out_dir",
    "epochs",
    "steps",
    "save_every_steps",
    "save_every_minutes",
    "keep_checkpoints",
    "max_minutes",
    "skip_bad_steps",
    "steps_per_execution",
    "accumulate_steps",
    "resume",
    "dry_run",
    "jit",
    "devices.replicas",
    "devices.ray_workers",
)


def prepare(
    model: keras.Model,
    batches: StepIndexed,
    run: RunConfig,
    folder: CheckpointFolder,
    agreement: CrossWorkerSync,
    identity: Mapping[str, Any],
) -> dict[str, Any]:
    """Compiles and builds the model and restores the newest checkpoint.

    Returns:
        The checkpoint's progress, for a new run what there is to say of it at the start.

    Raises:
        UsageError: settings, data or devices do not go together.
    """
    strategy = model.distribute_strategy
    if run.deterministic:
        tf.config.experimental.enable_op_determinism()
    if is_chief(strategy):
        for place in (".", "checkpoints", "report", "logs/validation"):
            remove_leftovers(Path(run.out_dir, place))
        check_settings(run, folder)
    check_combinations(model, batches, run)
    synchronize_normalization(model)
    step = agreement.step(folder.newest() if is_chief(strategy) else None)
    if step is not None and not folder.path(step).is_dir():
        raise UsageError(f"{folder.path(step)} is not to be seen here: all workers have to share the disk of `out_dir`")
    progress = {} if step is None else folder.progress(step)
    now = {"rows": batches.num_rows, "identity": dict(identity)}
    check_same_data(run, progress, now)
    check_ranges(model, batches)
    if not model.compiled:
        compile_model(model, batches, run, jit=progress.get("jit"), parts=progress.get("accumulate_steps"))
    model.build_optimizer()
    if step is not None:
        folder.load(model, step)
        total = run.total_steps(batches.steps_per_epoch)
        print(f"resumed from step {step} of {total} ({folder.path(step)})", flush=True)
    separate_dropout(model)
    return progress | now | {"jit": bool(model.jit_compile), "accumulate_steps": model.accumulate_steps}


def roll_back(
    model: keras.Model, folder: CheckpointFolder, agreement: CrossWorkerSync, error: NonFinite, *, allowed: int
) -> dict[str, Any]:
    """Restores the newest checkpoint and notes that the bad step is to be left out.

    Raises:
        NonFinite: the same again, when `allowed` steps have been left out already.
    """
    step = agreement.step(folder.newest() if is_chief(model.distribute_strategy) else None)
    progress = {} if step is None else folder.load(model, step)
    skipped = progress.get("skipped", [])
    if step is None or len(skipped) >= allowed or error.last - 1 in skipped:
        raise error
    separate_dropout(model)
    print(f"warning: {error.brief}; went back to step {step}, step {error.last} is left out", flush=True)
    return progress | {"skipped": [*skipped, error.last - 1]}


def compile_model(
    model: keras.Model, batches: StepIndexed, run: RunConfig, *, jit: bool | None = None, parts: int | None = None
) -> None:
    """Compiles a model as `run` says: optimizer, schedule, clipping, parts that fit in the memory, XLA where it helps.

    Args:
        model: an `Objective`.
        batches: the training batches.
        run: the settings.
        jit: what an earlier part of the run chose where `run.jit` is "auto"; None: nothing was chosen yet.
        parts: the same for `run.accumulate_steps` 0.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.data import StepIndexed
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.settings import RunConfig
        >>> from tfpretune.training import compile_model
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> batches = StepIndexed({"images": np.zeros((4, 8, 8, 1), "float32"), "labels": np.array([0, 1, 0, 1])}, 2)
        >>> compile_model(model, batches, RunConfig("mine", "runs/a", steps=10, precision="float32", jit="off"))
        >>> type(model.optimizer).__name__, model.clip_norm
        ('MultiRateAdamW', 1.0)
    """
    total = run.total_steps(batches.steps_per_epoch)

    def compile_in_parts(parts: int, jit: bool = False) -> None:
        with model.distribute_strategy.scope():
            model.compile(
                make_optimizer(run.optimizer, total, rate_factors=model.rate_factors),
                clip_norm=run.optimizer.clip_norm or None,
                accumulate_steps=parts,
                jit_compile=jit,
                steps_per_execution=1 if run.fast else run.steps_per_execution,
            )
        model.build_optimizer()

    found = run.accumulate_steps or parts
    with model.unfreezing.all_learn() if model.unfreezing is not None else contextlib.nullcontext():
        if found:
            compile_in_parts(found)
            refuse_too_big(model, batches, run)
        else:
            most = run.batch_size // model.distribute_strategy.num_replicas_in_sync
            found = fewest_parts(model, batches, compile_in_parts, most=most)
        with_jit = choose_jit(model, batches, run.jit, total) if jit is None or run.jit != "auto" else jit
    if with_jit:
        compile_in_parts(found, True)


def check_combinations(model: keras.Model, batches: StepIndexed, run: RunConfig) -> None:
    """Refuses what does not go together, before the first step."""
    replicas, parts = model.distribute_strategy.num_replicas_in_sync, run.accumulate_steps or 1
    share = -(-batches.batch_size // replicas)  # tf.distribute gives every replica so many rows, the last what is left
    last = batches.batch_size - share * (replicas - 1)
    if last < 1:
        raise UsageError(
            f"`batch_size` {batches.batch_size} leaves one of the {replicas} replicas without a row: give a multiple"
        )
    if last < parts:
        raise UsageError(
            f"`accumulate_steps` {parts}: a replica has {last} rows of the batch, give no more parts than that"
        )
    if num_workers(model.distribute_strategy) > 1 and not run.accumulate_steps:
        raise UsageError(
            "`batch_size` auto tries sizes on one machine only: give `accumulate_steps` with several workers"
        )
    if last != share and num_workers(model.distribute_strategy) > 1:
        raise UsageError(f"`batch_size` {batches.batch_size} is not a multiple of all workers' {replicas} replicas")
    steps = 1 if run.fast else run.steps_per_execution
    total = run.total_steps(batches.steps_per_epoch)
    if model.unfreezing is not None:
        model.unfreezing.check(steps_per_execution=steps, total_steps=total)
    for name, value in (("`save_every_steps`", run.save_every_steps), ("the number of steps,", total)):
        if value % steps and not (name == "`save_every_steps`" and value >= total):
            raise UsageError(f"`steps_per_execution` {steps} does not divide {name} {value}")
    if steps > 1 and run.skip_bad_steps:
        raise UsageError("`skip_bad_steps` needs `steps_per_execution` 1: a bad step is seen after the whole call only")
    learning = model.unfreezing.variables if model.unfreezing is not None else model.trainable_variables
    for pattern, _ in run.optimizer.multipliers:
        if not any(re.search(pattern, variable.path) for variable in learning):
            print(f"warning: --optimizer.multipliers {pattern}: it fits no trainable variable", flush=True)
    normalization = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    if parts > 1 and normalization:
        print(
            f"warning: {normalization[0].name} takes its means over a part of the batch (--accumulate-steps {parts})",
            flush=True,
        )
    learn = [layer.name for layer in normalization if layer.trainable or model.unfreezing is not None]
    if run.jit == "on" and replicas > 1 and learn:
        raise UsageError(
            f"`jit` on: {learn[0]} takes its means over all {replicas} replicas, which XLA cannot compile: "
            "give `jit` off, or `devices.replicas` 1"
        )


def check_same_data(run: RunConfig, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Compares rows and identity of a run with those of its checkpoint.

    Raises:
        UsageError: lists what differs.
    """
    if old.get("rows", new["rows"]) != new["rows"]:
        raise UsageError(
            f"{run.out_dir} was started on {old['rows']} training rows, now there are {new['rows']}: "
            "choose another `out_dir`"
        )
    after = json.loads(json.dumps(new["identity"]))
    before = old.get("identity") or after
    changed = config_file.changes(before, comparable(before, after, where=str(run.out_dir)), show=_short)
    if old and changed:
        raise UsageError(f"{run.out_dir} does not fit this run ({'; '.join(changed)}): choose another `out_dir`")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"


def check_settings(run: RunConfig, folder: CheckpointFolder) -> None:
    """Compares the settings with those that the folder was started with, and writes them there.

    A rehearsal (`fast`) gives way to the real run, not the other way round.

    Raises:
        UsageError: lists the fields that differ and may not.
    """
    out_dir = Path(run.out_dir)
    file = out_dir / "config.json"
    if folder.steps():
        old = _old_settings(run, file)
        if old.fast and not run.fast:
            for name in ("checkpoints", "folds", "logs", "report", "preset"):
                shutil.rmtree(out_dir / name, ignore_errors=True)
            print(f"the rehearsal in {out_dir} is replaced", flush=True)
        elif run.fast and not old.fast:
            raise UsageError(f"{out_dir} holds a real run: rehearse in another `out_dir`")
        elif run.resume == "never":
            raise UsageError(
                f"{out_dir} holds a run already: choose another `out_dir`, or `resume` auto to go on with it"
            )
        elif changed := config_file.differences(old, run, may_differ=MAY_DIFFER):
            raise UsageError(
                f"{out_dir} was started with other settings ({'; '.join(changed)}): choose another `out_dir`"
            )
    write_atomic(file, config_file.to_json(run))


def _old_settings(run: RunConfig, file: Path) -> RunConfig:
    if not file.is_file():
        return run
    try:
        return config_file.read_config(type(run), file)
    except UsageError as error:
        raise UsageError(f"{file.parent} holds another kind of run ({error}): choose another `out_dir`") from None
