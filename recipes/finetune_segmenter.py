"""Fine-tunes a pre-trained image backbone into a segmenter: the class of every pixel, with few images or many.

    python recipes/finetune_segmenter.py --preset runs/pretrain_image/preset --source demo:mnist5k-masks

Judged on the validation set by the mean IoU (intersection over union of each class). Leaves OUT_DIR/preset (segmenter and
backbone), report/index.html (test set: IoU and Dice of each class, simple models to compare with, images beside truth and
prediction), logs, checkpoints. Then: python recipes/export.py --run-dir runs/finetune_segmenter
"""

import dataclasses
import functools

import tfpretune as tp
from tfpretune.errors import UsageError
from tfpretune.settings import MovedImages, OptimizerConfig, TaskConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(MovedImages, TaskConfig):
    """Settings."""

    source: str = "demo:mnist5k-masks"
    """Images with masks: images:FOLDER with FOLDER/images and FOLDER/masks (PNG, a pixel is the number of its class, 255 of
    none; FOLDER/classes.txt names them, or lists their colours), demo:mnist5k-masks."""
    out_dir: str = "runs/finetune_segmenter"
    preset: str = "runs/pretrain_image/preset"
    steps: int = 600
    batch_size: int = 32
    save_every_steps: int = 100
    mask_orientation: tp.data.MaskOrientation = "auto"
    """What masks of photos that are stored turned (Exif) are drawn on, where no size tells: the stored pixels, or upright."""
    mask_values: tuple[int, ...] = ()
    """The numbers in masks that are classes, in their order, such as 0 255; all others have no class. Empty: as they are."""
    train_images: int = 0
    """Labelled images to use; 0 uses all of the training split."""
    hidden_dim: int = 64
    """Channels of the head's two convolutions."""
    balance_classes: bool = False
    """Weigh pixels so that all classes count the same, against a large background."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, warmup=0.1, weight_decay=0.05)

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        if self.train_images < 0 or self.hidden_dim < 1:
            raise UsageError("--train-images must not be negative and --hidden-dim must be at least 1")


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, report, save."""
    strategy = tp.training.make_strategy(run.devices.replicas)
    orientation, resize = run.mask_orientation, tp.backbones.read_resize(run.preset, run.resize)
    opened = functools.partial(tp.data.open_masks, orientation=orientation, values=run.mask_values, resize=resize)
    source, splits = opened(run.source), tp.tasks.split_form(run)
    known = functools.partial(opened, class_names=source.class_names)
    most = 32 if run.fast else 0
    parts = tp.tasks.split_parts(source, most=most, seed=run.seed, splits=splits, open_part=known)
    train = parts.train.sample(run.train_images or len(parts.train), seed=run.seed)
    tp.training.set_random_seed(run.seed)

    with strategy.scope():
        model = tp.finetune.segmenter(
            tp.tasks.load_start(run),
            len(source.class_names),
            dropout=run.dropout,
            hidden_dim=run.hidden_dim,
            preprocessing=tp.backbones.Preprocessing(
                image_size=run.image_size, pixels=tp.backbones.read_pixels(run.preset)
            ),
            class_weights=tp.tasks.pixel_weights(train.pixels()) if run.balance_classes else None,
        )
    shape, moved = tuple(model.input["images"].shape[1:]), tp.data.augmented(**run.moves, masks="labels")
    batches = tp.data.mask_batches(train, run.batch_size, image_shape=shape, seed=run.seed, transform=moved)
    if not tp.tasks.made_ready(model, batches, run):
        return None

    task = tp.tasks.SegmentationTask(parts._replace(train=train), shape, run.batch_size)
    result = tp.tasks.fit_task(task, model, batches, run)
    report = task.report(model, run, result)
    tp.training.save_preset(f"{run.out_dir}/preset", model, task=report.task)
    launch.close(f"test {report.summary}", report.page, launch.to_export(run), verdict=report.verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
