"""What images can be pre-trained on: a closed table of objectives. Their settings stand in `settings`."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from tfpretune.backbones.feeding import Pixels
from tfpretune.data.batches.step_indexed import Batch, Transform
from tfpretune.data.batches.transforms import augmented, denoising, masked_patches
from tfpretune.objectives import Autoencoder, DenoisingAutoencoder, MaskedAutoencoder, Objective
from tfpretune.tasks.pretraining.report import report_reconstructions
from tfpretune.tasks.pretraining.settings import ImagePretrainingConfig
from tfpretune.training import FitResult
from tfpretune.training.tensorboard.images import PageCallback, ReconstructionCallback


@dataclasses.dataclass(frozen=True)
class ImageObjective:
    """What an objective is made of.

    Attributes:
        make_model: `(backbone, pixels, run) -> Objective`; `pixels` is what the backbone is, or was, trained to see.
        transform: `(run, backbone)` -> what is done to every batch; None: nothing.
        make_page: `(batch, log_dir) -> PageCallback` of TensorBoard; None: its curves are all there is to see.
        report: `(model, batch, run, result, figures)` -> the path of the page that it wrote.

    `batch` is one transformed batch of 8 validation images.
    """

    make_model: Callable[[keras.Model, Pixels, Any], Objective]
    transform: Callable[[Any, Any], Transform | None]
    make_page: Callable[[Batch, str], PageCallback] | None
    report: Callable[[Any, Batch, Any, FitResult, Mapping[str, float]], Path]


def _noisy(run: ImagePretrainingConfig, backbone: keras.Model) -> Transform:
    del backbone
    move = augmented(shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
    return denoising(run.noise_stddev, run.mask_rate, patch_size=run.patch_size, move=move)


IMAGE_OBJECTIVES: Mapping[str, ImageObjective] = {
    "autoencoder": ImageObjective(
        make_model=lambda backbone, pixels, run: Autoencoder(backbone, pixels=pixels),
        transform=lambda run, backbone: None,
        make_page=ReconstructionCallback,
        report=report_reconstructions,
    ),
    "denoising": ImageObjective(
        make_model=lambda backbone, pixels, run: DenoisingAutoencoder(backbone, pixels=pixels),
        transform=_noisy,
        make_page=ReconstructionCallback,
        report=report_reconstructions,
    ),
    "mae": ImageObjective(
        make_model=lambda backbone, pixels, run: MaskedAutoencoder(backbone, pixels=pixels),
        transform=lambda run, backbone: masked_patches(backbone.num_patches, run.mask_rate),
        make_page=ReconstructionCallback,
        report=report_reconstructions,
    ),
}
