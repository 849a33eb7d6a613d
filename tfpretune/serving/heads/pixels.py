"""An answer for each pixel."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfpretune.serving.heads.base import Answers, Head, runner_up_is_near


@dataclasses.dataclass(frozen=True)
class PixelsHead(Head):
    """A class for each pixel of the whole image, squeezed to the model's size; -1 for what was cropped away.

    `context` is `data.image.resizing.Places`; None where the model saw the image squeezed.
    """

    size: tuple[int, int] = (0, 0)
    says = "pixels"

    def answers(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """The most probable class of each pixel, and its probability."""
        classes = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        probabilities = tf.reduce_max(self.target.activate(outputs), axis=-1)
        if context is None:
            return {"classes": classes, "probabilities": probabilities}
        return {
            "classes": context.on_whole_images(classes, -1),
            "probabilities": context.on_whole_images(probabilities, 0.0),
        }

    def unsure(self, outputs: tf.Tensor, context: Any = None) -> Answers:
        """Pixels whose runner-up is near."""
        near = runner_up_is_near(self.target.activate(outputs))
        return {"classes": near if context is None else context.on_whole_images(near, False)}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        shape = f"`(batch, {self.size[0]}, {self.size[1]})`"
        classes = f"int32 {shape}: index of each pixel's class, in the order above; -1 where the model saw nothing"
        return {"classes": classes, "probabilities": f"float32 {shape}: of that class"}
