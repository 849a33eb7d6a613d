"""The report on a fine-tuned model of whole examples, whatever its labels are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.classifier import ClassifierReport, report_classifier
from tfpretune.evaluation.report.labelled import LabelledReport, report_numbers, report_sets
from tfpretune.evaluation.report.tables import Table
from tfpretune.objectives import Supervised
from tfpretune.tasks.classification import label_kind_of


def report_model(
    model: Supervised,
    examples: Examples,
    *,
    batches: tf.data.Dataset,
    out_dir: str | Path,
    title: str,
    threshold: float = 0.5,
    inputs: Any = None,
    settings: Mapping[str, Any] | None = None,
    tables: Sequence[Table] = (),
) -> ClassifierReport | LabelledReport:
    """Tries a model of classes, sets of classes or numbers on labelled examples and writes `out_dir/report`.

    Args:
        model: it says by its target what a label is.
        examples: with labels of this kind.
        batches: the same examples, in the same order.
        out_dir: folder of the run.
        title: heading of the page.
        threshold: sets: a label is given from this probability on; chosen on other examples than these.
        inputs: classes: what the page shows of the examples; their own inputs when None.
        settings: what was run.
        tables: shown first.
    """
    if (kind := label_kind_of(model.target)) == "class":
        return report_classifier(
            model,
            examples,
            batches=batches,
            out_dir=out_dir,
            title=title,
            inputs=inputs,
            settings=settings,
            tables=tables,
        )
    found = predict_outputs(model, batches)
    if kind == "number":
        return report_numbers(examples, found[:, 0], out_dir=out_dir, title=title, settings=settings, tables=tables)
    return report_sets(
        examples, found, threshold=threshold, out_dir=out_dir, title=title, settings=settings, tables=tables
    )
