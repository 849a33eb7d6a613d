"""How a backbone is fed: the same named inputs for every backbone of a kind."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import keras_hub

from tfpretune.backbones.hugging_face.converted import IMAGES
from tfpretune.backbones.hugging_face.pixels import read_scaling
from tfpretune.backbones.image.converters import read_converter
from tfpretune.backbones.image.shapes import image_input, image_shape, input_names
from tfpretune.backbones.locating import locate, one_line
from tfpretune.errors import UsageError

PIXELS_LAYER = "pixels"


@dataclasses.dataclass(frozen=True)
class Pixels:
    """What a backbone was trained to see: `scale * image + offset` for images in [0, 1], all channels or one by one.

    Args:
        scale: one number, or one a channel.
        offset: one number, or one a channel.
        size: (height, width) of the images; None where nothing is said.

    Examples:
        >>> import keras
        >>> from tfpretune.backbones import Pixels
        >>> seen = Pixels(scale=2.0, offset=-1.0).scaled(keras.Input((8, 8, 3)))  # [0, 1] to [-1, 1]
        >>> seen.shape
        (None, 8, 8, 3)
    """

    scale: float | tuple[float, ...] = 1.0
    offset: float | tuple[float, ...] = 0.0
    size: tuple[int, int] | None = None

    def scaled(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Returns what the backbone sees of images in [0, 1]; `save_pixels` finds the layer in a model."""
        if self.scale == 1.0 and self.offset == 0.0:
            return images
        return keras.layers.Rescaling(self.scale, self.offset, dtype="float32", name=PIXELS_LAYER)(images)


def read_pixels(preset: str) -> Pixels:
    """Reads the image converter of a KerasHub preset.

    Args:
        preset: a folder, or a KerasHub name.

    Returns:
        The converter's numbers, for images in [0, 1] where KerasHub has [0, 255]; of a folder of Hugging Face's those of its
        `preprocessor_config.json`. Without a converter: the images as they are, which is right for the backbones of tfpretune
        and said of others.

    Raises:
        UsageError: there is a converter that cannot be read, or one that does more than scaling.

    Examples:
        >>> from tfpretune.backbones import Pixels, SmallCNN, read_pixels
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.training import save_preset
        >>> preset = save_preset("runs/digits/preset", classifier(SmallCNN((8, 8, 1), (8,)), 10))
        >>> read_pixels(str(preset)) == Pixels()  # images in [0, 1] as they are
        True
    """
    with one_line(preset):
        place = locate(preset)
    if place.kind in IMAGES:
        return Pixels(*read_scaling(place.folder))
    if place.kind or not {"vocabulary_size", "vocab_size"}.isdisjoint(place.config.get("config") or {}):
        raise UsageError(f"`preset` {preset}: it takes texts, not images: use a recipe of texts, such as finetune_text")
    with one_line(preset):
        converter = read_converter(preset, place)
    if converter is None:
        return Pixels()
    scale, offset = converter.scale, converter.offset
    return Pixels(
        255.0 if scale is None else _per_channel(scale, 255.0),
        0.0 if offset is None else _per_channel(offset, 1.0),
        None if converter.image_size is None else tuple(converter.image_size),
    )


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """What happens within a model to its inputs before its backbone reads them (KerasHub has preprocessors in front of it).

    Args:
        window_length: texts: read the tokens in windows of this length, each on its own. So a backbone that was pre-trained
            on short rows reads long documents. 0: the whole row at once. The rows' length must be a multiple of it.
        image_size: images: (height, width); needed where the backbone takes images of any size and `pixels` names none. None
            or (0, 0): the size that the backbone or `pixels` names.
        pixels: images: from `read_pixels`; None: the backbone sees [0, 1].

    Raises:
        UsageError: numbers that are no length and no size.

    Examples:
        >>> from tfpretune.backbones import Preprocessing, SmallCNN
        >>> Preprocessing(image_size=(8, 8)).image_shape(SmallCNN((8, 8, 1), (8,)))
        (8, 8, 1)
    """

    window_length: int = 0
    image_size: tuple[int, int] | None = None
    pixels: Pixels | None = None

    def __post_init__(self) -> None:
        if self.window_length < 0:
            raise UsageError(f"`window_length` must not be negative, received {self.window_length}")
        height, width = self.image_size or (0, 0)
        if min(height, width) < 0 or (height == 0) != (width == 0):
            raise UsageError(f"`image_size` must be two numbers above 0, received {height} {width}")

    def image_shape(self, backbone: keras.Model) -> tuple[int, int, int]:
        """Returns height, width and channels of the images that a model with this image backbone takes.

        Raises:
            UsageError: the backbone cannot take them so.
        """
        size = self.image_size if any(self.image_size or ()) else None
        shape = image_shape(backbone, size or (self.pixels.size if self.pixels else None))
        if self.window_length:
            raise UsageError(f"`window_length` is for texts, and {type(backbone).__name__} takes images")
        if size is not None and shape[:2] != tuple(size):
            raise UsageError(
                f"`image_size` {size[0]} {size[1]} does not fit {type(backbone).__name__}, "
                f"which takes {shape[0]} x {shape[1]} pixels only"
            )
        return shape

    def require_text(self, backbone: keras.Model) -> None:
        """Raises UsageError where something is said of images, and the backbone reads texts."""
        if self.pixels is not None or any(self.image_size or ()):
            raise UsageError(f"`image_size` and pixels are for images, and {type(backbone).__name__} reads texts")


NO_PREPROCESSING = Preprocessing()


def save_pixels(model: keras.Model, folder: Path | str) -> None:
    """Writes the `pixels` of a model's `Preprocessing` as an image converter into the preset of its backbone, if anything.

    Args:
        model: a model that `feed` made the inputs of.
        folder: the preset; `read_pixels` finds it there, and so does KerasHub.
    """
    layer = next((layer for layer in model.layers if layer.name == PIXELS_LAYER), None)
    foreign = type(getattr(model, "backbone", None)).__module__.startswith(
        "keras_hub."
    )  # KerasHub feeds ours as they are
    if layer is not None or (foreign and "images" in getattr(model, "input", ())):
        keras_hub.layers.ImageConverter(
            image_size=tuple(model.input["images"].shape[1:3]),
            scale=_per_channel(layer.scale if layer else 1.0, 1 / 255.0),
            offset=_per_channel(layer.offset if layer else 0.0, 1.0),
            crop_to_aspect_ratio=False,
            antialias=True,
        ).save_to_preset(str(folder))


def _per_channel(value: Any, factor: float) -> float | tuple[float, ...]:
    return tuple(number * factor for number in value) if isinstance(value, list | tuple) else value * factor


def feed(
    backbone: keras.Model, preprocessing: Preprocessing = NO_PREPROCESSING, *, segments: bool = False
) -> tuple[dict[str, keras.KerasTensor], Any]:
    """Makes fresh inputs for a model on top of a backbone.

    A text model takes `token_ids` and `padding_mask`. BERT's `segment_ids` are no input of it: all its texts are one
    segment, so they are zeros made in the graph, and training, serving and every backbone take the same two inputs.
    An image model takes float32 `images` `(batch, height, width, channels)` in [0, 1], whatever the backbone takes.

    Args:
        backbone: of text or images.
        preprocessing: what happens to images here; texts are cut into windows later (`finetune.heads.reading`).
        segments: texts come in two segments (pairs, questions): `segment_ids` is an input, too, whether or not the
            backbone takes it.

    Returns:
        The inputs of the new model by name, and what to call the backbone with.

    Raises:
        UsageError: other inputs than these, or a preprocessing that does not fit the backbone.
    """
    if image_input(backbone) is not None:
        images = keras.Input(preprocessing.image_shape(backbone), dtype="float32", name="images")
        seen = images if preprocessing.pixels is None else preprocessing.pixels.scaled(images)
        return {"images": images}, dict.fromkeys(backbone.input, seen) if isinstance(backbone.input, dict) else seen
    names = set(backbone.input) if isinstance(backbone.input, dict) else set()
    if not {"token_ids", "padding_mask"} <= names <= {"token_ids", "padding_mask", "segment_ids"}:
        raise UsageError(
            f"{type(backbone).__name__} cannot be fed: it takes {input_names(backbone)}: expected token_ids and padding_mask, "
            "as BERT and RoBERTa take, or images"
        )
    preprocessing.require_text(backbone)
    inputs = {
        name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for name, tensor in backbone.input.items()
        if name != "segment_ids"
    }
    own = inputs["token_ids"]
    segment_ids = keras.Input(own.shape[1:], dtype=own.dtype, name="segment_ids") if segments else None
    all_inputs = inputs | ({} if segment_ids is None else {"segment_ids": segment_ids})
    if "segment_ids" not in backbone.input:
        return all_inputs, inputs
    return all_inputs, inputs | {"segment_ids": keras.ops.zeros_like(own) if segment_ids is None else segment_ids}


def sequence_features(backbone: keras.Model, inputs: Any) -> keras.KerasTensor:
    """Calls a backbone and returns its features for every token or patch; KerasHub's BERT also gives a pooled vector."""
    features = backbone(inputs)
    if not isinstance(features, dict):
        return features
    if "sequence_output" not in features:
        raise UsageError(f"{type(backbone).__name__} gives {', '.join(features)}: expected features or sequence_output")
    return features["sequence_output"]
