"""Fine-tunes a pre-trained image backbone into a segmenter: the class of every pixel, with few images or many.

    python recipes/finetune_segmenter.py --preset runs/pretrain_image/preset --source demo:mnist5k-masks

Judged on the validation set by the mean IoU (intersection over union of each class). Leaves OUT_DIR/preset (segmenter and
backbone), report/index.html (test set: IoU and Dice of each class, simple models to compare with, images beside truth and
prediction), logs, checkpoints. Then: python recipes/export.py --run-dir runs/finetune_segmenter
"""

import dataclasses
import functools
from typing import Any

import keras

from tfpretune.backbones import Preprocessing
from tfpretune.backbones.by_name import load_backbone
from tfpretune.backbones.feeding import read_pixels
from tfpretune.data.batches.masks import mask_batches
from tfpretune.data.batches.transforms import jitter
from tfpretune.data.readers.masks.geometry import MaskOrientation
from tfpretune.data.sources.masks import open_masks
from tfpretune.errors import UsageError
from tfpretune.evaluation.metrics.segmentation import segmentation_metrics
from tfpretune.evaluation.report.report import write_report
from tfpretune.finetune import segmenter
from tfpretune.settings import launch
from tfpretune.settings.finetune import TaskConfig
from tfpretune.settings.run import OptimizerConfig, require_shares
from tfpretune.tasks.fitting import fit_head
from tfpretune.tasks.methods import apply_methods
from tfpretune.tasks.segmentation import (
    OVERALL,
    count_pixels,
    pixel_predictor,
    pixel_weights,
    segmentation_pictures,
    segmentation_tables,
    simple_predictors,
)
from tfpretune.training import FitResult, make_strategy, resolve_precision
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import identity_of
from tfpretune.training.presets import save_preset


@dataclasses.dataclass(frozen=True)
class Config(TaskConfig):
    """Settings."""

    source: str = "demo:mnist5k-masks"
    """Images with masks: images:FOLDER with FOLDER/images and FOLDER/masks (PNG, a pixel is the number of its class, 255 of
    none; FOLDER/classes.txt names them, or lists their colours), demo:mnist5k-masks."""
    out_dir: str = "runs/finetune_segmenter"
    preset: str = "runs/pretrain_image/preset"
    steps: int = 600
    batch_size: int = 32
    save_every_steps: int = 100
    mask_orientation: MaskOrientation = "auto"
    """What masks of photos that are stored turned (Exif) are drawn on, where no size tells: the stored pixels, or upright."""
    mask_values: tuple[int, ...] = ()
    """The numbers in masks that are classes, in their order, such as 0 255; all others have no class. Empty: as they are."""
    train_images: int = 0
    """Use only so many labelled images; 0 uses all of the training part."""
    image_size: tuple[int, int] = (0, 0)
    """Height and width for a backbone that takes images of any size, such as most of KerasHub's; 0 0 elsewhere."""
    hidden_dim: int = 64
    """Channels of the head's two convolutions."""
    balance_classes: bool = False
    """Weigh pixels so that all classes count the same, against a large background."""
    flip: bool = False
    """Augmentation, of images and masks alike: mirror left and right. Not for digits or letters."""
    shift: int = 2
    """Augmentation: largest move, pixels."""
    rotate_degrees: float = 15.0
    """Augmentation: largest angle to either side."""
    scale: float = 0.1
    """Augmentation: largest zoom in or out, as a share of the size."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, warmup=0.1, weight_decay=0.05)

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_shares(self, "scale")
        if self.train_images < 0 or self.hidden_dim < 1:
            raise UsageError("--train-images must not be negative and --hidden-dim must be at least 1")


def main(run: Config) -> FitResult | None:
    """Data, model, fit, report, save."""
    strategy = make_strategy(run.devices.replicas)
    source = open_masks(run.source, orientation=run.mask_orientation, values=run.mask_values)
    names, most = source.class_names, 32 if run.fast else len(source)
    train, validation, test = (
        part.sample(most, seed=run.seed)
        for part in (source.split("train"), source.split("validation"), source.split("test"))
    )
    train = train.sample(run.train_images or len(train), seed=run.seed)
    pixels = train.pixels()
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        dtype, dropout = resolve_precision(run.precision), run.backbone_dropout
        backbone = load_backbone(run.preset, dtype=dtype, random_weights=run.from_scratch, dropout=dropout)
        model = segmenter(
            backbone,
            len(names),
            dropout=run.dropout,
            hidden_dim=run.hidden_dim,
            preprocessing=Preprocessing(image_size=run.image_size, pixels=read_pixels(run.preset)),
            class_weights=pixel_weights(pixels) if run.balance_classes else None,
        )
    table = apply_methods(model, run)
    shape = tuple(model.input["images"].shape[1:])
    plain = functools.partial(mask_batches, image_shape=shape)
    moves: dict[str, Any] = {
        "flip": run.flip,
        "shift": run.shift,
        "rotate_degrees": run.rotate_degrees,
        "scale": run.scale,
    }
    batches = plain(train, run.batch_size, seed=run.seed, transform=jitter(**moves, masks="labels"))
    if run.dry_run:
        describe(model, batches, run)
        return None
    print(table)

    predict = pixel_predictor(model)
    watched, tested = (plain(part, run.batch_size).in_order() for part in (validation, test))
    result = fit_head(
        model,
        batches,
        run,
        validation=watched,
        identity=identity_of(backbone, batches, class_names=names, data=train),
        measure=lambda: {
            "mean_iou": segmentation_metrics(count_pixels(predict, watched, len(names)), names)["mean_iou"]
        },
        monitor=("mean_iou", "max"),
    )
    models = simple_predictors(plain(train, run.batch_size).in_order(), pixels) | {"segmenter": predict}
    found = {name: segmentation_metrics(count_pixels(each, tested, len(names)), names) for name, each in models.items()}
    metrics = found["segmenter"]
    report = write_report(
        run.out_dir,
        title=f"{run.source}: classes of the test set's pixels",
        metrics=metrics,
        headline=OVERALL,
        curves={
            "loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]},
            "mean IoU": {"validation": result.curves["val_mean_iou"]},
        },
        tables=segmentation_tables(found, names, model="segmenter"),
        pictures=segmentation_pictures(predict, next(iter(plain(test.sample(8), 8).in_order())), names),
        settings=dataclasses.asdict(run) | {"training images": len(train), "licence": source.images.licence},
    )
    task: dict[str, Any] = {"kind": "image", "class_names": list(names), "image_shape": shape, "source": run.source}
    save_preset(f"{run.out_dir}/preset", model, task=task | {"licence": source.images.licence, "metrics": metrics})
    simple = max(found[name]["mean_iou"] for name in found if name != "segmenter")
    print(f"test mean IoU {metrics['mean_iou']:.3f} (the better simple model {simple:.3f})\nreport: {report}")
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
