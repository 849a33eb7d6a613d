"""The parts of the report on a classifier, each as HTML."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sklearn.metrics

from tfpretune.evaluation.metrics.calibration import reliability_bins
from tfpretune.evaluation.metrics.classification import check_predictions, classification_metrics, confusion_matrix
from tfpretune.evaluation.metrics.paired import paired_test
from tfpretune.evaluation.report.kinds import SHOWN
from tfpretune.evaluation.report.page import Section, escape, html_table
from tfpretune.evaluation.report.plots import NUM_COLOURS, Axis, Line, heat_map, line_chart, reliability_chart
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.evaluation.verdict.out_of_fold import OutOfFold

_LARGEST_TABLE = 25
_ON_TOP = {
    "accuracy": "Accuracy",
    "f1_macro": "Macro F1",
    "roc_auc_macro": "ROC AUC, macro mean",
    "log_loss": "Log loss",
    "ece": "Calibration error",
}


@dataclasses.dataclass(eq=False)
class Answers:
    """What a classifier answered on labelled examples; see `write_report` for the arguments.

    Attributes:
        metrics: name -> number.

    Raises:
        ValueError: arguments that do not fit each other.
    """

    kind: str
    labels: Any
    probabilities: Any
    class_names: Sequence[str]
    inputs: Any
    where: Sequence[str]
    out_of_fold: OutOfFold | None = None
    metrics: dict[str, float] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Checks the arguments and computes the metrics."""
        if self.kind not in SHOWN:
            raise ValueError(f"kind: expected {' or '.join(map(repr, SHOWN))}, received {self.kind!r}")
        self.metrics = classification_metrics(self.labels, self.probabilities, self.class_names)
        self.labels, self.probabilities = check_predictions(self.labels, self.probabilities, self.class_names)
        if not len(self.inputs) == len(self.where) == len(self.labels):
            received = f"{len(self.inputs)} and {len(self.where)}"
            raise ValueError(f"expected {len(self.labels)} inputs and where, received {received}")
        if self.out_of_fold is not None:
            self.metrics = self.out_of_fold.of_examples(self.metrics)

    @property
    def once(self) -> int:
        """How many answers hold each example once: all, or those of the first repeat."""
        return len(self.labels) // (1 if self.out_of_fold is None else self.out_of_fold.repeats)

    @property
    def size(self) -> str:
        """How many examples and classes, in words."""
        return f"{self.once:,} examples, {len(self.class_names)} classes"

    def headline(self) -> list[tuple[str, str, str]]:
        """The numbers on top, as `headline_numbers` takes them, with intervals where there are some."""
        metrics, numbers = self.metrics, []
        for key, name in _ON_TOP.items():
            if key in metrics:
                low, high = metrics.get(f"{key}_low"), metrics.get(f"{key}_high")
                interval = f"95 %: {low:.3f} to {high:.3f}" if low is not None and high is not None else ""
                numbers.append((name, f"{metrics[key]:.3f}", interval))
        return numbers

    def sections(self) -> list[Section]:
        """Confusion matrix, classes, curves and calibration."""
        labels, probabilities, names = self.labels, self.probabilities, self.class_names
        return [
            Section("Confusion matrix", confusion_section(confusion_matrix(labels, probabilities), names)),
            Section("Classes", class_table(self.metrics, names)),
            Section("ROC and precision-recall", curves_section(labels, probabilities, names, self.metrics)),
            Section("Calibration", calibration_section(labels, probabilities, once=self.once)),
        ]

    def mistakes(self) -> Section:
        """The most confident wrong answers."""
        once = self.once
        shown = {"kind": self.kind, "inputs": self.inputs[:once], "where": self.where[:once]}
        answers = (self.labels[:once], self.probabilities[:once])
        return Section("Worst mistakes", mistakes_section(*answers, self.class_names, **shown))


def confusion_section(confusion: np.ndarray, class_names: Sequence[str]) -> str:
    """The confusion matrix as a table, or as a picture above 25 classes, and the pairs most often confused."""
    count = len(class_names)
    if count > _LARGEST_TABLE:
        shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
        alt = f"Confusion matrix of {count} classes; the pairs most often confused stand in the table below."
        body = f"<figure>{heat_map(shares, name='confusion', alt=alt)}</figure>"
    else:
        body = _confusion_table(confusion, class_names)
    return body + (_confused_pairs(confusion, class_names) if count > 2 else "")


def _confusion_table(confusion: np.ndarray, class_names: Sequence[str]) -> str:
    longest = max(len(name) for name in class_names)
    short = longest <= 3 or (longest <= 14 and len(class_names) <= 6)
    names = [escape(name) for name in class_names]
    shown = names if short else [f'<abbr title="{name}">{i}</abbr>' for i, name in enumerate(names)]
    heads = "".join(f'<th scope="col">{name}</th>' for name in shown)
    rows = []
    for i, (name, counts) in enumerate(zip(names, confusion, strict=True)):
        cells = []
        for j, count in enumerate(counts):
            kind = "right" if i == j else "wrong"
            shade = f' class="{kind}" style="--share: {0.1 + 0.45 * count / counts.sum():.3f}"' if count else ""
            cells.append(f"<td{shade}>{count:,}</td>")
        rows.append(f'<tr><th scope="row">{"" if short else f"{i} "}{name}</th>{"".join(cells)}</tr>')
    return (
        '<div class="scroll" tabindex="0"><table class="confusion"><thead>'
        f'<tr><td></td><th scope="colgroup" colspan="{len(names)}">predicted</th></tr>'
        f'<tr><th scope="col">true</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        '<p class="note">Examples; the darker, the larger the fraction of the row.</p>'
    )


def _confused_pairs(confusion: np.ndarray, class_names: Sequence[str], *, most: int = 8) -> str:
    wrong = confusion * (1 - np.eye(len(confusion), dtype=confusion.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    rows = []
    for true, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if wrong[true, predicted]:
            share = f"{wrong[true, predicted] / confusion[true].sum():.1%}"
            rows.append((f"{class_names[true]} → {class_names[predicted]}", int(wrong[true, predicted]), share))
    columns = ("true → predicted", "examples", "fraction of the true class")
    return html_table(Table("Most often confused", columns, rows)) if rows else ""


def class_table(metrics: Mapping[str, float], class_names: Sequence[str]) -> str:
    """Support, precision, recall, F1 and areas under the curves of every class, and their macro means."""
    names = ("precision", "recall", "f1", "roc_auc", "average_precision")
    rows: list[list[Cell]] = [
        [name, int(metrics[f"support/{name}"]), *(metrics.get(f"{key}/{name}") for key in names)]
        for name in class_names
    ]
    rows.append(["macro mean", int(metrics["examples"]), *(metrics.get(f"{key}_macro") for key in names)])
    columns = ("class", "examples", "precision", "recall", "F1", "ROC AUC", "average precision")
    return html_table(Table("", columns, rows))


def curves_section(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], metrics: Mapping[str, float]
) -> str:
    """ROC and precision-recall curves, one class against the rest; of more than 8 classes the 8 with the least area."""
    charts = []
    for key, heading in (("roc_auc", "ROC"), ("average_precision", "Precision and recall")):
        areas = {c: metrics[f"{key}/{name}"] for c, name in enumerate(class_names) if f"{key}/{name}" in metrics}
        shown = sorted(sorted(areas, key=areas.__getitem__)[:NUM_COLOURS])
        lines = [_curve(key, labels == c, probabilities[:, c], class_names[c], areas[c]) for c in shown]
        roc = key == "roc_auc"
        chart = line_chart(
            lines,
            name=key,
            alt=f"{heading} curves of {len(shown)} classes",
            x=Axis("false positive rate" if roc else "recall", (0, 1)),
            y=Axis("true positive rate" if roc else "precision", (0, 1)),
            diagonal=roc,
            steps=not roc,
        )
        means = f"{'Area under the curve' if roc else 'Average precision'}, one class against the rest"
        rest = f"; the {len(shown)} lowest of {len(areas)} classes" if len(shown) < len(areas) else ""
        charts.append(f"<figure><h3>{heading}</h3>{chart}<figcaption>{means}{rest}.</figcaption></figure>")
    return f'<div class="charts">{"".join(charts)}</div>'


def _curve(key: str, positive: np.ndarray, scores: np.ndarray, name: str, area: float) -> Line:
    if key == "roc_auc":
        x, y, _ = sklearn.metrics.roc_curve(positive, scores)
    else:
        y, x, _ = sklearn.metrics.precision_recall_curve(positive, scores)
    return Line(name, x, y, f"{area:.3f}")


def calibration_section(labels: np.ndarray, probabilities: np.ndarray, *, once: int) -> str:
    """The reliability diagram with the expected calibration error; a test of it takes the first `once` answers."""
    bins = reliability_bins(labels, probabilities)
    mean = float(probabilities.max(axis=1).mean())
    right = float((probabilities.argmax(axis=1) == labels).mean())
    alt = f"Reliability diagram: mean confidence {mean:.3f}, accuracy {right:.3f}, calibration error {bins.ece:.3f}"
    chart = reliability_chart(bins, name="reliability", alt=alt)
    return (
        f'<div class="charts"><figure><h3>Reliability</h3>{chart}<figcaption>Bars: fraction of right answers in 15 bins '
        f"of confidence; on the dashed line a classifier is right as often as it says.</figcaption></figure>"
        f"<p>Expected calibration error <b>{bins.ece:.3f}</b>. Mean confidence {mean:.3f}, accuracy {right:.3f}: "
        f"{_tendency(labels[:once], probabilities[:once])}.</p></div>"
    )


def _tendency(labels: np.ndarray, probabilities: np.ndarray) -> str:
    """Says over- or under-confident only where a t-test over the examples shows it."""
    test = paired_test(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
    if test.verdict == "open":
        return f"{len(labels):,} examples show neither too much nor too little confidence on the whole"
    which = "over-confident" if test.verdict == "better" else "under-confident"
    return f"the classifier is {which} by {abs(test.difference):.3f} on the whole"


def mistakes_section(
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    kind: str,
    inputs: Sequence[Any],
    where: Sequence[str],
    most: int = 12,
) -> str:
    """The most confident wrong answers with their text or picture."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    if not len(wrong):
        return "<p>No mistake among these examples.</p>"
    items = []
    for i in wrong[np.argsort(-confidence[wrong], kind="stable")][:most]:
        true = probabilities[i, labels[i]]
        verdict = (
            f"<p><b>{escape(class_names[predicted[i]])}</b> with {confidence[i]:.3f}, "
            f"true: <b>{escape(class_names[labels[i]])}</b> with {true:.3f}</p>"
        )
        shown = SHOWN[kind].block(inputs[i], where[i])
        place = f'<div class="muted">{escape(where[i])}</div>'
        above = f"{shown}{verdict}" if SHOWN[kind].picture else f"{verdict}{shown}"
        items.append(f"<li>{above}{place}</li>")
    return (
        f"<p>{len(wrong):,} of {len(labels):,} answers are wrong; these {len(items)} with the highest confidence.</p>"
        f'<ol class="mistakes {kind}">{"".join(items)}</ol>'
    )
