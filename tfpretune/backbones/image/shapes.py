"""What images a backbone takes."""

import contextlib

import keras

from tfpretune.errors import UsageError


def image_shape(backbone: keras.Model, default: tuple[int, int] | None = None) -> tuple[int, int, int]:
    """Returns height, width and channels of the images that a backbone is given.

    Args:
        backbone: an image backbone.
        default: (height, width) for a backbone that takes any; one that takes a fixed size keeps it.

    Raises:
        UsageError: the backbone takes no images or not 1 or 3 channels, or any size and there is no default.
    """
    name = type(backbone).__name__
    images = image_input(backbone)
    if images is None:
        raise UsageError(f"{name} is not an image backbone: it takes {input_names(backbone)}")
    height, width, channels = images.shape[1:]
    if None in (height, width):
        if default is None:
            raise UsageError(f"{name} takes images of any size: name one, such as `image_size` 224 224")
        height, width = (given or fixed for given, fixed in zip((height, width), default, strict=True))
    if channels not in (1, 3, None):
        raise UsageError(f"{name} takes images of {channels} channels: expected 1 (grey) or 3 (colour, channels last)")
    shape = int(height), int(width), int(channels or 3)
    if None in images.shape[1:3]:
        _require_room(backbone, shape)
    return shape


def takes_any_size(backbone: keras.Model) -> bool:
    """Returns whether a backbone takes images, and of any height and width."""
    images = image_input(backbone)
    return images is not None and None in images.shape[1:3]


def _require_room(backbone: keras.Model, shape: tuple[int, int, int]) -> None:
    """Raises UsageError where an image is so small that nothing is left of it behind the strides of a backbone."""
    with contextlib.suppress(ValueError):
        outputs = keras.tree.flatten(backbone.compute_output_spec(keras.KerasTensor((1, *shape))))
        if all(all(output.shape) for output in outputs):
            return
    what = f"{type(backbone).__name__} cannot read images of {shape[0]} x {shape[1]} pixels"
    raise UsageError(f"{what}: give larger ones, such as `image_size` 224 224")


def image_input(backbone: keras.Model) -> keras.KerasTensor | None:
    """Returns a backbone's input if it is one batch of images, by itself or in a dict, of whatever name."""
    given = backbone.input
    if isinstance(given, dict) and len(given) == 1:
        (given,) = given.values()
    return given if isinstance(given, keras.KerasTensor) and len(given.shape) == 4 else None


def input_names(backbone: keras.Model) -> str:
    """Returns the names of all inputs, for messages."""
    return ", ".join(tensor.name for tensor in backbone.inputs)
