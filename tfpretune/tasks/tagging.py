"""Tagging: a tag for each word, of entities (BIO) or of any other kind."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.batches.tagged import TagInputs
from tfpretune.data.examples.tagged import TaggedExamples, is_bio
from tfpretune.data.readers.tag_form import TagForm
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.evaluation.metrics.entities import dictionary_tags, entity_metrics
from tfpretune.evaluation.metrics.word_tags import frequent_tags, word_metrics
from tfpretune.evaluation.predict import predictor
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.evaluation.report.tags import tagged_sentences
from tfpretune.evaluation.report.written import Report
from tfpretune.settings.finetune import TaskConfig
from tfpretune.tasks.base import Measure, Parts, Task, curves_verdict, loss_curves, run_facts
from tfpretune.tasks.splits import split_form, test_part
from tfpretune.training import FitResult

TagLists = Sequence[Sequence[str]]


def tag_form(run: Any) -> TagForm:
    """Returns how the source of a run is read: as its options say that are fields of `TagForm`."""
    names = [field.name for field in dataclasses.fields(TagForm) if hasattr(run, field.name)]
    return TagForm(**{name: getattr(run, name) for name in names})


@dataclasses.dataclass(frozen=True)
class Judge:
    """How tags of a kind are judged.

    Attributes:
        of: what is counted.
        title: of the table.
        metrics: `(truth, predicted) -> figures`.
        baseline: `(train, test) -> tags` without training.
        figures: shown in the report.
        best: the one of them that picks the checkpoint.
        watched_as: its name on the validation set.
        words: its name for people.
    """

    of: str
    title: str
    metrics: Callable[[TagLists, TagLists], dict[str, float]]
    baseline: Callable[[TaggedExamples, TaggedExamples], TagLists]
    figures: tuple[str, ...]
    best: str
    watched_as: str
    words: str


ENTITIES = Judge(
    of="entities",
    title="Whole entities",
    metrics=entity_metrics,
    baseline=dictionary_tags,
    figures=("precision", "recall", "f1", "word_accuracy"),
    best="f1",
    watched_as="entity_f1",
    words="F1 of entities",
)
WORDS = Judge(
    of="words",
    title="Words",
    metrics=word_metrics,
    baseline=frequent_tags,
    figures=("word_accuracy", "f1_macro"),
    best="word_accuracy",
    watched_as="word_accuracy",
    words="accuracy of words",
)


@dataclasses.dataclass(frozen=True, eq=False)
class TaggingTask(Task):
    """Tags of entities are judged by the F1 of whole entities, others by the fraction of right words.

    Args:
        parts: sentences with tags.
        rows: the same, as the model reads them.
        batch_size: rows at once.
    """

    parts: Parts[TaggedExamples]
    rows: Parts[TagInputs]
    batch_size: int

    @property
    def data(self) -> TaggedExamples:
        """The training sentences."""
        return self.parts.train

    @property
    def class_names(self) -> tuple[str, ...]:
        """The tags."""
        return self.parts.train.tag_names

    @property
    def watched(self) -> tf.data.Dataset:
        """The validation batches, in order."""
        return self.rows.validation.batches(self.batch_size).in_order()

    @property
    def judge(self) -> Judge:
        """What these tags are judged by."""
        return ENTITIES if is_bio(self.class_names) else WORDS

    @property
    def monitor(self) -> tuple[str, str]:
        """The figure of whole entities, or of words."""
        return self.judge.watched_as, "max"

    def measure(self, model: keras.Model) -> Measure:
        """The figure to judge by."""
        judge, tags = self.judge, self._tags_of(model)
        truth = self.parts.validation.tag_lists()
        return lambda: {
            judge.watched_as: judge.metrics(truth, tags(self.parts.validation, self.rows.validation))[judge.best]
        }

    def report(self, model: keras.Model, run: TaskConfig, result: FitResult) -> Report:
        """Writes the report on the test set, beside a dictionary of the training set's."""
        judge, (train, _, test) = self.judge, self.parts
        found = self._tags_of(model)(test, self.rows.test)
        metrics = judge.metrics(test.tag_lists(), found)
        simple = judge.metrics(test.tag_lists(), judge.baseline(train, test))
        rows: list[list[Cell]] = [
            [name, *(found_by[each] for each in judge.figures)]
            for name, found_by in (("dictionary", simple), ("tagger", metrics))
        ]
        verdict = curves_verdict(result, run, kept=result.best_step)
        page = write_report(
            run.out_dir,
            title=f"{run.source}: {judge.of} of the test set",
            metrics=metrics,
            curves=loss_curves(result),
            tables=[Table(judge.title, ("", *judge.figures), rows)],
            settings=dataclasses.asdict(run) | {"license": train.license},
            data=train.near_copies(),
            numbers={f"baseline_dictionary_{each}": simple[each] for each in judge.figures},
            notes=verdict,
            sections=[
                tagged_sentences(
                    test.words,
                    test.tag_lists(),
                    found,
                    where=test.where,
                    entities=judge is ENTITIES,
                    joiner=test.joiner,
                )
            ],
        )
        facts: dict[str, Any] = {"kind": "text", "class_names": list(train.tag_names), "source": run.source}
        facts |= split_form(run).as_task()
        return Report(
            page,
            metrics,
            f"{judge.words} {metrics[judge.best]:.3f} (dictionary {simple[judge.best]:.3f})",
            facts | {"license": train.license, "metrics": metrics} | run_facts(run, verdict),
            verdict,
        )

    @staticmethod
    def raw_inputs(source: str, task: Mapping[str, Any], count: int) -> list[str]:
        """Sentences as running text."""
        form = dataclasses.replace(TagForm.from_task(task), repair=True)
        open_ = functools.partial(open_tagged, **dataclasses.asdict(form))
        return test_part(source, task, open_).sample(count).texts()

    def _tags_of(self, model: keras.Model) -> Callable[[TaggedExamples, TagInputs], list[list[str]]]:
        """Returns a function of sentences and their rows, with the weights that the model has when it is called."""
        predict = predictor(model)

        def tags(examples: TaggedExamples, rows: TagInputs) -> list[list[str]]:
            return examples.names_of(rows.words_of(predict(rows.batches(self.batch_size).in_order()).argmax(axis=-1)))

        return tags
