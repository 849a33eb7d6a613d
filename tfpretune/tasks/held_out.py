"""What models said of examples that they were not trained on, in the folds of few labels; figures and a table of it."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.data.splits.folds import Folds
from tfpretune.errors import UsageError
from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.baselines.labels import Predict
from tfpretune.evaluation.metrics.out_of_fold import Interval
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.evaluation.report.written import PageFacts, Report
from tfpretune.evaluation.verdict.out_of_fold import OutOfFold
from tfpretune.training import FitResult

LEARNT_FROM_ALL = "learnt_from_all"
"""In `task.json`: no example of the source but those of its own test split was held out from the model."""


class Judged(Protocol):
    """What a kind of labels is judged by, in folds.

    Attributes:
        shown: the figures that have an interval -> what they are called.
    """

    shown: ClassVar[Mapping[str, str]]

    @staticmethod
    @abc.abstractmethod
    def simple(train: Examples) -> tuple[str, Predict]:
        """Fits a simple model; returns its name, and a function from examples to outputs as the model's."""

    @staticmethod
    @abc.abstractmethod
    def figures(examples: Examples, outputs: np.ndarray) -> dict[str, float]:
        """Returns all figures of outputs `(n, …)` on examples; nothing is chosen by them."""

    @staticmethod
    def given(outputs: np.ndarray) -> np.ndarray:
        """Returns outputs as a `Baseline` has them: probabilities of classes as they are."""
        return outputs

    @staticmethod
    @abc.abstractmethod
    def intervals(examples: Examples, outputs: np.ndarray, groups: np.ndarray) -> dict[str, Interval]:
        """Returns intervals of `shown`; see `tfpretune.evaluation.metrics.out_of_fold`.

        Args:
            examples: n.
            outputs: `(repeats, n, …)`.
            groups: int `(n,)` from 0 on; examples of a group count as one.
        """


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """Out-of-fold predictions of a run's examples.

    Args:
        train: n examples.
        folds: how they were dealt out.
        outputs: what the models said, float32 `(repeats, n, …)`.
        simple: the same of a simple model on the same folds.
        simple_name: what that is.
    """

    train: Examples
    folds: Folds
    outputs: np.ndarray
    simple: np.ndarray
    simple_name: str

    @property
    def pooled(self) -> Examples:
        """The examples, once for each repeat."""
        return self.train.take(np.tile(np.arange(len(self.train)), self.folds.repeats))

    @property
    def answers(self) -> np.ndarray:
        """What the models said of the pooled examples, `(repeats * n, …)`."""
        return _joined(self.outputs)

    def baseline(self, judged: type[Judged]) -> Baseline:
        """Returns what the simple model says of the pooled examples."""
        said = _joined(self.simple)
        return Baseline("linear", self.simple_name, judged.given(said), judged.figures(self.pooled, said))

    def facts(self, judged: type[Judged]) -> OutOfFold:
        """Returns what a page on the pooled examples has to know."""
        intervals = judged.intervals(self.train, self.outputs, self.folds.groups)
        return OutOfFold(self.folds.count, self.folds.repeats, intervals)

    def page(self, page: PageFacts, judged: type[Judged]) -> PageFacts:
        """Returns what the page of a run shows where it has no test set."""
        facts = self.facts(judged)
        note = facts.note(f"{self.train.kind}s", len(self.train))
        title = f"{self.train.name}: out of fold"
        return {**page, "title": title, "out_of_fold": facts, "notes": [note, *page.get("notes", ())]}

    def table(self, judged: type[Judged]) -> Table:
        """Returns the figures with their intervals, the simple model's on the same folds above those of the model."""
        rows = []
        for name, outputs in ((self.simple_name, self.simple), ("this model", self.outputs)):
            figures = judged.figures(self.pooled, _joined(outputs))
            facts = OutOfFold(
                self.folds.count, self.folds.repeats, judged.intervals(self.train, outputs, self.folds.groups)
            )
            cells: list[Cell] = [name]
            for figure in judged.shown:
                cells += [figures.get(figure), facts.interval(figure) or None]
            rows.append(cells)
        columns = ("", *(title for word in judged.shown.values() for title in (word, "95 %")))
        what = f"{len(self.train):,} {self.train.kind}s"
        note = f"{self.folds.said} of {what}, the same for both; intervals are over the examples."
        return Table("Out of fold", columns, rows, note=note)

    def say(self, report: Report, judged: type[Judged]) -> Report:
        """Returns a report that says the figures out of fold, in its summary and to the model card."""
        said = report.task.get("judged")
        if said is None:
            figures = judged.figures(self.pooled, self.answers) | {"examples": float(len(self.train))}
            said = self.facts(judged).summary(figures, judged.shown, f"{self.train.kind}s")
            report = dataclasses.replace(report, summary=f"{report.summary}; {said}")
        return dataclasses.replace(report, task=report.task | {"judged": said, LEARNT_FROM_ALL: True})

    def numbers(self, judged: type[Judged]) -> dict[str, float]:
        """Returns figures and bounds of both models for `metrics.json`, as `out_of_fold_NAME` and `out_of_fold_linear_NAME`."""
        found: dict[str, float] = {"folds": float(self.folds.count), "fold_repeats": float(self.folds.repeats)}
        for prefix, outputs in (("out_of_fold_linear_", self.simple), ("out_of_fold_", self.outputs)):
            figures = judged.figures(self.pooled, _joined(outputs))
            intervals = judged.intervals(self.train, outputs, self.folds.groups)
            bounds = OutOfFold(self.folds.count, self.folds.repeats, intervals).bounds()
            values = {name: figures[name] for name in judged.shown if name in figures} | bounds
            found |= {f"{prefix}{name}": value for name, value in values.items()}
        return found


def choice_notes(parts: LabelledSplits, run: Any, result: FitResult) -> list[str]:
    """Says which labels chose the weights that are kept, where these are few; the settings have `labels_per_class`."""
    if not len(parts.validation):
        why = "no other labels than those learnt from chose them"
        return [f"The weights are those of the last step, {result.steps:,}: {why}."]
    if run.labels_per_class:
        more = len(parts.validation)
        return [f"{more:,} validation labels chose the weights, beside the {run.labels_per_class} per class."]
    return []


def require_held_out(run_dir: str, task: Mapping[str, Any], examples: Examples, split: str) -> None:
    """Raises UsageError where a model was judged in folds and learnt from all examples that it would be judged by.

    Args:
        run_dir: of the model.
        task: the content of its `task.json`.
        examples: all of a source.
        split: the one that it is to be judged by.

    Examples:
        >>> from tfpretune.data import open_source
        >>> from tfpretune.tasks import require_held_out
        >>> task = {"source": "demo:digits", "learnt_from_all": True, "judged": "accuracy 0.83 [0.71, 0.92], out of fold"}
        >>> require_held_out("runs/a", task, open_source("demo:digits"), "test")
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: runs/a learnt from all of demo:digits and was judged in folds (accuracy 0.83 ...
    """
    own_test = split == "test" and ("test" in (examples.splits or ()) or task.get("test_source"))
    if task.get(LEARNT_FROM_ALL) and examples.name == task["source"] and not own_test:
        raise UsageError(
            f"{run_dir} learnt from all of {examples.name} and was judged in folds ({task['judged']}): "
            "give other labelled examples as --source"
        )


def _joined(outputs: np.ndarray) -> np.ndarray:
    return outputs.reshape(-1, *outputs.shape[2:])
