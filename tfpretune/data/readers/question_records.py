"""Questions as they are read, with their problems. Imports no TensorFlow."""

import dataclasses
from collections.abc import Sequence

from tfpretune.data.readers.records import Problem


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer as it stands in the context.

    Args:
        text: the answer.
        start: number of its first character in the context (Unicode code points, from 0).
    """

    text: str
    start: int

    @property
    def end(self) -> int:
        """The number of the character behind the last."""
        return self.start + len(self.text)


@dataclasses.dataclass
class QuestionRecords:
    """All that a reader found, good and bad, in the order of the source; fields as in `QuestionExamples`.

    `with_answers` says whether answers are read, and asked for.
    """

    questions: list[str] = dataclasses.field(default_factory=list)
    contexts: list[str] = dataclasses.field(default_factory=list)
    answers: list[tuple[Answer, ...]] = dataclasses.field(default_factory=list)
    where: list[str] = dataclasses.field(default_factory=list)
    groups: list[str] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    license: str = ""
    in_order: bool = False
    with_answers: bool = True

    def add(self, question: str, context: str, answers: Sequence[Answer], where: str) -> None:
        """Adds an example, or notes what is wrong with it."""
        if not question.strip() or not context.strip():
            which = "context" if question.strip() else "question"
            self.problems.append(Problem(where, f"the {which} is empty", "fill it in or remove the example"))
            return
        for answer in answers:
            found = context[answer.start : answer.end] if answer.start >= 0 else ""
            if found != answer.text or not answer.text.strip():
                what = f"the answer {answer.text[:40]!r} does not stand at character {answer.start}, where {found[:40]!r} is"
                at = context.find(answer.text) if answer.text.strip() else -1
                todo = "correct answer_start: characters (Unicode code points) count from 0"
                todo += f", and it stands at {at}" if at >= 0 else ", and the context does not hold it"
                self.problems.append(Problem(where, what, todo))
                return
        self.questions.append(question)
        self.contexts.append(context)
        self.answers.append(tuple(answers))
        self.where.append(where)
