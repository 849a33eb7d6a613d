"""Scores over the number of labels: how many labels pre-training saves, and whether it paid at each number."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfpretune.evaluation.metrics.gain import gain_over_scratch, paired_difference
from tfpretune.evaluation.metrics.paired import LEVEL, paired_test
from tfpretune.evaluation.report.plots import Axis, Line, line_chart
from tfpretune.evaluation.report.tables import Cell, Table

COLUMNS = ("", "labels per class", "accuracy", "sd", "over scratch", "p", "labels saved")
_SAID = {"better": "paid", "worse": "did harm", "ahead": "is ahead", "behind": "is behind", "level": "is level"}
_NOT_SHOWN = ("ahead", "behind", "level")


@dataclasses.dataclass(frozen=True, eq=False)
class LabelCurve:
    """One method's scores.

    Attributes:
        name: of the method.
        scores: labels per class -> one score per seed, higher is better, the same seeds for every method.

    Examples:
        >>> from tfpretune.evaluation import LabelCurve
        >>> curve = LabelCurve("pre-trained", {10: [0.7, 0.8], 100: [0.9, 0.9]})
        >>> curve.means.tolist(), round(curve.labels_needed(0.825), 1)  # half way on a logarithmic axis: sqrt(10 * 100)
        ([0.75, 0.9], 31.6)
    """

    name: str
    scores: Mapping[float, Sequence[float]]

    @property
    def labels(self) -> np.ndarray:
        """Labels a class, rising, float64 `(n,)`."""
        return np.array(sorted(self.scores), np.float64)

    def mean(self, labels: float) -> float:
        """The mean over the seeds at one number of labels."""
        return float(np.mean(self.scores[labels]))

    @property
    def means(self) -> np.ndarray:
        """The mean at each number of labels, float64 `(n,)`."""
        return np.array([self.mean(labels) for labels in sorted(self.scores)])

    def figures(self) -> dict[str, float]:
        """The means as "NAME/LABELS" -> mean, for `metrics.json`."""
        return {f"{self.name}/{round(n)}": float(mean) for n, mean in zip(self.labels, self.means, strict=True)}

    @property
    def spreads(self) -> np.ndarray:
        """The sample standard deviation at each number of labels, float64 `(n,)`."""
        return np.array([np.std(self.scores[labels], ddof=1) for labels in sorted(self.scores)])

    def labels_needed(self, score: float) -> float | None:
        """Labels a class at which the means reach a score, on straight lines over the logarithm of the labels.

        Returns:
            The fewest that were tried where they are enough, None where all are too few. A curve that falls in between
            is taken at its first crossing.
        """
        labels, means = np.log(self.labels), self.means
        reached = np.flatnonzero(means >= score)
        if not len(reached):
            return None
        last = reached[0]
        if last == 0:
            return float(self.labels[0])
        share = (score - means[last - 1]) / (means[last] - means[last - 1])
        return float(np.exp(labels[last - 1] + share * (labels[last] - labels[last - 1])))


def label_table(
    title: str, curves: Sequence[LabelCurve], *, scratch: str, plain: str = "", baselines: Sequence[str] = ()
) -> Table:
    """Every method at every number of labels, compared with training from scratch on the same draws.

    Args:
        title: of the table.
        curves: of methods and baselines.
        scratch: name of the curve to compare with.
        plain: name of the plain fine-tuning, which the other methods are compared with in words at the fewest labels; "": none.
        baselines: names of curves that are not networks: they get a row, and no verdict.

    Returns:
        A table with `COLUMNS`. "labels saved" is how many more from scratch needs for the same mean, a class; in brackets
        where the difference is not shown. Below it, in words, for each method where it paid, where it did harm, and where
        neither is shown.

    Examples:
        >>> from tfpretune.evaluation import LabelCurve, label_table
        >>> curves = [LabelCurve("scratch", {10: [0.5, 0.6]}), LabelCurve("pre-trained", {10: [0.7, 0.8]})]
        >>> table = label_table("Digits", curves, scratch="scratch")
        >>> [row[0] for row in table.rows]
        ['scratch', 'pre-trained']
    """
    reference = next(curve for curve in curves if curve.name == scratch)
    rows: list[list[Cell]] = []
    for curve in curves:
        for labels, mean, spread in zip(curve.labels, curve.means, curve.spreads, strict=True):
            row: list[Cell] = [curve.name, round(labels), float(mean), float(spread)]
            if curve.name == scratch or curve.name in baselines:
                rows.append([*row, None, None, None])
                continue
            gain = gain_over_scratch(curve.scores[labels], reference.scores[labels])
            saved = _saved(reference, labels, mean)
            shown = saved if gain.paid or gain.harmed else f"({saved})"
            rows.append([*row, f"{gain.difference:+.3f}", gain.paired.p_text, shown])
    methods = [curve for curve in curves if curve.name != scratch and curve.name not in baselines]
    notes = [_verdict(curve, reference) for curve in methods]
    if any(str(row[-1]).startswith("(") for row in rows):
        notes.append(f"Labels saved in brackets: the difference is not shown, by a paired t-test with p below {LEVEL}.")
    notes += [_beside_plain(curve, methods) for curve in methods if curve.name == plain and len(methods) > 1]
    notes += [_beside(curve, methods) for curve in curves if curve.name in baselines]
    return Table(title, COLUMNS, rows, note="\n".join(notes))


def label_chart(curves: Sequence[LabelCurve]) -> str:
    """Draws the means with bands of one standard deviation over the logarithm of the labels.

    Examples:
        >>> from tfpretune.evaluation import LabelCurve, label_chart
        >>> chart = label_chart([LabelCurve("pre-trained", {10: [0.7, 0.8], 100: [0.9, 0.9]})])
        >>> "<svg" in chart or "data:image" in chart
        True
    """
    lines = []
    for curve in curves:
        means, spreads = curve.means, curve.spreads
        lines.append(Line(curve.name, curve.labels, means, f"{means[-1]:.3f}", means - spreads, means + spreads))
    alt = "Accuracy over the number of labels per class for " + ", ".join(curve.name for curve in curves)
    chart = line_chart(lines, name="labels", alt=alt, x=Axis("labels per class"), y=Axis("accuracy"), log_x=True)
    return f"<figure>{chart}</figure>"


def _saved(scratch: LabelCurve, labels: float, score: float) -> str:
    needed = scratch.labels_needed(score)
    if needed is None:
        return f"> {scratch.labels[-1] - labels:.0f}"
    if labels == scratch.labels[0] and needed <= labels:
        return "0" if scratch.means[0] == score else "< 0"
    return str(round(needed - labels))  # no "-0"


def _verdict(curve: LabelCurve, scratch: LabelCurve) -> str:
    found: dict[str, list[str]] = {}
    for labels in curve.labels:
        test = paired_test(curve.scores[labels], scratch.scores[labels])
        found.setdefault(test.side if test.verdict == "open" else test.verdict, []).append(f"{labels:.0f}")
    parts = []
    for name, said in _SAID.items():
        if name in found:
            where = "every number of labels" if len(found) == 1 else f"{', '.join(found[name])} labels per class"
            parts.append(f"{said} at {where}{', which shows nothing' if name in _NOT_SHOWN else ''}")
    return f"{curve.name}: pre-training {'; '.join(parts)}."


def _beside_plain(plain: LabelCurve, methods: Sequence[LabelCurve]) -> str:
    fewest = plain.labels[0]
    found = []
    for curve in methods:
        if curve is not plain:
            found.append(f"{curve.name} {paired_difference(curve.scores[fewest], plain.scores[fewest])}")
    return f"At {fewest:.0f} labels per class, against {plain.name} on the same draws: {', '.join(found)}."


def _beside(baseline: LabelCurve, methods: Sequence[LabelCurve]) -> str:
    ahead, shown = [], []
    for labels in baseline.labels:
        tests = [paired_test(baseline.scores[labels], curve.scores[labels]) for curve in methods]
        if all(test.difference > 0 for test in tests):
            ahead.append(f"{labels:.0f}")
        if all(test.verdict == "better" for test in tests):
            shown.append(f"{labels:.0f}")
    if not ahead:
        return f"{baseline.name} has nowhere a higher mean than every fine-tuning."
    proof = f"shown at {', '.join(shown)}" if shown else "shown at none of them"
    return (
        f"{baseline.name} has a higher mean than every fine-tuning at {', '.join(ahead)} labels per class, {proof} "
        f"(p below {LEVEL} against each)."
    )
