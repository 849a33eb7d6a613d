"""Reports on models that give each example a set of labels, or a number."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.baseline import Baseline, flat_figures
from tfpretune.evaluation.metrics.multi_label import multi_label_metrics
from tfpretune.evaluation.metrics.regression import regression_metrics
from tfpretune.evaluation.report.kinds import SHOWN
from tfpretune.evaluation.report.page import escape
from tfpretune.evaluation.report.plots import scatter_chart
from tfpretune.evaluation.report.report import Curves, is_rehearsal, write_report
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.evaluation.report.written import Report, against_simple_models, report_of
from tfpretune.evaluation.verdict.answers import say_of_numbers, say_of_sets
from tfpretune.evaluation.verdict.out_of_fold import OutOfFold, first_repeat

SET_FIGURES = ("f1_micro", "f1_macro", "average_precision_macro", "roc_auc_macro", "subset_accuracy", "hamming_loss")
NUMBER_FIGURES = ("root_mean_squared_error", "mean_absolute_error", "r2", "pearson", "spearman")
NAMES = {
    "f1_micro": "micro F1",
    "f1_macro": "macro F1",
    "average_precision_macro": "mean average precision",
    "roc_auc_macro": "ROC AUC, macro mean",
    "subset_accuracy": "all labels right",
    "hamming_loss": "wrong labels",
    "root_mean_squared_error": "RMSE",
    "mean_absolute_error": "MAE",
    "r2": "R2",
    "pearson": "Pearson",
    "spearman": "Spearman",
}
MOST_MISTAKES = 12
UNCHOSEN = 0.5
"""From this probability on a label is given where no examples are left to choose one."""


def report_sets(
    examples: Examples,
    probabilities: np.ndarray,
    *,
    threshold: float,
    out_dir: str | Path,
    title: str,
    baselines: Sequence[Baseline] = (),
    curves: Curves | None = None,
    settings: Mapping[str, Any] | None = None,
    tables: Sequence[Table] = (),
    notes: Sequence[str] = (),
    more: Mapping[str, float] | None = None,
    out_of_fold: OutOfFold | None = None,
) -> Report:
    """Writes `out_dir/report` on labels that are sets of classes.

    Args:
        examples: n, with their labels.
        probabilities: what the model says, `(n, labels)`.
        threshold: a label is given from this probability on; chosen on other examples than these, or not at all.
        out_dir: folder of the run.
        title: heading of the page.
        baselines: simple models on the same examples; their outputs are 1 where a label is given and 0 elsewhere.
        curves: see `write_report`, as the next two.
        settings: what was run; the licence of the data is added.
        tables: shown first.
        notes: what a reader must know first, beside what the answers say.
        more: further numbers for `metrics.json`.
        out_of_fold: see `write_report`; the verdict takes the first repeat.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import Examples
        >>> from tfpretune.evaluation import report_sets
        >>> labels = np.array([[1, 0], [0, 1], [1, 1]], "int32")
        >>> examples = Examples("text", ["a", "b", "c"], labels, ("price", "delivery"), ["1", "2", "3"], "mine")
        >>> report = report_sets(examples, labels * 0.6, threshold=0.5, out_dir="runs/tickets", title="Tickets")
        >>> report.metrics["subset_accuracy"], report.task["threshold"]
        (1.0, 0.5)
    """
    names = examples.class_names
    metrics = multi_label_metrics(examples.known_labels, probabilities, names, threshold=threshold)
    metrics["threshold"] = threshold
    metrics = metrics if out_of_fold is None else out_of_fold.of_examples(metrics)
    once, simple = first_repeat(out_of_fold, len(examples), baselines)
    said = probabilities[:once] >= threshold
    verdict = [
        say_of_sets(examples.known_labels[:once], said, each.outputs > 0.5, each.name)
        for each in ([] if is_rehearsal(settings) else simple[-1:])
    ]
    page = write_report(
        out_dir,
        title=title,
        metrics=metrics,
        headline=[name for name in SET_FIGURES if name in metrics],
        curves=curves,
        tables=[
            *tables,
            against_simple_models({name: NAMES[name] for name in SET_FIGURES}, metrics, baselines),
            _per_label(metrics, names),
            _wrong_sets(examples.take(range(once)), probabilities[:once], threshold),
        ],
        settings={**(settings or {}), "license": examples.license},
        data=examples.near_copies(),
        numbers=flat_figures(baselines, SET_FIGURES) | dict(more or {}),
        notes=[*verdict, *notes],
    )
    facts: dict[str, Any] = {"settings": settings, "baselines": baselines, "verdict": [*verdict, *notes]}
    facts |= {"threshold": threshold, "out_of_fold": out_of_fold}
    return report_of(page, examples, {"f1_micro": "micro F1", "f1_macro": "macro F1"}, **facts)


def report_numbers(
    examples: Examples,
    numbers: np.ndarray,
    *,
    out_dir: str | Path,
    title: str,
    baselines: Sequence[Baseline] = (),
    curves: Curves | None = None,
    settings: Mapping[str, Any] | None = None,
    tables: Sequence[Table] = (),
    notes: Sequence[str] = (),
    more: Mapping[str, float] | None = None,
    out_of_fold: OutOfFold | None = None,
) -> Report:
    """Writes `out_dir/report` on labels that are numbers; arguments as `report_sets` takes them.

    Args:
        examples: n, with their labels.
        numbers: what the model says, `(n,)`.
        out_dir: folder of the run.
        title: heading of the page.
        baselines: simple models on the same examples; their outputs are numbers `(n,)`.
        curves: see `write_report`, as the next two.
        settings: what was run; the licence of the data is added.
        tables: shown first.
        notes: what a reader must know first, beside what the answers say.
        more: further numbers for `metrics.json`.
        out_of_fold: see `write_report`; the verdict takes the first repeat.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import Examples
        >>> from tfpretune.evaluation import report_numbers
        >>> stars = np.array([1.0, 5.0, 3.0], "float32")
        >>> examples = Examples("text", ["bad", "good", "so so"], stars, (), ["mine:1", "mine:2", "mine:3"], "mine")
        >>> report = report_numbers(examples, stars + 1, out_dir="runs/stars", title="Stars")
        >>> report.metrics["mean_absolute_error"], "threshold" in report.task
        (1.0, False)
    """
    truth = examples.known_labels
    metrics = regression_metrics(truth, numbers)
    metrics = metrics if out_of_fold is None else out_of_fold.of_examples(metrics)
    once, simple = first_repeat(out_of_fold, len(examples), baselines)
    verdict = [
        say_of_numbers(truth[:once], numbers[:once], each.outputs, each.name)
        for each in ([] if is_rehearsal(settings) else simple[-1:])
    ]
    alt = f"Predicted over true numbers of {once} examples; on the dashed line they are equal"
    chart = scatter_chart(truth, numbers, name="numbers", alt=alt)
    figures = (
        f'<div class="charts"><figure><h3>Predicted over true</h3>{chart}'
        f"<figcaption>{escape(alt)}.</figcaption></figure></div>"
    )
    page = write_report(
        out_dir,
        title=title,
        metrics=metrics,
        headline=[name for name in NUMBER_FIGURES if name in metrics],
        curves=curves,
        tables=[
            *tables,
            against_simple_models({name: NAMES[name] for name in NUMBER_FIGURES}, metrics, baselines),
            _far_numbers(examples.take(range(once)), numbers[:once]),
        ],
        settings={**(settings or {}), "license": examples.license},
        data=examples.near_copies(),
        figures=figures,
        numbers=flat_figures(baselines, NUMBER_FIGURES) | dict(more or {}),
        notes=[*verdict, *notes],
    )
    facts: dict[str, Any] = {"settings": settings, "baselines": baselines, "verdict": [*verdict, *notes]}
    return report_of(page, examples, {"mean_absolute_error": "MAE", "r2": "R2"}, out_of_fold=out_of_fold, **facts)


def _per_label(metrics: Mapping[str, float], names: Sequence[str]) -> Table:
    """A row for each label, and their mean."""
    per_label = ("precision", "recall", "f1", "roc_auc", "average_precision")
    rows: list[list[Cell]] = [
        [name, int(metrics[f"support/{name}"]), *(metrics.get(f"{figure}/{name}") for figure in per_label)]
        for name in names
    ]
    rows.append(["macro mean", None, *(metrics.get(f"{figure}_macro") for figure in per_label)])
    columns = ("label", "examples with it", "precision", "recall", "F1", "ROC AUC", "average precision")
    chosen = ": the best micro F1 on the validation set" if metrics["threshold"] != UNCHOSEN else ""
    note = f"A label is given from the probability {metrics['threshold']:.4g} on{chosen}."
    return Table("Labels", columns, rows, note=note)


def _wrong_sets(examples: Examples, probabilities: np.ndarray, threshold: float) -> Table:
    labels, names = examples.known_labels, examples.class_names
    wrong = (labels >= 0) & ((probabilities >= threshold) != (labels == 1))
    apart = np.where(wrong, np.abs(probabilities - labels), 0.0)
    rows: list[list[Cell]] = []
    for row in np.argsort(-apart.max(axis=1), kind="stable")[:MOST_MISTAKES]:
        if wrong[row].any():
            found = np.flatnonzero(probabilities[row] >= threshold)
            given = ", ".join(f"{names[label]} {probabilities[row, label]:.3f}" for label in found)
            fits = ", ".join(names[label] for label in np.flatnonzero(labels[row] == 1))
            rows.append([examples.where[row], fits or "none", given or "none", _shown(examples, row)])
    return Table("Worst mistakes", ("where", "labels", "given, with probability", examples.kind), rows)


def _far_numbers(examples: Examples, numbers: np.ndarray) -> Table:
    truth = examples.known_labels
    order = np.argsort(-np.abs(numbers - truth), kind="stable")[:MOST_MISTAKES]
    rows: list[list[Cell]] = [
        [examples.where[row], float(truth[row]), float(numbers[row]), _shown(examples, row)] for row in order
    ]
    return Table("Worst mistakes", ("where", "true", "predicted", examples.kind), rows)


def _shown(examples: Examples, row: int) -> str:
    sides = [examples.inputs] if examples.seconds is None else [examples.inputs, examples.seconds]
    return " | ".join(SHOWN[examples.kind].cell(side[row]) for side in sides)
