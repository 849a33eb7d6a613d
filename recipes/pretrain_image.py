"""Pre-trains an image backbone on images without labels: plain, denoising or masked autoencoder.

    python recipes/pretrain_image.py --source demo:mnist5k --objective denoising --out-dir runs/pretrain_image

Leaves OUT_DIR/preset (the backbone), report/index.html (curves, restored images), report/reconstructions.png, logs
(TensorBoard) and checkpoints. About 1.5 minutes on 2 cores; expect a validation PSNR of 13.9 dB (the input is moved, so the
model cannot know the exact strokes).
What an --objective is made of stands in the table of tfpretune/tasks/pretraining/images.py.
"""

import dataclasses
import functools
from typing import Any

import tfpretune as tp
from tfpretune.settings import OptimizerConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(tp.tasks.ImagePretrainingConfig):
    """Settings."""

    source: str = "demo:mnist5k"
    """Images, labels are not used: demo:NAME, tfds:NAME, images:FOLDER."""
    out_dir: str = "runs/pretrain_image"
    steps: int = 2000
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, weight_decay=0.05)


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, save, report."""
    strategy, objective = tp.training.make_strategy(run.devices.replicas), tp.tasks.IMAGE_OBJECTIVES[run.objective]
    form = tp.tasks.source_form(run, label_column="")
    few: dict[str, Any] = {"most": 300 if run.fast else 0, "seed": run.seed}
    opened = functools.partial(tp.data.pretraining_parts, run.source, form, kind="image", **few)
    parts = tp.tasks.splits_of_run(run, lambda splits: opened(splits=splits))
    train, validation = parts
    tp.training.set_random_seed(run.seed)

    with strategy.scope():
        dtype = tp.training.resolve_precision(run.precision)
        run, backbone, pixels = tp.tasks.open_image_backbone(run, parts.whole, dtype=dtype)
        model = objective.make_model(backbone, pixels, run)
    shape = tuple(model.input["images"].shape[1:])

    transform = objective.transform(run, backbone)
    make_batches = functools.partial(tp.data.image_batches, image_shape=shape, seed=run.seed, transform=transform)
    batches, held_out = make_batches(train, run.batch_size), make_batches(validation, run.batch_size).in_order()
    if run.dry_run:
        tp.training.describe(model, batches, run)
        return None

    sample = next(iter(make_batches(validation.sample(8, seed=run.seed), 8).in_order()))
    pages = [objective.make_page(sample, f"{run.out_dir}/logs")] if objective.make_page else []
    about = tp.training.fingerprint_of(backbone, batches, data=train)
    result = tp.training.fit(model, batches, run, validation=held_out, callbacks=pages, identity=about)
    tp.training.save_preset(f"{run.out_dir}/preset", model, resize=train.resize)

    figures = model.evaluate(held_out, verbose=0, return_dict=True)
    report = objective.report(model, sample, run, result, figures)
    print(f"preset: {run.out_dir}/preset")
    found = f"validation: {', '.join(f'{name} {value:.4f}' for name, value in figures.items())}"
    verdict = tp.tasks.curves_verdict(result, run)
    launch.close(found, report, launch.to_finetune("finetune_image", run), verdict=verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
