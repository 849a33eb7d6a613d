"""Reports on models that give each example per class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.baseline import Baseline, flat_figures
from tfpretune.evaluation.metrics.classification import classification_metrics
from tfpretune.evaluation.report.report import Curves, is_rehearsal, write_report
from tfpretune.evaluation.report.tables import Table
from tfpretune.evaluation.report.written import Report, against_simple_models, report_of
from tfpretune.evaluation.verdict.answers import say_of_classes
from tfpretune.evaluation.verdict.out_of_fold import OutOfFold, first_repeat

FIGURES = {"accuracy": "accuracy", "f1_macro": "macro F1"}


def report_classes(
    examples: Examples,
    probabilities: np.ndarray,
    *,
    out_dir: str | Path,
    title: str,
    inputs: Any = None,
    curves: Curves | None = None,
    settings: Mapping[str, Any] | None = None,
    tables: Sequence[Table] = (),
    baselines: Sequence[Baseline] = (),
    notes: Sequence[str] = (),
    more: Mapping[str, float] | None = None,
    out_of_fold: OutOfFold | None = None,
) -> Report:
    """Writes `out_dir/report` on labels that are classes.

    Args:
        examples: n, with their labels.
        probabilities: what the model says, `(n, classes)`.
        out_dir: folder of the run.
        title: heading of the page.
        inputs: what the page shows of the examples; their own inputs when None. Images: as the model sees them.
        curves: see `write_report`, as the next two.
        settings: what was run; the licence of the data is added.
        tables: shown first, in this order.
        baselines: simple models on the same examples.
        notes: what a reader must know first, beside what the answers say.
        more: further numbers for `metrics.json`.
        out_of_fold: see `write_report`; the verdict takes the first repeat.

    Examples:
        >>> import numpy as np, tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.data import image_batches, open_source
        >>> from tfpretune.evaluation import predict_outputs, report_classes
        >>> from tfpretune.finetune import classifier
        >>> digits = open_source("demo:digits").take(range(20))
        >>> batches = image_batches(digits, 20, image_shape=(8, 8, 1)).in_order()
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 10)
        >>> report = report_classes(digits, predict_outputs(model, batches), out_dir="runs/digits", title="Digits")
        >>> str(report.page), report.metrics["examples"]
        ('runs/digits/report/index.html', 20...)
    """
    labels, predicted = examples.known_labels, np.asarray(probabilities).argmax(axis=1)
    verdict = []
    if not is_rehearsal(settings):
        once, simple = first_repeat(out_of_fold, len(labels), baselines)
        verdict = say_of_classes(labels[:once], predicted[:once], examples.class_names, simple)
    if baselines:
        own = classification_metrics(labels, probabilities, examples.class_names)
        tables = [*tables, against_simple_models(FIGURES, own, baselines)]
    page = write_report(
        out_dir,
        title=title,
        kind=examples.kind,
        labels=labels,
        probabilities=probabilities,
        class_names=examples.class_names,
        inputs=examples.inputs if inputs is None else inputs,
        where=examples.where,
        curves=curves,
        tables=tables,
        settings={**(settings or {}), "license": examples.license},
        data=examples.near_copies(),
        numbers=flat_figures(baselines, [*FIGURES]) | dict(more or {}),
        notes=[*verdict, *notes],
        out_of_fold=out_of_fold,
    )
    facts: dict[str, Any] = {"settings": settings, "baselines": baselines, "verdict": [*verdict, *notes]}
    return report_of(page, examples, FIGURES, out_of_fold=out_of_fold, **facts)
