"""What is kept of a report once it is written."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Required, TypedDict

from tfpretune.data.examples.examples import Examples
from tfpretune.data.splits.rule import RULE
from tfpretune.evaluation.report.report import Curves
from tfpretune.evaluation.report.tables import Table


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """A written report.

    Attributes:
        page: the path of the page; `metrics.json` lies beside it.
        metrics: name -> number.
        summary: the main figures, in words.
        task: what a preset's `task.json` and the model card say; the kind of input adds shapes.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.evaluation import Report
        >>> report = Report(Path("runs/a/report/index.html"), {"f1": 0.8}, "F1 0.800", {"kind": "text"})
        >>> f"test {report.summary}"
        'test F1 0.800'
    """

    page: Path
    metrics: Mapping[str, float]
    summary: str
    task: dict[str, Any]


class PageFacts(TypedDict, total=False):
    """What the pages on labelled examples show besides the examples and the answers; see `write_report`."""

    out_dir: Required[str | Path]
    title: Required[str]
    curves: Curves | None
    settings: Mapping[str, Any] | None
    tables: Sequence[Table]


def report_of(page: Path, examples: Examples, words: Mapping[str, str], *, threshold: float | None = None) -> Report:
    """Returns the report on labelled examples that was written to a page.

    Args:
        page: its path.
        examples: what the model was tried on.
        words: the main figures -> what the summary calls them; one that there is none of is left out.
        threshold: from this probability on a label was given; None where labels are no sets.
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
    figures = ", ".join(f"{word} {metrics[name]:.3f}" for name, word in words.items() if name in metrics)
    summary = f"{figures} on {len(examples)} {examples.kind}s"
    return Report(page, metrics, summary, task if threshold is None else task | {"threshold": threshold})
