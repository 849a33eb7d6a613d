"""Fine-tunes a pre-trained image backbone into a classifier, with few labels or many; also on sets of labels and on numbers.

    python recipes/finetune_image.py --preset runs/pretrain_image/preset --source demo:mnist5k --labels-per-class 10

Leaves OUT_DIR/preset (the classifier and its backbone), report/index.html (test set), logs (TensorBoard), checkpoints. About
20 seconds on 2 cores; expect an accuracy of 0.95 on the test set with this command.
--label-kind number learns the numbers that the folders are named after (regression); --label-kind set learns several labels of
an image or none: the folder "cat;dog" holds images with both.
Then: python recipes/export.py --run-dir runs/finetune_image
"""

import dataclasses
import functools

import keras

from tfpretune.backbones import Preprocessing
from tfpretune.backbones.by_name import load_backbone
from tfpretune.backbones.feeding import read_pixels
from tfpretune.data.batches.examples import image_array, image_batches
from tfpretune.data.batches.transforms import jitter
from tfpretune.finetune import pooled_head, start_head_from_probe
from tfpretune.settings import launch
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig, require_shares
from tfpretune.tasks.classification import HEADS, fit_labelled, make_target, open_parts, report_labelled
from tfpretune.tasks.methods import apply_methods
from tfpretune.training import FitResult, make_strategy, resolve_precision
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.presets import save_preset


@dataclasses.dataclass(frozen=True)
class Config(FinetuneConfig):
    """Settings."""

    source: str = "demo:mnist5k"
    """Images with labels: demo:NAME, tfds:NAME, images:FOLDER."""
    out_dir: str = "runs/finetune_image"
    preset: str = "runs/pretrain_image/preset"
    steps: int = 300
    batch_size: int = 32
    save_every_steps: int = 50
    image_size: tuple[int, int] = (0, 0)
    """Height and width for a backbone that takes images of any size, such as most of KerasHub's; 0 0 elsewhere."""
    flip: bool = False
    """Augmentation: mirror left and right. Not for digits or letters."""
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


def main(run: Config) -> FitResult | None:
    """Data, model, fit, report, save."""
    strategy = make_strategy(run.devices.replicas)
    parts = open_parts(run)
    target = make_target(parts.train, run)
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        backbone = load_backbone(
            run.preset,
            dtype=resolve_precision(run.precision),
            random_weights=run.from_scratch,
            dropout=run.backbone_dropout,
        )
        model = pooled_head(
            backbone,
            target,
            preprocessing=Preprocessing(image_size=run.image_size, pixels=read_pixels(run.preset)),
            dropout=run.dropout,
            name=HEADS[parts.train.label_kind],
        )
    table = apply_methods(model, run)
    shape = tuple(model.input["images"].shape[1:])
    plain = functools.partial(image_batches, image_shape=shape)
    moved = jitter(flip=run.flip, shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
    batches = plain(parts.train, run.batch_size, seed=run.seed, transform=moved)
    if run.dry_run:
        describe(model, batches, run)
        return None
    print(table)
    if run.probe_head and not run.from_scratch:
        start_head_from_probe(model, plain(parts.train, 256).in_order())

    validation, test = (plain(part, 256).in_order() for part in (parts.validation, parts.test))
    result = fit_labelled(model, batches, run, validation=validation, examples=parts.validation, train=parts.train)
    shown = image_array(parts.test, shape)
    report = report_labelled(model, run, result, parts=parts, validation=validation, batches=test, inputs=shown)
    task = report.task | {"image_shape": shape} | parts.form.as_task()
    save_preset(f"{run.out_dir}/preset", model, task=task)
    print(f"test {report.summary}\nreport: {report.page}")
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
