"""Questions -> rows with the places of the answers, and what a model says of the rows -> answers."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import CHUNK, STRINGS
from tfpretune.data.text.windows import NOWHERE, best_answers, question_windows, sequence_answers


@dataclasses.dataclass(frozen=True, eq=False)
class QuestionInputs:
    """Questions and contexts as rows.

    Args:
        columns: int32 `token_ids`, `padding_mask`, `segment_ids` `(rows, length)`, and `starts` and `ends` `(rows,)`: the
            first and the last token of the answer, both the context's [SEP] where a row has none.
        example_of: int32 `(rows,)`.
        start_characters: int32 `(rows, length)`: where the word of each context token starts, else -1.
        end_characters: int32 `(rows, length)`: the character behind it.
        lost: examples whose answer no row holds whole: it is longer than a row, or only white space.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import QuestionInputs
        >>> starts, ends = np.array([[-1, -1, -1, 0, 4, -1]]), np.array([[-1, -1, -1, 3, 8, -1]])  # of "bad" and "good"
        >>> columns = {"padding_mask": np.ones((1, 6), "int32")}  # [CLS] which [SEP] bad good [SEP]
        >>> rows = QuestionInputs(columns, np.array([0]), starts.astype("int32"), ends.astype("int32"), lost=())
        >>> scores = np.zeros((1, 6, 2), "float32")
        >>> scores[0, 4] = 5.0
        >>> rows.answers_of(scores, ["bad good"])
        ['good']
    """

    columns: dict[str, np.ndarray]
    example_of: np.ndarray
    start_characters: np.ndarray
    end_characters: np.ndarray
    lost: tuple[int, ...]

    def batches(self, batch_size: int, *, seed: int = 0) -> StepIndexed:
        """Serves the rows."""
        return StepIndexed(self.columns, batch_size, seed=seed)

    def answers_of(
        self,
        outputs: np.ndarray,
        contexts: Sequence[str],
        *,
        most_tokens: int = 30,
        may_lack: bool = False,
        threshold: float = 0.0,
    ) -> list[str]:
        """Turns scores into answers.

        Args:
            outputs: float32 `(rows, length, 2)`, all rows in order.
            contexts: of the examples.
            most_tokens: longest answer.
            may_lack: answer "" where "no answer" scores higher.
            threshold: by how much it must.

        Returns:
            A text for each example, cut out of its context.
        """
        parts = []
        for start in range(0, len(outputs), 64):
            rows = slice(start, start + 64)
            starts, ends = self.start_characters[rows], self.end_characters[rows]
            parts.append(
                sequence_answers(
                    outputs[rows], self.columns["padding_mask"][rows], starts, ends, most_tokens=most_tokens
                )
            )
        whole = type(parts[0])(*(tf.concat(columns, 0) for columns in zip(*parts, strict=True)))
        best = [column.numpy() for column in best_answers(whole, tf.constant(self.example_of), len(contexts))]
        return [
            "" if score <= NOWHERE or (may_lack and none - score > threshold) else context[start:end]
            for context, start, end, score, none in zip(contexts, *best, strict=True)
        ]


def question_inputs(
    examples: QuestionExamples, *, tokenizer: Tokenizer, sequence_length: int, stride: int = 0
) -> QuestionInputs:
    """Turns questions into rows, see `question_windows`; the first right answer counts.

    The answer begins at the first token of the word that holds its first character, and ends with the last token of the word
    that holds its last.

    Examples:
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> from tfpretune.data import QuestionExamples, question_inputs
        >>> from tfpretune.data.readers.question_records import Answer
        >>> tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"])
        >>> question = {"questions": ["good"], "contexts": ["bad good"], "answers": [(Answer("good", 4),)]}
        >>> examples = QuestionExamples(**question, where=["mine:1"], name="mine")
        >>> columns = question_inputs(examples, tokenizer=tokenizer, sequence_length=8).columns
        >>> columns["token_ids"].tolist(), columns["starts"].tolist(), columns["ends"].tolist()
        ([[2, 5, 3, 6, 5, 3, 0, 0]], [4], [4])
    """
    call = _graph(tokenizer, sequence_length, stride)
    parts = []
    for start in range(0, len(examples), CHUNK):
        chunk = slice(start, start + CHUNK)
        part = call(tf.constant(list(examples.questions[chunk])), tf.constant(list(examples.contexts[chunk])))._asdict()
        part = {name: column.numpy() for name, column in part.items()}
        parts.append(part | {"example_of": part["example_of"] + start})
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    starts, ends, held = _places(examples, found)
    answerable = [row for row, answers in enumerate(examples.answers) if answers]
    columns = {name: found[name] for name in ("token_ids", "padding_mask", "segment_ids")}
    return QuestionInputs(
        columns | {"starts": starts, "ends": ends},
        found["example_of"],
        found["starts"],
        found["ends"],
        tuple(sorted(set(answerable) - set(found["example_of"][held].tolist()))),
    )


def question_batches(
    examples: QuestionExamples,
    batch_size: int,
    *,
    tokenizer: Tokenizer,
    sequence_length: int,
    stride: int = 0,
    seed: int = 0,
) -> StepIndexed:
    """Serves questions as the columns of `QuestionInputs`."""
    rows = question_inputs(examples, tokenizer=tokenizer, sequence_length=sequence_length, stride=stride)
    return rows.batches(batch_size, seed=seed)


@functools.lru_cache(maxsize=4)
def _graph(tokenizer: Tokenizer, sequence_length: int, stride: int) -> Callable[..., Any]:
    return tf.function(
        lambda questions, contexts: question_windows(
            tokenizer, questions, contexts, sequence_length=sequence_length, stride=stride
        ),
        input_signature=[STRINGS, STRINGS],
    )


def _places(examples: QuestionExamples, found: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the first and the last token of the answer in each row, and whether the row holds it whole."""
    spans = np.array([_stripped(answers) for answers in examples.answers]).reshape(-1, 2)[found["example_of"]]
    length = found["starts"].shape[1]
    first, last = ((found["starts"] <= at) & (at < found["ends"]) for at in (spans[:, :1], spans[:, 1:] - 1))
    held = first.any(axis=1) & last.any(axis=1)
    none = found["padding_mask"].sum(axis=1) - 1
    starts = np.where(held, first.argmax(axis=1), none)
    ends = np.where(held, length - 1 - last[:, ::-1].argmax(axis=1), none)
    return starts.astype(np.int32), ends.astype(np.int32), held


def _stripped(answers: Sequence[Any]) -> tuple[int, int]:
    """Returns the first answer's characters without white space at its ends; (-9, -9) for no answer."""
    if not answers:
        return -9, -9
    text = answers[0].text
    start = answers[0].start + len(text) - len(text.lstrip())
    return start, start + len(text.strip())
