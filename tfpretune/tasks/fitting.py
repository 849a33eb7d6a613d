"""Fine-tuning: the fit of a classifier with its TensorBoard pages, and what is reported of it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledParts
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.evaluation.report.classifier import ClassifierReport, report_classifier
from tfpretune.evaluation.report.tables import Table
from tfpretune.finetune import cache_in_order, with_cached_features
from tfpretune.objectives import MultiTask, Supervised
from tfpretune.settings.finetune import FinetuneConfig, TaskConfig
from tfpretune.training import FitResult, fit
from tfpretune.training.adapters import save_adapter
from tfpretune.training.devices.strategies import is_chief
from tfpretune.training.loop.callbacks import Measured
from tfpretune.training.loop.fingerprint import identity_of
from tfpretune.training.tensorboard.distance import DistanceToStart
from tfpretune.training.tensorboard.images import ConfusionPage
from tfpretune.training.tensorboard.run import EmbeddingsPage, write_hparams


def fit_classifier(
    model: Supervised,
    batches: StepIndexed,
    run: FinetuneConfig,
    *,
    validation: tf.data.Dataset,
    examples: Examples,
    train: Examples,
    tokenizer: Tokenizer | None = None,
    identity: Mapping[str, Any] | None = None,
) -> FitResult:
    """Fits a classifier and ends with the weights that were best on the validation set.

    TensorBoard shows which classes it takes for each other and, at the end, the features of the validation set.

    Args:
        model: from `tfpretune.finetune.classifier`.
        batches: the training batches.
        run: the settings.
        validation: the validation batches, in order.
        examples: the validation examples, in the same order.
        train: the training examples; a run on other ones does not go on from its checkpoints.
        tokenizer: of a text classifier; a run with another vocabulary does not go on from its checkpoints.
        identity: what else must be the same when the run goes on; JSON values.
    """
    logs = f"{run.out_dir}/logs"
    labels = [examples.class_names[label] for label in examples.known_labels]

    def pages(watched: tf.data.Dataset) -> list[keras.callbacks.Callback]:
        return [
            ConfusionPage(watched, examples.class_names, log_dir=logs),
            EmbeddingsPage(watched, {"label": labels, "where": examples.where}, log_dir=logs),
        ]

    names = examples.class_names
    own = identity_of(model.backbone, batches, tokenizer=tokenizer, class_names=names, data=train)
    return fit_head(model, batches, run, validation=validation, pages=pages, identity=own | dict(identity or {}))


def fit_head(
    model: Supervised | MultiTask,
    batches: StepIndexed,
    run: TaskConfig,
    *,
    validation: tf.data.Dataset,
    identity: Mapping[str, Any],
    pages: Callable[[tf.data.Dataset], list[keras.callbacks.Callback]] | None = None,
    measure: Callable[[], Mapping[str, float]] | None = None,
    monitor: tuple[str, str] | None = None,
) -> FitResult:
    """Fits any fine-tuned model and ends with the weights that were best on the validation set.

    TensorBoard shows how far the backbone moves from its start. With `--cache-features` the head learns on features that
    are computed once; with LoRA what was learnt lies in OUT_DIR/adapter, too.

    Args:
        model: after `apply_methods`.
        batches: the training batches.
        run: the settings.
        validation: the validation batches, in order.
        identity: what must be the same when the run goes on; see `identity_of`.
        pages: makes TensorBoard pages on the validation batches.
        measure: returns further figures of the model on the validation set; see `Measured`.
        monitor: the figure to judge by, of these or of the model's, and "max" or "min"; None: see `monitor_of`.
    """
    figure, mode = monitor or monitor_of(model)
    trained, own = model, dict(identity)
    if run.cache_features:
        trained, batches = with_cached_features(model, batches)
        validation = cache_in_order(model, trained, validation)
        own["weights of the backbone"] = trained.digest()
    callbacks = pages(validation) if pages is not None else []
    if measure is not None:
        callbacks.append(Measured(measure))
    if run.frozen != "all" and not run.from_scratch:
        callbacks.append(DistanceToStart(model, f"{run.out_dir}/logs"))
    result = fit(
        trained,
        batches,
        run,
        validation=validation,
        callbacks=callbacks,
        monitor=f"val_{figure}",
        mode=mode,
        patience=run.patience,
        restore_best=True,
        identity=own,
    )
    if run.lora_rank and is_chief(model.distribute_strategy):
        save_adapter(f"{run.out_dir}/adapter", model)
    return result


def monitor_of(model: Supervised | MultiTask) -> tuple[str, str]:
    """Returns the figure to watch on the validation set, and "max" or "min"; of several tasks it is their loss."""
    return ("loss", "min") if isinstance(model, MultiTask) else model.target.monitor


def report_on_test(
    model: Supervised,
    run: FinetuneConfig,
    result: FitResult,
    *,
    parts: LabelledParts,
    batches: tf.data.Dataset,
    inputs: Any = None,
    tables: Sequence[Table] = (),
) -> ClassifierReport:
    """Writes the report on the test set, and the settings with its figures for TensorBoard's HParams page.

    Args:
        model: the fitted classifier.
        run: the settings.
        result: what `fit_classifier` returned.
        parts: the data of the run.
        batches: the test batches, in order.
        inputs: what the page shows of the test examples; their own inputs when None.
        tables: shown in this order.
    """
    settings = dataclasses.asdict(run)
    report = report_classifier(
        model,
        parts.test,
        batches=batches,
        out_dir=run.out_dir,
        title=f"{run.source}: test set",
        inputs=inputs,
        tables=tables,
        curves={"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}},
        settings=settings | {"training examples": len(parts.train)},
    )
    figures = {f"test_{name}": report.metrics[name] for name in ("accuracy", "f1_macro")}
    write_hparams(f"{run.out_dir}/logs", settings, figures, step=result.steps)
    return report
