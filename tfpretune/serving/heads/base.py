"""What every served head has, and what heads share."""

import abc
import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tfpretune.objectives.targets.base import Target

Answers = dict[str, tf.Tensor]
CLOSE = 1e-4
"""Two candidates this near to each other in probability or score may change places by rounding."""


@dataclasses.dataclass(frozen=True)
class Head(abc.ABC):
    """One head of a model, as it is served.

    Args:
        target: what the head was trained towards.
        class_names: name of each output, where outputs have names.

    Attributes:
        says: the kind of its answers, in a word; stored with the export.
        padded: the answers whose second dimension is as long as the longest in the batch.
    """

    target: Target
    class_names: tuple[str, ...] = ()
    says: ClassVar[str]
    padded: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Returns the named answers; their first dimension is what was sent.

        Args:
            outputs: float32, of the model, `(rows, …, target.num_outputs)`.
            context: of the `Rows` that the model was called with.
        """

    @abc.abstractmethod
    def described(self) -> dict[str, str]:
        """Returns type and shape of each answer, for the model card."""

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Returns where rounding may turn an answer that is not a float: bools of the answers' shapes, by their names."""
        del outputs, context
        return {}

    def about(self) -> dict[str, Any]:
        """Returns what `metadata.json` says of the head; JSON values."""
        names = {"class_names": list(self.class_names)} if self.class_names else {}
        return {"says": self.says, "target": type(self.target).__name__, "outputs": self.described()} | names


def runner_up_is_near(probabilities: tf.Tensor) -> tf.Tensor:
    """Returns whether the two highest values of the last dimension are within `CLOSE`."""
    best = tf.math.top_k(probabilities, 2).values
    return best[..., 0] - best[..., 1] < CLOSE
