"""The backbone that images are pre-trained with: fresh, or from a preset that must fit objective and images."""

import dataclasses
from typing import Any

import keras

from tfpretune.backbones import VisionTransformer
from tfpretune.backbones.by_name import load_backbone, make_image_backbone
from tfpretune.backbones.feeding import Pixels, image_shape, read_pixels
from tfpretune.errors import UsageError


def open_image_backbone(run: Any, *, dtype: Any = None) -> tuple[keras.Model, Pixels]:
    """Makes or loads the backbone of a run, and says what images it is given.

    Args:
        run: settings of `pretrain_image`.
        dtype: Keras dtype policy.

    Returns:
        The backbone, and the pixels that it is, or was, trained to see, with the size of the images.

    Raises:
        UsageError: the preset takes no images, other ones than the run asks for, or cannot learn by the objective.

    Examples:
        >>> import types
        >>> from tfpretune.tasks import open_image_backbone
        >>> settings = {"preset": "", "backbone": "cnn-small", "image_shape": (8, 8, 1), "patch_size": 4}
        >>> backbone, pixels = open_image_backbone(types.SimpleNamespace(**settings))
        >>> type(backbone).__name__, pixels.size
        ('SmallCNN', (8, 8))
    """
    if not run.preset:
        backbone = make_image_backbone(
            run.backbone, image_shape=run.image_shape, patch_size=run.patch_size, dtype=dtype
        )
        return backbone, Pixels(size=tuple(run.image_shape[:2]))
    pixels = read_pixels(run.preset)
    backbone = load_backbone(run.preset, dtype=dtype)
    name = type(backbone).__name__
    shape = _shape(run, backbone, pixels)
    if run.objective == "mae" and not isinstance(backbone, VisionTransformer):
        raise UsageError(
            f"--objective mae with --preset {run.preset}: mae goes on with a VisionTransformer of its own only, and this is "
            f"a {name}: --objective autoencoder or denoising takes it"
        )
    height, width, channels = shape
    print(f"images are brought to {height} x {width} pixels, {channels} channels, as {name} of {run.preset} takes them")
    return backbone, dataclasses.replace(pixels, size=shape[:2])


def _shape(run: Any, backbone: keras.Model, pixels: Pixels) -> tuple[int, int, int]:
    """The shape that was asked for, or else the preset's; refused where the backbone cannot take it."""
    asked = tuple(run.image_shape)
    given = asked != type(run).image_shape
    try:
        shape = image_shape(backbone, asked[:2] if given else pixels.size or asked[:2])
    except UsageError as error:
        what = str(error).replace("`image_size` 224 224", "--image-shape 224 224 3")
        raise UsageError(f"--preset {run.preset}: {what}") from None
    if given and shape != asked:
        raise UsageError(
            f"--image-shape {' '.join(map(str, asked))} does not fit --preset {run.preset}: its {type(backbone).__name__} "
            f"takes {' '.join(map(str, shape))}"
        )
    return shape
