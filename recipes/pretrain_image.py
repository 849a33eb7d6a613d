"""Pre-trains an image backbone on images without labels: plain, denoising or masked autoencoder.

    python recipes/pretrain_image.py --source demo:mnist5k --objective denoising --out-dir runs/pretrain_image

Leaves OUT_DIR/preset (the backbone), report/index.html (curves, restored images), report/reconstructions.png, logs
(TensorBoard) and checkpoints. About 1.5 minutes on 2 cores; expect a validation PSNR of 13.9 dB (the input is moved, so the
model cannot know the exact strokes).
"""

import dataclasses
import functools
from typing import Literal

import keras

from tfpretune.backbones.by_name import load_backbone, make_image_backbone
from tfpretune.backbones.feeding import Pixels, read_pixels
from tfpretune.data.batches.examples import image_batches
from tfpretune.data.batches.transforms import denoising, hidden_patches, jitter
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import UsageError
from tfpretune.objectives import Autoencoder, DenoisingAutoencoder, MaskedAutoencoder
from tfpretune.settings import launch
from tfpretune.settings.run import OptimizerConfig, RunConfig, require_shares
from tfpretune.tasks.pretraining import report_reconstructions
from tfpretune.training import FitResult, fit, make_strategy, resolve_precision
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import identity_of
from tfpretune.training.presets import save_preset
from tfpretune.training.tensorboard.images import ReconstructionPage


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """Settings."""

    source: str = "demo:mnist5k"
    """Images, labels are not used: demo:NAME, tfds:NAME, images:FOLDER."""
    out_dir: str = "runs/pretrain_image"
    steps: int = 2000
    objective: Literal["autoencoder", "denoising", "mae"] = "denoising"
    """What to restore: the image, the clean image, or hidden patches."""
    backbone: str = "cnn-small"
    """cnn-small, cnn-medium; for mae: vit-mini, vit-tiny, vit-small."""
    image_shape: tuple[int, int, int] = (28, 28, 1)
    """Height, width, channels (1 or 3) that images are brought to."""
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
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, weight_decay=0.05)

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_shares(self, "mask_rate", "scale")
        if (self.objective == "mae") != self.backbone.startswith("vit"):
            sides = f"--objective {self.objective} with --backbone {self.backbone}"
            raise UsageError(f"{sides}: mae needs a vit, the others a cnn")


def main(run: Config) -> FitResult | None:
    """Data, model, fit, save, report."""
    strategy = make_strategy(run.devices.replicas)
    examples = open_source(run.source, label_column="")
    examples = examples.sample(300, seed=run.seed) if run.fast else examples
    train, validation = examples.split("train"), examples.split("validation")
    keras.utils.set_random_seed(run.seed)

    pixels = read_pixels(run.preset) if run.preset else Pixels()
    with strategy.scope():
        dtype = resolve_precision(run.precision)
        if run.preset:
            backbone = load_backbone(run.preset, dtype=dtype)
        else:
            size = run.patch_size
            backbone = make_image_backbone(run.backbone, image_shape=run.image_shape, patch_size=size, dtype=dtype)
        objectives = {"autoencoder": Autoencoder, "denoising": DenoisingAutoencoder, "mae": MaskedAutoencoder}
        model = objectives[run.objective](
            backbone, pixels=dataclasses.replace(pixels, size=pixels.size or run.image_shape[:2])
        )
    shape = tuple(model.input["images"].shape[1:])

    hide = None
    if run.objective == "mae":
        hide = hidden_patches(backbone.num_patches, run.mask_rate)
    if run.objective == "denoising":
        move = jitter(shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
        hide = denoising(run.noise_stddev, run.mask_rate, patch_size=run.patch_size, move=move)
    make_batches = functools.partial(image_batches, image_shape=shape, seed=run.seed, transform=hide)
    batches, held_out = make_batches(train, run.batch_size), make_batches(validation, run.batch_size).in_order()
    if run.dry_run:
        describe(model, batches, run)
        return None

    sample = next(iter(make_batches(validation.sample(8, seed=run.seed), 8).in_order()))
    pages = [ReconstructionPage(sample, f"{run.out_dir}/logs")]
    about = identity_of(backbone, batches, data=train)
    result = fit(model, batches, run, validation=held_out, callbacks=pages, identity=about)
    save_preset(f"{run.out_dir}/preset", model)

    figures = model.evaluate(held_out, verbose=0, return_dict=True)
    report = report_reconstructions(model, sample, run, result, figures)
    print(f"validation: {', '.join(f'{name} {value:.4f}' for name, value in figures.items())}")
    print(f"preset: {run.out_dir}/preset\nreport: {report}")
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
