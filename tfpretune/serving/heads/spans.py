"""A finder of answers as it is served: the best piece of each context, and whether there is one."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfpretune.data.text.windows import NOWHERE, QuestionWindows, SequenceAnswers, best_answers, sequence_answers
from tfpretune.serving.heads.base import CLOSE, Answers, Head


@dataclasses.dataclass(frozen=True)
class SpanHead(Head):
    """The piece of a context that answers a question: at most `longest_answer` tokens, start and end in one row.

    Its score is the probability of its start times that of its end among the tokens of the row; the other choice there is
    "no answer in this row".
    """

    longest_answer: int = 30
    says = "span"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The answer, its characters and probability, and that of "no answer"; "", 0, 0, 0 and 1 without words.

        Args:
            outputs: float32 scores of starts and ends, `(rows, length, 2)`.
            context: the contexts, strings `(batch,)`, valid UTF-8, and the `QuestionWindows`.
        """
        contexts, windows = context
        best = best_answers(self._row_answers(outputs, windows), windows.example_of, tf.size(contexts))
        return {
            "answer": tf.strings.substr(contexts, best.starts, best.ends - best.starts, unit="UTF8_CHAR"),
            "start": best.starts,
            "end": best.ends,
            "score": tf.where(best.scores > NOWHERE, tf.exp(best.scores), 0.0),
            "no_answer": tf.exp(best.none_scores),
        }

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Contexts with another piece, in the same row or in another, whose probability is near."""
        contexts, windows = context
        best = best_answers(self._row_answers(outputs, windows), windows.example_of, tf.size(contexts))
        inside = (windows.starts >= 0)[..., tf.newaxis]
        both = tf.exp(tf.where(inside, self.target.activate(outputs), NOWHERE))
        longest = tf.minimum(self.longest_answer, tf.shape(both)[1])
        chances = tf.linalg.band_part(both[:, :, None, 0] * both[:, None, :, 1], 0, longest - 1)
        near = chances > tf.gather(tf.exp(best.scores), windows.example_of)[:, None, None] - CLOSE
        counts = tf.reduce_sum(tf.cast(near, tf.int32), axis=(1, 2))
        several = tf.math.unsorted_segment_sum(counts, windows.example_of, tf.size(contexts)) > 1
        several &= best.scores > NOWHERE
        return {"answer": several, "start": several, "end": several}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        place = "int32 `(batch,)`: the character (Unicode code points) of the context as it was sent"
        return {
            "answer": "string `(batch,)`: that piece of the context, whole words",
            "start": f"{place} where it begins",
            "end": f"{place} behind it",
            "score": "float32 `(batch,)`: probability of this start times that of this end",
            "no_answer": "float32 `(batch,)`: the same for no answer in the context; higher than `score`: there is none",
        }

    def about(self) -> dict[str, Any]:
        """See `Head`."""
        return super().about() | {"longest_answer": self.longest_answer}

    def _row_answers(self, outputs: tf.Tensor, windows: QuestionWindows) -> SequenceAnswers:
        scores = self.target.activate(outputs)
        return sequence_answers(
            scores, windows.padding_mask, windows.starts, windows.ends, most_tokens=self.longest_answer
        )
