"""What is the same for texts and images, so that one recipe takes both."""

import functools
from collections.abc import Callable

from tfpretune.backbones import Preprocessing
from tfpretune.backbones.feeding import read_pixels
from tfpretune.data.batches.examples import image_batches, text_batches
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.text.tokenizer import Tokenizer

MakeBatches = Callable[..., StepIndexed]
"""`(examples, batch_size, *, seed, transform) -> StepIndexed`, as one model reads them."""


def batch_maker(
    kind: str,
    *,
    tokenizer: Tokenizer | None = None,
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
        if tokenizer is None:
            raise ValueError("texts need a tokenizer")
        return functools.partial(text_batches, tokenizer=tokenizer, sequence_length=sequence_length)
    if image_shape is None:
        raise ValueError("images need an image_shape")
    return functools.partial(image_batches, image_shape=image_shape)


def preprocessing_of(
    kind: str, preset: str, *, window_length: int = 0, image_size: tuple[int, int] = (0, 0)
) -> Preprocessing:
    """Returns the preprocessing of texts in windows, or of images as a preset's converter says.

    Args:
        kind: "text" or "image"; what is said of the other does not count.
        preset: of the backbone.
        window_length: see `Preprocessing`.
        image_size: see `Preprocessing`.
    """
    if kind == "text":
        return Preprocessing(window_length)
    return Preprocessing(image_size=image_size, pixels=read_pixels(preset))
