"""Fine-tuning, whatever the task: the start, what learns, the fit. `keras.Model.fit` trains, in `tfpretune.training.fit`."""

import dataclasses
from typing import Any

import keras

from tfpretune.backbones.by_name import load_backbone
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.splits.folds import Folds
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.finetune import cache_in_order, freeze, with_cached_features
from tfpretune.objectives import MultiTask, Supervised
from tfpretune.settings.finetune import TaskConfig
from tfpretune.tasks.base import Task
from tfpretune.tasks.finetuning.folds import plan
from tfpretune.tasks.finetuning.methods import apply_methods
from tfpretune.training import FitResult, fit, resolve_precision
from tfpretune.training.adapters import save_adapter
from tfpretune.training.devices.strategies import is_chief
from tfpretune.training.loop.callbacks import Measured
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import fingerprint_of
from tfpretune.training.tensorboard.distance import DistanceFromInitialization


def load_start(run: TaskConfig) -> keras.Model:
    """Returns the backbone that a run starts from: the preset's, or with --from-scratch one like it with random weights."""
    return load_backbone(
        run.preset,
        dtype=resolve_precision(run.precision),
        random_weights=run.from_scratch,
        dropout=run.backbone_dropout,
    )


def made_ready(
    model: Supervised | MultiTask, batches: StepIndexed, run: TaskConfig, *, folds: Folds | None = None
) -> bool:
    """Puts the methods of a run on its model and says what learns; with --dry-run describes the run, and returns False.

    Where there are folds it says what these cost, too.
    """
    table = apply_methods(model, run)
    if folds is not None and run.patience:
        raise UsageError(
            f"--patience {run.patience}: folds have no validation split to stop by; leave it out, or --folds none"
        )
    if folds is not None:
        print(plan(folds, run, batches.num_rows), flush=True)
    if run.dry_run:
        describe(model, batches, run)
    else:
        print(table)
    return not run.dry_run


def fit_task(
    task: Task,
    model: Supervised | MultiTask,
    batches: StepIndexed,
    run: TaskConfig,
    *,
    tokenizer: Tokenizer | None = None,
) -> FitResult:
    """Fits a model for a task and ends with the weights that the task finds best on the validation set, without one the last.

    TensorBoard shows how far the backbone moves from its start. With `--cache-features` the head learns on features that
    are computed once; with LoRA what was learnt lies in OUT_DIR/adapter, too.

    Args:
        task: what is watched and shown.
        model: after `made_ready`.
        batches: the training batches.
        run: the settings.
        tokenizer: of a text model; a run with another vocabulary does not go on from its checkpoints.
    """
    same = fingerprint_of(model.backbone, batches, tokenizer=tokenizer, class_names=task.class_names, data=task.data)
    same |= task.identity(model)
    trained, watched = model, task.watched
    if run.cache_features:
        trained, batches = with_cached_features(model, batches)
        watched = None if watched is None else cache_in_order(model, trained, watched)
        same["weights of the backbone"] = trained.digest()
    callbacks, measure = [], None
    if watched is None:
        same["weights that are kept"] = "the last"
    else:
        callbacks, measure = task.pages(watched, f"{run.out_dir}/logs"), task.measure(model)
    if measure is not None:
        callbacks.append(Measured(measure))
    if run.frozen != "all" and not run.from_scratch:
        callbacks.append(DistanceFromInitialization(model, f"{run.out_dir}/logs"))
    figure, mode = task.monitor or model.target.monitor
    result = fit(
        trained,
        batches,
        run,
        validation=watched,
        callbacks=callbacks,
        monitor=f"val_{figure}",
        mode=mode,
        patience=run.patience,
        restore_best=True,
        identity=same,
    )
    if run.lora_rank and is_chief(model.distribute_strategy):
        save_adapter(f"{run.out_dir}/adapter", model)
    return result


def fit_layered(
    task: Task,
    model: Supervised | MultiTask,
    batches: StepIndexed,
    run: TaskConfig,
    *,
    tokenizer: Tokenizer | None = None,
) -> FitResult:
    """Fits a model twice: the second time as many steps with the backbone frozen, in OUT_DIR/heads."""
    fit_task(task, model, batches, run, tokenizer=tokenizer)
    learnt = model.backbone.trainable_variables
    freeze(model, "all")
    no_lora: dict[str, Any] = {
        "lora_rank": 0,
        "lora_alpha": 0.0,
        "lora_dropout": 0.0,
        "lora_layers": "",
    }  # it is frozen
    heads = dataclasses.replace(run, out_dir=f"{run.out_dir}/heads", **no_lora)
    model.compiled = False  # `fit` compiles it anew, for what learns now
    result = fit_task(task, model, batches, heads, tokenizer=tokenizer)
    for variable in learnt:
        variable.trainable = True  # it belongs to the adapter
    if run.lora_rank and is_chief(model.distribute_strategy):
        save_adapter(f"{run.out_dir}/adapter", model)  # the one of the shared steps has their heads
    return result
