"""Pre-trains an image backbone on images without labels: plain, denoising or masked autoencoder.

    python recipes/pretrain_image.py --source demo:mnist5k --objective denoising --out-dir runs/pretrain_image

Leaves OUT_DIR/preset (the backbone), report/index.html (curves, restored images), report/reconstructions.png, logs
(TensorBoard) and checkpoints. About 1 minute on 2 cores; expect a validation PSNR of 13.9 dB (the input is moved, so the
model cannot know the exact strokes).
"""

import dataclasses
import functools
from typing import Literal

import keras
import tensorflow as tf

from tfpretune import config
from tfpretune.backbones.sizes import load_backbone, make_image_backbone
from tfpretune.config import OptimizerConfig, RunConfig, UsageError
from tfpretune.data.columns import image_batches
from tfpretune.data.images import augment
from tfpretune.data.masking import corrupt_images, mask_patches
from tfpretune.data.sources import open_source
from tfpretune.evaluation.pictures import Pictures
from tfpretune.evaluation.report import write_pretraining_report
from tfpretune.objectives import Autoencoder, DenoisingAutoencoder, MaskedAutoencoder
from tfpretune.training import FitResult, fit, make_strategy, resolve_precision
from tfpretune.training.dry_run import describe
from tfpretune.training.pages import ReconstructionPage, reconstruction_grid
from tfpretune.training.presets import save_preset


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """Settings."""

    source: str = "demo:mnist5k"
    """Images, labels are not used: demo:NAME, tfds:NAME, images:FOLDER."""
    out_dir: str = "runs/pretrain_image"
    """Folder of the run: settings, checkpoints, logs, preset, report."""
    steps: int = 2000
    """Optimizer steps; 0 to give --epochs."""
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


def main(run: Config) -> FitResult | None:
    """Data, model, fit, save."""
    config.require_shares(run, "mask_rate", "scale")
    if (run.objective == "mae") != run.backbone.startswith("vit"):
        raise UsageError(
            f"--objective {run.objective} with --backbone {run.backbone}: mae needs a vit, the others a cnn"
        )
    strategy = make_strategy(run.devices.replicas)
    examples = open_source(run.source)
    examples = examples.sample(300, seed=run.seed) if run.fast else examples
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        dtype = resolve_precision(run.precision)
        if run.preset:
            backbone = load_backbone(run.preset, dtype=dtype)
        else:
            backbone = make_image_backbone(
                run.backbone, image_shape=run.image_shape, patch_size=run.patch_size, dtype=dtype
            )
        objectives = {"autoencoder": Autoencoder, "denoising": DenoisingAutoencoder, "mae": MaskedAutoencoder}
        model = objectives[run.objective](backbone)

    def transform(batch: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        images = batch["images"]
        if run.objective == "mae":
            return batch | mask_patches(
                tf.shape(images)[0], seed, num_patches=backbone.num_patches, mask_rate=run.mask_rate
            )
        if run.objective == "denoising":
            noisy = augment(images, seed, shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
            noisy = corrupt_images(
                noisy, seed, noise_stddev=run.noise_stddev, mask_rate=run.mask_rate, patch_size=run.patch_size
            )
            return batch | {"images": noisy, "targets": images}
        return batch

    make_batches = functools.partial(
        image_batches, image_shape=backbone.image_shape, seed=run.seed, transform=transform
    )
    batches = make_batches(examples.split("train"), run.batch_size)
    validation = make_batches(examples.split("validation"), run.batch_size)
    if run.dry_run:
        describe(model, batches, run)
        return None

    sample = next(iter(make_batches(examples.split("validation").sample(8, seed=run.seed), 8).in_order()))
    pages = [ReconstructionPage(sample, f"{run.out_dir}/logs")]
    result = fit(model, batches, run, validation=validation.in_order(), callbacks=pages)

    figures = model.evaluate(validation.in_order(), verbose=0, return_dict=True)
    save_preset(f"{run.out_dir}/preset", model)
    seen, output = model.reconstruct(sample)
    rows = {"input": sample.get("targets", sample["images"]), "seen": seen, "restored": tf.cast(output, tf.float32)}
    pictures = Pictures("Validation images", {name: images.numpy() for name, images in rows.items()})
    curves = {"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}}
    report = write_pretraining_report(
        run.out_dir,
        title=f"Pre-training on {run.source}",
        metrics=figures,
        curves=curves,
        pictures=[pictures],
        settings=dataclasses.asdict(run),
    )
    grid = reconstruction_grid(*(rows[name].numpy() for name in ("input", "seen", "restored")))
    keras.utils.save_img(report.with_name("reconstructions.png"), grid, scale=False)
    print(f"validation: {', '.join(f'{name} {value:.4f}' for name, value in figures.items())}")
    print(f"preset: {run.out_dir}/preset\nreport: {report}")
    return result


if __name__ == "__main__":
    config.run(Config, main, __doc__)
