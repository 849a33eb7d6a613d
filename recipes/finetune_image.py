"""Fine-tunes a pre-trained image backbone into a classifier, with few labels or many; also on sets of labels and on numbers.

    python recipes/finetune_image.py --preset runs/pretrain_image/preset --source demo:mnist5k --labels-per-class 10

Leaves OUT_DIR/preset (the classifier and its backbone), report/index.html (test set), logs (TensorBoard), checkpoints. About
20 seconds on 2 cores; expect an accuracy of 0.95 on the test set with this command.
--label-kind regression learns the numbers that the folders are named after (regression);
--label-kind multi-label learns several labels of
an image or none: the folder "cat;dog" holds images with both.
Then: python recipes/export.py --run-dir runs/finetune_image
"""

import dataclasses
import functools
from typing import Any

import tfpretune as tp
from tfpretune.settings import FinetuneConfig, MovedImages, OptimizerConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(MovedImages, FinetuneConfig):
    """Settings."""

    source: str = "demo:mnist5k"
    """Images with labels: demo:NAME, tfds:NAME, images:FOLDER."""
    out_dir: str = "runs/finetune_image"
    preset: str = "runs/pretrain_image/preset"
    steps: int = 300
    batch_size: int = 32
    save_every_steps: int = 50
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, warmup=0.1, weight_decay=0.05)


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, report, save."""
    strategy = tp.training.make_strategy(run.devices.replicas)
    parts = tp.tasks.open_splits(run)
    labels = tp.tasks.LABELS[parts.train.label_kind]

    def build(train: "tp.data.Examples", seed: int) -> "tp.objectives.Supervised":
        """A new model for these examples; folds have one each."""
        tp.training.set_random_seed(seed)
        pixels = tp.backbones.read_pixels(run.preset)
        with strategy.scope():
            return tp.finetune.pooled_head(
                tp.tasks.load_start(run),
                labels.target(train, run),
                preprocessing=tp.backbones.Preprocessing(image_size=run.image_size, pixels=pixels),
                dropout=run.dropout,
                name=labels.head,
            )

    def learn(train: "tp.data.Examples", seed: int) -> "tp.data.StepIndexed":
        return plain(train, run.batch_size, seed=seed, transform=tp.data.augmented(**run.moves))

    def read(part: "tp.data.Examples") -> Any:
        return plain(part, 256).in_order() if len(part) else None

    model = build(parts.train, run.seed)
    shape = tuple(model.input["images"].shape[1:])
    plain = functools.partial(tp.data.image_batches, image_shape=shape)
    batches = learn(parts.train, run.seed)
    if not tp.tasks.made_ready(model, batches, run, folds=parts.folds):
        return None
    held_out = tp.tasks.cross_validate(run, parts, build=build, learn=learn, read=read)  # where there are few labels
    if run.init_head_from_probe and not run.from_scratch:
        tp.finetune.start_head_from_probe(model, read(parts.train))

    task = labels(parts, read(parts.validation), read(parts.test), held_out=held_out)
    result = tp.tasks.fit_task(task, model, batches, run)
    report = task.report(model, run, result)
    tp.training.save_preset(f"{run.out_dir}/preset", model, task=report.task | {"image_shape": shape})
    launch.close(report.closing, report.page, launch.to_export(run), verdict=report.verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
