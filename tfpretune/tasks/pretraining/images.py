"""What images can be pre-trained on: a closed table of objectives, with the settings that its lines read."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import keras

from tfpretune.backbones.feeding import Pixels
from tfpretune.data.batches.step_indexed import Batch, Transform
from tfpretune.data.batches.transforms import denoising, hidden_patches, jitter
from tfpretune.errors import UsageError
from tfpretune.objectives import Autoencoder, DenoisingAutoencoder, MaskedAutoencoder, Objective
from tfpretune.settings.run import RunConfig, require_shares
from tfpretune.tasks.pretraining.report import report_reconstructions
from tfpretune.training import FitResult
from tfpretune.training.tensorboard.images import Page, ReconstructionPage


@dataclasses.dataclass(frozen=True)
class ImagePretrainingConfig(RunConfig):
    """What is learnt from images; settings that only some objectives read name these."""

    objective: Literal["autoencoder", "denoising", "mae"] = "denoising"
    """What to restore: the image, the clean image, or hidden patches."""
    backbone: str = "cnn-small"
    """cnn-small, cnn-medium; for mae: vit-mini, vit-tiny, vit-small."""
    patch_size: int = 7
    """Side of the patches that mae hides, or that denoising blanks, pixels."""
    mask_rate: float = 0.3
    """Share of the patches that is hidden; 0.75 in the paper of mae."""
    noise_stddev: float = 0.2
    """Gaussian noise of denoising, in units of the pixel range."""
    shift: int = 3
    """denoising: the input is moved by up to so many pixels; the target is not, so the features learn to see through it."""
    rotate_degrees: float = 30.0
    """denoising: largest angle by which the input is turned."""
    scale: float = 0.2
    """denoising: largest zoom of the input, as a share of the size."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_shares(self, "mask_rate", "scale")
        needed = IMAGE_OBJECTIVES[self.objective].backbones
        if not self.backbone.startswith(needed):
            sides = f"--objective {self.objective} with --backbone {self.backbone}"
            raise UsageError(f"{sides}: {self.objective} needs a {' or a '.join(needed)}")


@dataclasses.dataclass(frozen=True)
class ImageObjective:
    """What an objective is made of.

    Attributes:
        make_model: `(backbone, pixels, run) -> Objective`; `pixels` is what the backbone is, or was, trained to see.
        backbones: how names of the backbones that it takes begin: "cnn", "vit".
        transform: `(run, backbone)` -> what is done to every batch; None: nothing.
        make_page: `(batch, log_dir) -> Page` of TensorBoard; None: its curves are all there is to see.
        report: `(model, batch, run, result, figures)` -> the path of the page that it wrote.

    `batch` is one transformed batch of 8 validation images.
    """

    make_model: Callable[[keras.Model, Pixels, Any], Objective]
    backbones: tuple[str, ...]
    transform: Callable[[Any, Any], Transform | None]
    make_page: Callable[[Batch, str], Page] | None
    report: Callable[[Any, Batch, Any, FitResult, Mapping[str, float]], Path]


def _noisy(run: ImagePretrainingConfig, backbone: keras.Model) -> Transform:
    del backbone
    move = jitter(shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
    return denoising(run.noise_stddev, run.mask_rate, patch_size=run.patch_size, move=move)


IMAGE_OBJECTIVES: Mapping[str, ImageObjective] = {
    "autoencoder": ImageObjective(
        make_model=lambda backbone, pixels, run: Autoencoder(backbone, pixels=pixels),
        backbones=("cnn",),
        transform=lambda run, backbone: None,
        make_page=ReconstructionPage,
        report=report_reconstructions,
    ),
    "denoising": ImageObjective(
        make_model=lambda backbone, pixels, run: DenoisingAutoencoder(backbone, pixels=pixels),
        backbones=("cnn",),
        transform=_noisy,
        make_page=ReconstructionPage,
        report=report_reconstructions,
    ),
    "mae": ImageObjective(
        make_model=lambda backbone, pixels, run: MaskedAutoencoder(backbone, pixels=pixels),
        backbones=("vit",),
        transform=lambda run, backbone: hidden_patches(backbone.num_patches, run.mask_rate),
        make_page=ReconstructionPage,
        report=report_reconstructions,
    ),
}
