"""Question answering: the answer to a question, found in a text."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.batches.questions import QuestionInputs
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.readers.question_records import Answer
from tfpretune.data.sources.questions import open_questions
from tfpretune.evaluation.metrics.spans import answer_f1, span_metrics
from tfpretune.evaluation.predict import predictor
from tfpretune.evaluation.report.questions import Asked, asked_questions
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.written import Report
from tfpretune.settings.finetune import TaskConfig
from tfpretune.tasks.base import Measure, Parts, Task, curves_verdict, loss_curves, run_facts
from tfpretune.tasks.splits import split_form, test_part
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
        answers, truth = self._answers_of(model), self.parts.validation.answer_texts

        def figures() -> dict[str, float]:
            found = answers(self.parts.validation, self.rows.validation)
            return {"answer_f1": span_metrics(truth, found, per_character=self.per_character)["f1"]}

        return figures

    def report(self, model: keras.Model, run: TaskConfig, result: FitResult) -> Report:
        """Writes the report on the test set."""
        train, lost = self.parts.train, self.rows.train.lost
        test = self.parts.test
        found = self._answers_of(model)(test, self.rows.test)
        metrics = span_metrics(test.answer_texts, found, per_character=self.per_character)
        verdict = curves_verdict(result, run, kept=result.best_step)
        page = write_report(
            run.out_dir,
            title=f"{run.source}: answers of the test set",
            metrics=metrics,
            curves=loss_curves(result),
            settings=dataclasses.asdict(run) | {"license": train.license},
            data=train.near_copies(),
            sections=[asked_questions(self._asked(test, found))],
            notes=[*verdict, *([f"{len(lost)} training questions have answers that fit in no row"] if lost else [])],
        )
        facts = {"kind": "text", "source": run.source, "license": train.license, "metrics": metrics}
        return Report(
            page,
            metrics,
            f"exact match {metrics['exact_match']:.3f}, F1 {metrics['f1']:.3f}",
            facts
            | split_form(run).as_task()
            | run_facts(run, verdict)
            | ({"encoding": self.encoding} if self.encoding else {}),
            verdict,
        )

    @staticmethod
    def raw_inputs(source: str, task: Mapping[str, Any], count: int) -> list[tuple[str, str]]:
        """Questions, each with its context."""
        open_ = functools.partial(open_questions, encoding=task.get("encoding", ""))
        found = test_part(source, task, open_).sample(count)
        return list(zip(found.questions, found.contexts, strict=True))

    def _asked(self, examples: QuestionExamples, found: Sequence[str]) -> list[Asked]:
        """Returns the questions as the page shows them, each with the right answer that is nearest to what was found."""
        asked = []
        for row, answer in enumerate(found):
            rights = examples.answers[row] or (Answer("", 0),)
            scores = [answer_f1(answer, each.text, per_character=self.per_character) for each in rights]
            best = max(range(len(rights)), key=scores.__getitem__)
            right, score = rights[best], scores[best]
            asked.append(
                Asked(
                    examples.questions[row],
                    examples.contexts[row],
                    right.text,
                    right.start,
                    answer,
                    score,
                    examples.where[row],
                )
            )
        return asked

    def _answers_of(self, model: keras.Model) -> Callable[[QuestionExamples, QuestionInputs], list[str]]:
        """Returns a function of questions and their rows, with the weights that the model has when it is called."""
        predict = predictor(model)

        def answers(examples: QuestionExamples, rows: QuestionInputs) -> list[str]:
            outputs = predict(rows.batches(self.batch_size).in_order())
            return rows.answers_of(outputs, examples.contexts, may_lack=self.may_lack)

        return answers
