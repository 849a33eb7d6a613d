"""Fine-tuning on labels of any kind: classes, sets of classes, numbers. Each has its target, figures and report."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.source_form import LabelKind, SourceForm
from tfpretune.data.sources.labelled import LabelledParts, labelled_parts
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.evaluation.baselines.labels import fit_baseline
from tfpretune.evaluation.metrics.multi_label import best_threshold, multi_label_metrics
from tfpretune.evaluation.metrics.regression import regression_metrics
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.classifier import ClassifierReport
from tfpretune.evaluation.report.labelled import LabelledReport, report_numbers, report_sets
from tfpretune.evaluation.report.tables import Table
from tfpretune.finetune import balanced_class_weights, balanced_positive_weights
from tfpretune.objectives import Classes, MultiLabel, Numbers, Supervised, Target
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.fitting import fit_classifier, fit_head, report_on_test
from tfpretune.training import FitResult
from tfpretune.training.loop.fingerprint import identity_of
from tfpretune.training.tensorboard.run import EmbeddingsPage, write_hparams

HEADS = {"class": "classifier", "set": "multi_label", "number": "regressor"}
"""Kind of labels -> name of the model."""


def open_parts(run: FinetuneConfig, *, pair_column: str = "") -> LabelledParts:
    """Opens the source of a run, and refuses settings that do not go with its kind of labels."""
    form = source_form(run, pair_column=pair_column)
    most = 64 if run.fast else 0
    parts = labelled_parts(run.source, form, labels_per_class=run.labels_per_class, most=most, seed=run.seed)
    run.require_fits(parts.train.label_kind)
    return parts


def source_form(run: FinetuneConfig, *, pair_column: str = "") -> SourceForm:
    """Returns how the source of a run is read, as its options say."""
    return SourceForm(
        text_column=run.text_column,
        label_column=run.label_column,
        pair_column=pair_column,
        label_kind=run.label_kind,
        label_separator=run.label_separator,
        labels_as_written=run.labels_as_written,
    )


def make_target(train: Examples, run: FinetuneConfig) -> Target:
    """Returns what a head is to say, from the training labels: their classes and weights, or their mean and spread.

    Raises:
        UsageError: nothing can be learnt from the labels.
    """
    labels, names = train.known_labels, train.class_names
    if train.label_kind == "set":
        return MultiLabel(len(names), balanced_positive_weights(labels, names) if run.balance_classes else None)
    if train.label_kind == "number":
        offset, scale = float(labels.mean(dtype=np.float64)), float(labels.std(dtype=np.float64))
        if not scale > 0:
            raise UsageError(f"--source {train.name}: all training labels are {offset:g}: there is nothing to learn")
        return Numbers(1, offset, scale)
    weights = balanced_class_weights(labels, len(names)) if run.balance_classes else None
    return Classes(len(names), label_smoothing=run.label_smoothing, class_weights=weights)


def label_kind_of(target: Target | None) -> LabelKind | None:
    """Returns the kind of labels of a model for whole examples that these recipes make; None for any other target."""
    kinds: dict[type, LabelKind] = {Classes: "class", MultiLabel: "set", Numbers: "number"}
    return kinds.get(type(target))


def fit_labelled(
    model: Supervised,
    batches: StepIndexed,
    run: FinetuneConfig,
    *,
    validation: tf.data.Dataset,
    examples: Examples,
    train: Examples,
    tokenizer: Tokenizer | None = None,
) -> FitResult:
    """Fits a model on labels of any kind; arguments as `fit_classifier` takes them.

    The best weights are those with the highest accuracy on the validation set; of sets those with the lowest cross-entropy, of
    numbers those with the lowest mean absolute error.

    Args:
        model: towards what `make_target` returned.
        batches: the training batches.
        run: the settings.
        validation: the validation batches, in order.
        examples: the validation examples, in the same order.
        train: the training examples.
        tokenizer: of a text model.
    """
    if isinstance(model.target, Classes):
        return fit_classifier(
            model, batches, run, validation=validation, examples=examples, train=train, tokenizer=tokenizer
        )
    named = {"label": label_texts(examples), "where": examples.where}
    names = examples.class_names
    own = identity_of(model.backbone, batches, tokenizer=tokenizer, class_names=names, data=train)
    if isinstance(model.target, Numbers):
        own |= {"mean of the labels": model.target.offset, "spread of the labels": model.target.scale}
    return fit_head(
        model,
        batches,
        run,
        validation=validation,
        pages=lambda watched: [EmbeddingsPage(watched, named, log_dir=f"{run.out_dir}/logs")],
        identity=own,
    )


def label_texts(examples: Examples) -> list[str]:
    """Returns each label as a short text: a class, "a;b", a number."""
    labels, names = examples.known_labels, np.array(examples.class_names)
    if examples.label_kind == "number":
        return [f"{label:g}" for label in labels]
    if examples.label_kind == "set":
        return [";".join(names[row == 1]) for row in labels]
    return [examples.class_names[label] for label in labels]


def report_labelled(
    model: Supervised,
    run: FinetuneConfig,
    result: FitResult,
    *,
    parts: LabelledParts,
    validation: tf.data.Dataset,
    batches: tf.data.Dataset,
    inputs: Any = None,
    tables: Sequence[Table] = (),
) -> ClassifierReport | LabelledReport:
    """Writes the report on the test set, and the settings with its figures for TensorBoard's HParams page.

    Sets and numbers stand beside a linear model of `fit_baseline`, numbers beside the mean of the training labels, too. The
    threshold of sets is chosen on the validation set, for the linear model as well.

    Args:
        model: the fitted model.
        run: the settings.
        result: what `fit_labelled` returned.
        parts: the data of the run.
        validation: the validation batches, in order.
        batches: the test batches, in order.
        inputs: classes only: what the page shows of the test examples; their own inputs when None.
        tables: shown in this order.
    """
    if isinstance(model.target, Classes):
        return report_on_test(model, run, result, parts=parts, batches=batches, inputs=inputs, tables=tables)
    settings = dataclasses.asdict(run)
    page: dict[str, Any] = {
        "out_dir": run.out_dir,
        "title": f"{run.source}: test set",
        "curves": {"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}},
        "settings": settings | {"training examples": len(parts.train)},
        "tables": tables,
    }
    found = predict_outputs(model, batches)
    if isinstance(model.target, Numbers):
        report = report_numbers(parts.test, found[:, 0], baselines=number_baselines(parts), **page)
        shown = ("root_mean_squared_error", "mean_absolute_error", "r2")
    else:
        threshold = best_threshold(parts.validation.known_labels, predict_outputs(model, validation))
        report = report_sets(parts.test, found, threshold=threshold, baselines=set_baselines(parts), **page)
        shown = ("f1_micro", "f1_macro", "average_precision_macro")
    figures = {f"test_{name}": report.metrics[name] for name in shown if name in report.metrics}
    write_hparams(f"{run.out_dir}/logs", settings, figures, step=result.steps)
    return report


def set_baselines(parts: LabelledParts) -> dict[str, dict[str, float]]:
    """Returns the test figures of a linear model for each label, by its name."""
    name, predict = fit_baseline(parts.train)
    threshold = best_threshold(parts.validation.known_labels, predict(parts.validation))
    truth, names = parts.test.known_labels, parts.class_names
    return {name: multi_label_metrics(truth, predict(parts.test), names, threshold=threshold)}


def number_baselines(parts: LabelledParts) -> dict[str, dict[str, float]]:
    """Returns the test figures of the mean of the training labels, and of a ridge regression, by name."""
    name, predict = fit_baseline(parts.train)
    truth = parts.test.known_labels
    mean = np.full(len(truth), parts.train.known_labels.mean(dtype=np.float64))
    return {"always the mean": regression_metrics(truth, mean), name: regression_metrics(truth, predict(parts.test))}
