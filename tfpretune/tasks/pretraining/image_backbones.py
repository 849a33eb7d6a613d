"""The backbone that images are pre-trained with: fresh, or from a preset that must fit objective and images."""

import dataclasses
from typing import Any, TypeVar

import keras

from tfpretune.backbones import VisionTransformer
from tfpretune.backbones.by_name import load_backbone, make_image_backbone
from tfpretune.backbones.feeding import Pixels, read_pixels
from tfpretune.backbones.image.shapes import image_shape, takes_any_size
from tfpretune.data.examples.examples import Examples
from tfpretune.errors import UsageError
from tfpretune.tasks.pretraining.image_shape import begun_with, fitting_shape, patch_size_for, with_image_shape
from tfpretune.tasks.pretraining.settings import ImagePretrainingConfig

Run = TypeVar("Run", bound=ImagePretrainingConfig)


def open_image_backbone(run: Run, examples: Examples, *, dtype: Any = None) -> tuple[Run, keras.Model, Pixels]:
    """Makes or loads the backbone of a run, and says what images it is given.

    Args:
        run: settings of `pretrain_image`.
        examples: all images of the source, which say the shape where neither the run nor a preset does.
        dtype: Keras dtype policy.

    Returns:
        The settings with the shape of the images and the size of patches, the backbone, and the pixels that it is, or was,
        trained to see, with the size of the images.

    Raises:
        UsageError: the preset takes no images, other ones than the run asks for, or cannot learn by the objective; or no
            header of the images can be read.

    Examples:
        >>> from tfpretune.data import open_source
        >>> from tfpretune.tasks import ImagePretrainingConfig, open_image_backbone
        >>> run = ImagePretrainingConfig("demo:digits", "runs/digits", steps=1)
        >>> run, backbone, pixels = open_image_backbone(run, open_source("demo:digits"))
        >>> type(backbone).__name__, pixels.size, run.image_shape, run.patch_size
        ('SmallCNN', (8, 8), (8, 8, 1), 2)
    """
    if not run.preset:
        run = with_image_shape(run, examples)
        backbone = make_image_backbone(
            run.backbone, image_shape=run.image_shape, patch_size=run.patch_size, dtype=dtype
        )
        return run, backbone, Pixels(size=run.image_shape[:2])
    pixels = read_pixels(run.preset)
    backbone = load_backbone(run.preset, dtype=dtype)
    name = type(backbone).__name__
    begun, patch_size = begun_with(run)  # its file may name another shape, which counted for nothing beside a preset
    shape = _shape(run, backbone, pixels, examples, begun)
    if run.objective == "mae" and not isinstance(backbone, VisionTransformer):
        raise UsageError(
            f"--objective mae with --preset {run.preset}: mae goes on with a VisionTransformer of its own only, and this is "
            f"a {name}: --objective autoencoder or denoising takes it"
        )
    height, width, channels = shape
    print(f"images are brought to {height} x {width} pixels, {channels} channels, as {name} of {run.preset} takes them")
    named = next(each for each in (run.image_shape, begun, shape) if any(each))
    run = dataclasses.replace(run, image_shape=named, patch_size=run.patch_size or patch_size or patch_size_for(shape))
    return run, backbone, dataclasses.replace(pixels, size=shape[:2])


def _shape(
    run: Run, backbone: keras.Model, pixels: Pixels, examples: Examples, begun: tuple[int, int, int]
) -> tuple[int, int, int]:
    """The shape that was asked for, or else the preset's, or else what fits; refused where the backbone cannot take it."""
    asked, size = run.image_shape, pixels.size
    if any(asked):
        size = asked[:2]
    elif size is None and any(begun):
        size = begun[:2]
    elif size is None and takes_any_size(backbone):
        size = fitting_shape(run, examples)[:2]
    try:
        shape = image_shape(backbone, size)
    except UsageError as error:
        what = str(error).replace("`image_size` 224 224", "--image-shape 224 224 3")
        raise UsageError(f"--preset {run.preset}: {what}") from None
    if any(asked) and shape != asked:
        raise UsageError(
            f"--image-shape {' '.join(map(str, asked))} does not fit --preset {run.preset}: its {type(backbone).__name__} "
            f"takes {' '.join(map(str, shape))}"
        )
    return shape
