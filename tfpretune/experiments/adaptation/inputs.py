"""How the examples of domains become batches and classifiers, for images and for texts."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from tfpretune.backbones.by_name import load_backbone, load_tokenizer, make_image_backbone
from tfpretune.backbones.feeding import read_pixels
from tfpretune.data.batches.examples import image_batches, text_batches
from tfpretune.data.batches.step_indexed import StepIndexed, Transform
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.finetune import classifier
from tfpretune.objectives import Supervised
from tfpretune.training import resolve_precision


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """What differs between images and texts.

    Args:
        make_batches: `(examples, batch_size, *, seed, transform) -> StepIndexed`.
        make_model: `preset -> Supervised`, a new network; "" for the one that is not adapted.
        reads: how inputs are prepared, for `task.json`: `image_shape` or `sequence_length`.
        tokenizer: of texts.
        transform: augmentation, the same for all methods and domains.
    """

    make_batches: Callable[..., StepIndexed]
    make_model: Callable[[str], Supervised]
    reads: Mapping[str, Any]
    tokenizer: Tokenizer | None = None
    transform: Transform | None = None


def image_inputs(
    num_classes: int,
    *,
    image_shape: tuple[int, int, int],
    backbone: str = "cnn-small",
    preset: str = "",
    transform: Transform | None = None,
) -> Inputs:
    """Brings all images to one shape.

    Args:
        num_classes: of the classifier.
        image_shape: height, width, channels.
        backbone: a name for `make_image_backbone`, for networks with random weights.
        preset: pre-trained backbone to take instead.
        transform: augmentation.
    """
    dtype = resolve_precision("auto")

    def make_model(other: str) -> Supervised:
        place = other or preset
        fresh = functools.partial(make_image_backbone, backbone, image_shape=image_shape)
        if not place:
            return classifier(fresh(dtype=dtype), num_classes)
        return classifier(load_backbone(place, dtype=dtype), num_classes, pixels=read_pixels(place))

    make_batches = functools.partial(image_batches, image_shape=image_shape)
    return Inputs(make_batches, make_model, {"image_shape": image_shape}, transform=transform)


def text_inputs(num_classes: int, *, preset: str, sequence_length: int) -> Inputs:
    """Reads the first tokens of each text.

    Args:
        num_classes: of the classifier.
        preset: pre-trained backbone with its tokenizer.
        sequence_length: tokens that are read.
    """
    tokenizer, dtype = load_tokenizer(preset), resolve_precision("auto")

    def make_model(other: str) -> Supervised:
        return classifier(load_backbone(other or preset, dtype=dtype), num_classes)

    make_batches = functools.partial(text_batches, tokenizer=tokenizer, sequence_length=sequence_length)
    return Inputs(make_batches, make_model, {"sequence_length": sequence_length}, tokenizer)
