"""One answer for each example: a class, labels, numbers, a vector."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfpretune.serving.heads.base import CLOSE, Answers, Head, runner_up_is_near


class ClassHead(Head):
    """One class for each example."""

    says = "class"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The probabilities, the name of the most probable class, and the logits."""
        del context
        label = tf.gather(tf.constant(self.class_names), tf.argmax(outputs, axis=-1))
        return {"probabilities": self.target.activate(outputs), "label": label, "scores": outputs}

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Labels whose runner-up is near."""
        del context
        return {"label": runner_up_is_near(self.target.activate(outputs))}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        shape = f"`(batch, {len(self.class_names)})`"
        scores = f"float32 {shape} (logits)"
        return {"probabilities": f"float32 {shape}", "label": "string `(batch,)`", "scores": scores}


@dataclasses.dataclass(frozen=True)
class LabelsHead(Head):
    """Any number of labels for each example: those with at least this probability fit."""

    threshold: float = 0.5
    says = "labels"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Each label's probability, whether it fits, and its name, so that an answer can be read alone."""
        del context
        probabilities = self.target.activate(outputs)
        names = tf.tile(tf.constant([self.class_names]), [tf.shape(outputs)[0], 1])
        return {"probabilities": probabilities, "fits": probabilities >= self.threshold, "labels": names}

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Probabilities near the threshold."""
        del context
        return {"fits": tf.abs(self.target.activate(outputs) - self.threshold) < CLOSE}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        shape = f"`(batch, {len(self.class_names)})`"
        fits = f"bool {shape}: probability at least {self.threshold:g}"
        return {"probabilities": f"float32 {shape}", "fits": fits, "labels": f"string {shape}: the labels' names"}

    def about(self) -> dict[str, Any]:
        """See `Head`."""
        return super().about() | {"threshold": self.threshold}


class NumbersHead(Head):
    """A number for each example, or several, in the data's units."""

    says = "numbers"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The numbers."""
        del context
        return {"values": self.target.activate(outputs)}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        return {"values": f"float32 `(batch, {self.target.num_outputs})`, in the units of the training labels"}


class VectorHead(Head):
    """A vector of length 1 for each example."""

    says = "vector"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The vector."""
        del context
        return {"embedding": self.target.activate(outputs)}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        return {"embedding": f"float32 `(batch, {self.target.num_outputs})`, of length 1"}
