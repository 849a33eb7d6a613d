"""Several tasks on one backbone: each a classification of the texts that have a label for it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.batches.examples import text_batches
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.evaluation.baselines.baseline import flat_figures
from tfpretune.evaluation.baselines.classes import class_baselines
from tfpretune.evaluation.metrics.classification import classification_metrics
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.evaluation.report.written import Report
from tfpretune.settings.finetune import TaskConfig
from tfpretune.tasks.base import Task, curves_verdict, loss_curves, run_facts
from tfpretune.tasks.labels import raw_examples
from tfpretune.tasks.splits import split_form
from tfpretune.tasks.task_sources import TaskSources
from tfpretune.training import FitResult
from tfpretune.training.loop.fingerprint import Data

FIGURES = ("accuracy", "f1_macro")


@dataclasses.dataclass(frozen=True, eq=False)
class SeveralTasks(Task):
    """Judged by the loss of all tasks; each is reported by itself.

    Args:
        sources: what the tasks learn from.
        batch_size: texts at once.
        tokenizer: of the backbone.
        sequence_length: tokens of a text that are read.
        seed: decides the order.
    """

    sources: TaskSources
    batch_size: int
    tokenizer: Tokenizer
    sequence_length: int
    seed: int = 0

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Task -> its classes."""
        return {task: self.sources.class_names(task) for task in self.sources.places}

    @property
    def data(self) -> Mapping[str, Data]:
        """The training texts of each source."""
        return {f"source {number}": parts.train for number, parts in enumerate(self.sources.parts.values(), 1)}

    @property
    def watched(self) -> tf.data.Dataset:
        """The validation batches, in order."""
        return self.sources.batches("validation", self.batch_size, **self._rows).in_order()

    @property
    def monitor(self) -> tuple[str, str]:
        """The loss."""
        return "loss", "min"

    def identity(self, model: keras.Model) -> dict[str, Any]:
        """The tasks and their classes."""
        del model
        return {"tasks": {task: [*names] for task, names in self.names.items()}}

    def report(self, model: keras.Model, run: TaskConfig, result: FitResult) -> Report:
        """Writes the report on the test set of each task."""
        sources, names = self.sources, self.names
        found = self._metrics(model)
        simple = {
            task: class_baselines(*(sources.examples(task, part) for part in ("train", "test"))) for task in found
        }
        lines: list[list[Cell]] = []
        for task, own in found.items():
            lines.append([task, *(own[figure] for figure in FIGURES)])
            lines += [[f"{task}: {each.name}", *(each.figures[figure] for figure in FIGURES)] for each in simple[task]]
        verdict = curves_verdict(result, run, kept=result.best_step)
        metrics = {f"{task}/{figure}": value for task, own in found.items() for figure, value in own.items()}
        page = write_report(
            run.out_dir,
            title=f"{', '.join(sources.parts)}: {', '.join(names)} on the test set",
            metrics={name: value for name, value in metrics.items() if name.split("/", 1)[1] in FIGURES},
            curves=loss_curves(result),
            tables=[Table("Tasks", ("", *FIGURES), lines)],
            settings=dataclasses.asdict(run) | {"license": sources.license},
            data=sources.near_copies(),
            numbers={
                f"{task}/{name}": value
                for task, each in simple.items()
                for name, value in flat_figures(each, FIGURES).items()
            },
            notes=verdict,
        )
        facts: dict[str, Any] = {"kind": "text", "source": next(iter(sources.parts)), "license": sources.license}
        facts |= dataclasses.replace(next(iter(sources.parts.values())).form, label_column="label").as_task()
        facts |= split_form(run).as_task()
        return Report(
            page,
            metrics,
            ", ".join(
                f"{task} accuracy {own['accuracy']:.3f} ({simple[task][-1].name} {simple[task][-1].figures['accuracy']:.3f})"
                for task, own in found.items()
            ),
            facts
            | {"metrics": metrics, "class_names": {task: [*each] for task, each in names.items()}}
            | run_facts(run, verdict),
            verdict,
        )

    @staticmethod
    def raw_inputs(source: str, task: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Texts of the first source."""
        return raw_examples(source, task, count)

    @property
    def _rows(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer, "sequence_length": self.sequence_length, "seed": self.seed}

    def _metrics(self, model: keras.Model) -> dict[str, dict[str, float]]:
        """Returns the figures of each task on the test texts that have a label for it."""
        sources = self.sources
        rows = {name: text_batches(parts.test, self.batch_size, **self._rows) for name, parts in sources.parts.items()}
        answers = {name: predict_outputs(model, batches.in_order()) for name, batches in rows.items()}
        return {
            task: classification_metrics(
                sources.examples(task, "test").labels,
                answers[source][task][sources.known(task, "test")],
                self.names[task],
            )
            for task, (source, _) in sources.places.items()
        }
