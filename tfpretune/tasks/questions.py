"""Question answering: the answer to a question, found in a text."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.batches.questions import QuestionInputs
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.sources.questions import open_questions
from tfpretune.evaluation.metrics.spans import span_metrics
from tfpretune.evaluation.predict import predictor
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.written import Report
from tfpretune.settings.finetune import TaskConfig
from tfpretune.tasks.base import Measure, Parts, Task, curves_verdict, loss_curves, run_facts
from tfpretune.training import FitResult


@dataclasses.dataclass(frozen=True, eq=False)
class QuestionAnsweringTask(Task):
    """Judged by the F1 of the answers.

    Args:
        parts: questions with contexts and answers.
        rows: the same, as the model reads them.
        batch_size: rows at once.
        may_lack: the model may answer "".
        per_character: Chinese answers are compared character by character.
        encoding: of the files of the source.
    """

    parts: Parts[QuestionExamples]
    rows: Parts[QuestionInputs]
    batch_size: int
    may_lack: bool = False
    per_character: bool = True
    encoding: str = ""

    @property
    def data(self) -> QuestionExamples:
        """The training questions."""
        return self.parts.train

    @property
    def watched(self) -> tf.data.Dataset:
        """The validation batches, in order."""
        return self.rows.validation.batches(self.batch_size).in_order()

    @property
    def monitor(self) -> tuple[str, str]:
        """The F1 of the answers."""
        return "answer_f1", "max"

    def measure(self, model: keras.Model) -> Measure:
        """The F1 of the answers."""
        figures = self._figures_of(model)
        return lambda: {"answer_f1": figures(self.parts.validation, self.rows.validation)["f1"]}

    def report(self, model: keras.Model, run: TaskConfig, result: FitResult) -> Report:
        """Writes the report on the test set."""
        train, lost = self.parts.train, self.rows.train.lost
        metrics = self._figures_of(model)(self.parts.test, self.rows.test)
        verdict = curves_verdict(result, run, kept=result.best_step)
        page = write_report(
            run.out_dir,
            title=f"{run.source}: answers of the test set",
            metrics=metrics,
            curves=loss_curves(result),
            settings=dataclasses.asdict(run) | {"license": train.license},
            data=train.near_copies(),
            notes=[*verdict, *([f"{len(lost)} training questions have answers that fit in no row"] if lost else [])],
        )
        facts = {"kind": "text", "source": run.source, "license": train.license, "metrics": metrics}
        return Report(
            page,
            metrics,
            f"exact match {metrics['exact_match']:.3f}, F1 {metrics['f1']:.3f}",
            facts | run_facts(run, verdict) | ({"encoding": self.encoding} if self.encoding else {}),
            verdict,
        )

    @staticmethod
    def raw_inputs(source: str, task: Mapping[str, Any], count: int) -> list[tuple[str, str]]:
        """Questions, each with its context."""
        found = open_questions(source, encoding=task.get("encoding", "")).split("test").sample(count)
        return list(zip(found.questions, found.contexts, strict=True))

    def _figures_of(self, model: keras.Model) -> Callable[[QuestionExamples, QuestionInputs], dict[str, float]]:
        """Returns a function of questions and their rows, with the weights that the model has when it is called."""
        predict = predictor(model)

        def figures(examples: QuestionExamples, rows: QuestionInputs) -> dict[str, float]:
            outputs = predict(rows.batches(self.batch_size).in_order())
            answers = rows.answers_of(outputs, examples.contexts, may_lack=self.may_lack)
            return span_metrics(examples.answer_texts, answers, per_character=self.per_character)

        return figures
