"""An answer for each pixel."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfpretune.serving.heads.base import Answers, Head, runner_up_is_near


@dataclasses.dataclass(frozen=True)
class PixelsHead(Head):
    """A class for each pixel of the model's image size."""

    size: tuple[int, int] = (0, 0)
    says = "pixels"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The most probable class of each pixel, and its probability."""
        del context
        classes = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        return {"classes": classes, "probabilities": tf.reduce_max(self.target.activate(outputs), axis=-1)}

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Pixels whose runner-up is near."""
        del context
        return {"classes": runner_up_is_near(self.target.activate(outputs))}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        shape = f"`(batch, {self.size[0]}, {self.size[1]})`"
        classes = f"int32 {shape}: index of each pixel's class, in the order above"
        return {"classes": classes, "probabilities": f"float32 {shape}: of that class"}
