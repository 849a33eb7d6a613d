"""Questions, contexts and the answers that stand in them. Imports no TensorFlow."""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from tfpretune.data.readers.question_rows import Answer
from tfpretune.data.splits.rule import Origin, Splittable, in_bytes
from tfpretune.data.splits.sides import Places, find_places
from tfpretune.data.text.cleaning import text_key


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class QuestionExamples(Splittable):
    """Questions about contexts.

    Args:
        questions: one an example.
        contexts: one an example, exactly as the answers' offsets count.
        answers: of each example those that count as right, the first for training; () where the context has none.
        where: the place of each example, for messages.
        name: the source.
        licence: what is known of the terms of use.
        groups: optional keys; examples with the same key, such as an article, stay on one side of a split. Without them
            examples with the same context do.
        in_order: the parts are cut in the order of the source.
        origin: the whole source that these were taken from, which decides how they are split; None: this is it.

    Examples:
        >>> from tfpretune.data import QuestionExamples
        >>> from tfpretune.data.readers.question_rows import Answer
        >>> questions, contexts = ["Where is she?", "Where is he?"], ["She is in Paris.", "She is away."]
        >>> answers = [(Answer("Paris", start=10),), ()]
        >>> examples = QuestionExamples(questions, contexts, answers, ["mine:1", "mine:2"], "mine")
        >>> examples, examples.answer_texts
        (<QuestionExamples of mine: 2 questions, 1 with an answer>, [['Paris'], []])
    """

    questions: Sequence[str]
    contexts: Sequence[str]
    answers: Sequence[tuple[Answer, ...]]
    where: Sequence[str]
    name: str
    licence: str = ""
    groups: Sequence[str] | None = None
    in_order: bool = False
    origin: Origin | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        columns = {"contexts": self.contexts, "answers": self.answers, "where": self.where, "groups": self.groups}
        for field, column in columns.items():
            if column is not None and len(column) != len(self.questions):
                raise ValueError(f"{field} needs {len(self.questions)} values, received {len(column)}")

    def __repr__(self) -> str:
        answered = sum(map(bool, self.answers))
        return f"<QuestionExamples of {self.name}: {len(self):,} questions, {answered:,} with an answer>"

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def answer_texts(self) -> list[list[str]]:
        """The right answers of each example, as `evaluation.metrics.spans.span_metrics` takes them."""
        return [[answer.text for answer in answers] for answers in self.answers]

    def take(self, indices: Sequence[int] | np.ndarray) -> "QuestionExamples":
        """Returns the examples at these positions, in this order."""
        rows = [int(row) for row in indices]
        return dataclasses.replace(
            self,
            questions=[self.questions[row] for row in rows],
            contexts=[self.contexts[row] for row in rows],
            answers=[self.answers[row] for row in rows],
            where=[self.where[row] for row in rows],
            groups=None if self.groups is None else [self.groups[row] for row in rows],
            origin=self._origin_of(np.asarray(rows, np.int64)),
        )

    def without_duplicates(self) -> "QuestionExamples":
        """Returns the first of the examples with the same question and the same context."""
        first: dict[bytes, int] = {}
        for row, key in enumerate(self._keys):
            first.setdefault(key, row)
        return self.take(list(first.values()))

    def _places(self) -> Places:
        def contents() -> list[bytes]:
            return [text_key(context) for context in self.contexts]

        return find_places(contents, texts=self.contexts, groups=self.groups, in_order=self.in_order)

    def _contents_and_labels(self) -> tuple[Iterable[bytes], Iterable[bytes] | None]:
        contents = itertools.starmap(in_bytes, zip(self.questions, self.contexts, strict=True))
        answers = (repr([(answer.text, answer.start) for answer in found]).encode() for found in self.answers)
        return contents, answers

    @functools.cached_property
    def _keys(self) -> list[bytes]:
        pairs = zip(self.questions, self.contexts, strict=True)
        return [text_key(question) + text_key(context) for question, context in pairs]
