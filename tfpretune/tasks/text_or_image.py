"""What is the same for texts and images, so that one recipe takes both."""

import functools
from collections.abc import Callable
from typing import Any

from tfpretune.data.batches.examples import image_batches, text_batches
from tfpretune.data.batches.step_indexed import StepIndexed

MakeBatches = Callable[..., StepIndexed]
"""`(examples, batch_size, *, seed, transform) -> StepIndexed`, as one model reads them."""


def batch_maker(
    kind: str,
    *,
    tokenizer: Any = None,
    sequence_length: int = 0,
    image_shape: tuple[int, int, int] | None = None,
) -> MakeBatches:
    """Returns `text_batches` or `image_batches` with all that they need beside the examples.

    Args:
        kind: "text" or "image", of a source or of a model.
        tokenizer: of texts.
        sequence_length: of texts: tokens of a row.
        image_shape: of images: height, width, channels.
    """
    if kind == "text":
        return functools.partial(text_batches, tokenizer=tokenizer, sequence_length=sequence_length)
    if image_shape is None:
        raise ValueError("images need an image_shape")
    return functools.partial(image_batches, image_shape=image_shape)
