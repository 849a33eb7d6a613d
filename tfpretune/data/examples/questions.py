"""Questions, contexts and the answers that stand in them. Imports no TensorFlow."""

import dataclasses
import itertools
from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

from tfpretune.data.examples.base import ExampleSet, Origin, in_bytes
from tfpretune.data.readers.question_records import Answer
from tfpretune.data.text.cleaning import text_key


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class QuestionExamples(ExampleSet):
    """Questions about contexts. Those with the same question and the same context are the same.

    Args:
        questions: one per example.
        contexts: one per example, exactly as the answers' offsets count.
        answers: of each example those that count as right, the first for training; () where the context has none.
        where: the place of each example, for messages; () counts them: "NAME:1", ….
        name: the source.
        license: what is known of the terms of use.
        groups: optional keys; examples with the same key, such as an article, stay on one side of a split. Without them
            examples with the same context do.
        in_order: the parts are cut in the order of the source.
        origin: the whole source that these were taken from, which decides how they are split; None: this is it.

    Examples:
        >>> from tfpretune.data import QuestionExamples
        >>> from tfpretune.data.readers.question_records import Answer
        >>> questions, contexts = ["Where is she?", "Where is he?"], ["She is in Paris.", "She is away."]
        >>> answers = [(Answer("Paris", start=10),), ()]
        >>> examples = QuestionExamples(questions, contexts, answers, ["mine:1", "mine:2"], "mine")
        >>> examples, examples.answer_texts
        (<QuestionExamples of mine: 2 questions, 1 with an answer>, [['Paris'], []])
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("questions", "contexts", "answers", "where", "groups")

    questions: Sequence[str]
    contexts: Sequence[str]
    answers: Sequence[tuple[Answer, ...]]
    where: Sequence[str] = ()
    name: str = "examples"
    license: str = ""
    groups: Sequence[str] | None = None
    in_order: bool = False
    origin: Origin | None = dataclasses.field(default=None, repr=False)

    def __repr__(self) -> str:
        answered = sum(map(bool, self.answers))
        return f"<QuestionExamples of {self.name}: {len(self):,} questions, {answered:,} with an answer>"

    @property
    def answer_texts(self) -> list[list[str]]:
        """The right answers of each example, as `evaluation.metrics.spans.span_metrics` takes them."""
        return [[answer.text for answer in answers] for answers in self.answers]

    def _sameness(self) -> Iterable[Hashable]:
        pairs = zip(self.questions, self.contexts, strict=True)
        return [text_key(question) + text_key(context) for question, context in pairs]

    def digests(self) -> list[bytes]:
        """Returns a digest of each context."""
        return [text_key(context) for context in self.contexts]

    def compared_texts(self) -> Sequence[str]:
        """Returns the contexts."""
        return self.contexts

    def _contents_and_labels(self) -> tuple[Iterable[bytes], Iterable[bytes] | None]:
        contents = itertools.starmap(in_bytes, zip(self.questions, self.contexts, strict=True))
        answers = (repr([(answer.text, answer.start) for answer in found]).encode() for found in self.answers)
        return contents, answers
