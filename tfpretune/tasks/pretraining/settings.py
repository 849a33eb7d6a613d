"""Settings of pre-training: the names of the objectives, and what their lines in the tables read. Imports no TensorFlow."""

import dataclasses
from typing import Literal

from tfpretune.errors import UsageError
from tfpretune.settings.columns import ImageColumns, TextColumns
from tfpretune.settings.run import RunConfig, require_fractions
from tfpretune.settings.splits import OwnSplits, require_splits
from tfpretune.settings.vocabulary import VocabularyConfig

BACKBONES: dict[str, tuple[str, ...]] = {"autoencoder": ("cnn",), "denoising": ("cnn",), "mae": ("vit",)}
"""Objective of images -> how the names of the backbones that it takes begin."""


@dataclasses.dataclass(frozen=True)
class TextPretrainingConfig(OwnSplits, TextColumns, VocabularyConfig, RunConfig):
    """What is learnt from texts; settings that only some objectives read name these."""

    objective: Literal["mlm"] = "mlm"
    """mlm: guess masked tokens."""
    mask_rate: float = 0.4
    """Fraction of the tokens that is masked; 0.15 in the paper, 0.4 trains faster (Wettig et al. 2022, arXiv:2202.08005)."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_fractions(self, "mask_rate")
        require_splits(self, self.source)
        if self.source.startswith("shards:") and (self.validation_source or self.test_source):
            raise UsageError(
                "--validation-source, --test-source: shards hold chosen texts; leave them out when you prepare them"
            )


@dataclasses.dataclass(frozen=True)
class ImagePretrainingConfig(OwnSplits, ImageColumns, RunConfig):
    """What is learnt from images; settings that only some objectives read name these."""

    objective: Literal["autoencoder", "denoising", "mae"] = "denoising"
    """What to restore: the image, the clean image, or masked patches."""
    backbone: str = "cnn-small"
    """cnn-small, cnn-medium; for mae: vit-mini, vit-tiny, vit-small."""
    image_shape: tuple[int, int, int] = (0, 0, 0)
    """Height, width, channels (1 or 3) that images are brought to; 0 0 0: what fits the images, 64 64 3 for photos."""
    resize: Literal["", "squeeze", "crop", "pad"] = ""
    """Images of another aspect ratio: squeeze them, crop what is too long, pad with black. Empty: squeeze, or as a preset."""
    patch_size: int = 0
    """Side of the patches that mae masks, or denoising blanks, pixels; 0: a quarter of small images, an eighth of others."""
    mask_rate: float = 0.3
    """Fraction of the patches that is masked; 0.75 in the paper of mae."""
    noise_stddev: float = 0.2
    """Gaussian noise of denoising, in units of the pixel range."""
    shift: int = 3
    """denoising: the input is moved by up to N pixels; the target is not, so the features learn to see through it."""
    rotate_degrees: float = 30.0
    """denoising: largest angle by which the input is turned."""
    scale: float = 0.2
    """denoising: largest zoom of the input, as a fraction of the size."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_fractions(self, "mask_rate", "scale")
        require_splits(self, self.source)
        *size, channels = self.image_shape
        if any(self.image_shape) and (min(size) < 1 or channels not in (1, 3)):
            given = " ".join(map(str, self.image_shape))
            raise UsageError(f"--image-shape needs height, width and 1 or 3 channels, received {given}")
        if self.patch_size < 0:
            raise UsageError(f"--patch-size must not be negative, received {self.patch_size}")
        needed = BACKBONES[self.objective]
        if not self.preset and not self.backbone.startswith(needed):
            sides = f"--objective {self.objective} with --backbone {self.backbone}"
            raise UsageError(f"{sides}: {self.objective} needs a {' or a '.join(needed)}")
