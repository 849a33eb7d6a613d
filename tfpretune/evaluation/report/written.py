"""What is kept of a report once it is written."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Required, TypedDict

from tfpretune.data.examples.examples import Examples
from tfpretune.data.splits.rule import RULE
from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.report.report import Curves, is_rehearsal
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.evaluation.verdict.out_of_fold import OutOfFold


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """A written report.

    Attributes:
        page: the path of the page; `metrics.json` lies beside it.
        metrics: name -> number.
        summary: the main figures, in words.
        task: what a preset's `task.json` and the model card say; the kind of input adds shapes.
        verdict: what the page says first, a sentence each.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.evaluation import Report
        >>> report = Report(Path("runs/a/report/index.html"), {"f1": 0.8}, "F1 0.800", {"kind": "text"})
        >>> report.closing
        'test F1 0.800'
    """

    page: Path
    metrics: Mapping[str, float]
    summary: str
    task: dict[str, Any]
    verdict: Sequence[str] = ()

    @property
    def closing(self) -> str:
        """The main line of a run: the summary, and on what; one out of fold says so itself."""
        judged = self.task.get("judged")
        return self.summary if judged and self.summary.startswith(judged) else f"test {self.summary}"


class PageFacts(TypedDict, total=False):
    """What the pages on labelled examples show besides the examples and the answers; see `write_report`."""

    out_dir: Required[str | Path]
    title: Required[str]
    curves: Curves | None
    settings: Mapping[str, Any] | None
    tables: Sequence[Table]
    notes: Sequence[str]
    more: Mapping[str, float]
    out_of_fold: OutOfFold | None


def against_simple_models(
    names: Mapping[str, str], metrics: Mapping[str, float], baselines: Sequence[Baseline]
) -> Table:
    """Returns a row for each simple model, and the model's own.

    Args:
        names: figure -> its name for people.
        metrics: of the model.
        baselines: the simple models.
    """
    found = {**{each.name: each.figures for each in baselines}, "this model": metrics}
    rows: list[list[Cell]] = [[name, *(own.get(figure) for figure in names)] for name, own in found.items()]
    note = "; ".join(f"{each.name}: {each.note}" for each in baselines if each.note)
    return Table("Against simple models" if baselines else "", ("", *names.values()), rows, note=note)


def report_of(
    page: Path,
    examples: Examples,
    words: Mapping[str, str],
    *,
    settings: Mapping[str, Any] | None = None,
    threshold: float | None = None,
    baselines: Sequence[Baseline] = (),
    verdict: Sequence[str] = (),
    out_of_fold: OutOfFold | None = None,
) -> Report:
    """Returns the report on labelled examples that was written to a page.

    Args:
        page: its path.
        examples: what the model was tried on.
        words: the main figures -> what the summary calls them; one that there is none of is left out.
        settings: what was run; those of a rehearsal say so.
        threshold: from this probability on a label was given; None where labels are no sets.
        baselines: simple models on the same examples; the summary names the last.
        verdict: what the page says first.
        out_of_fold: as the page had it.
    """
    metrics = json.loads(page.with_name("metrics.json").read_text("utf-8"))
    task = {
        "kind": examples.kind,
        "class_names": list(examples.class_names),
        "source": examples.name,
        "license": examples.license,
        "metrics": metrics,
        "split_rule": RULE,
    }
    if out_of_fold is None:
        figures = ", ".join(f"{word} {metrics[name]:.3f}" for name, word in words.items() if name in metrics)
        summary = f"{figures} on {len(examples)} {examples.kind}s"
    else:
        summary = task["judged"] = out_of_fold.summary(metrics, words, f"{examples.kind}s")
    if baselines:
        first = next((name for name in words if name in baselines[-1].figures), "")
        summary += f" ({baselines[-1].name} {baselines[-1].figures[first]:.3f})" if first else ""
        task["baselines"] = {
            each.name: {name: value for name, value in each.figures.items() if "/" not in name} for each in baselines
        }
    if is_rehearsal(settings):
        task["rehearsal"] = True
    if verdict:
        task["verdict"] = list(verdict)
    return Report(
        page, metrics, summary, task if threshold is None else task | {"threshold": threshold}, tuple(verdict)
    )
