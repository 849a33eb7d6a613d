"""Fine-tunes a pre-trained image backbone into a classifier, with few labels or many.

    python recipes/finetune_image.py --preset runs/pretrain_image/preset --source demo:mnist5k --labels-per-class 10

Leaves OUT_DIR/preset (the classifier and its backbone), report/index.html (test set), logs (TensorBoard), checkpoints.
Then: python recipes/export.py --run-dir runs/finetune_image
"""

import dataclasses
import json

import keras
import tensorflow as tf

from tfpretune import config
from tfpretune.backbones.sizes import load_backbone
from tfpretune.config import OptimizerConfig, RunConfig, UsageError
from tfpretune.data.columns import image_array, image_batches
from tfpretune.data.images import augment
from tfpretune.data.sources import open_source
from tfpretune.evaluation.predict import predict_probabilities
from tfpretune.evaluation.report import write_report
from tfpretune.finetune import balanced_class_weights, classifier, format_table, freeze, start_head_from_probe
from tfpretune.training import FitResult, fit, make_strategy, resolve_precision
from tfpretune.training.dry_run import describe
from tfpretune.training.pages import ConfusionPage
from tfpretune.training.pages_run import EmbeddingsPage, write_hparams
from tfpretune.training.presets import save_preset


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """Settings."""

    source: str = "demo:mnist5k"
    """Images with labels: demo:NAME, tfds:NAME, images:FOLDER."""
    out_dir: str = "runs/finetune_image"
    """Folder of the run: settings, checkpoints, logs, preset, report."""
    preset: str = "runs/pretrain_image/preset"
    """The pre-trained backbone: a folder, or a KerasHub name."""
    from_scratch: bool = False
    """Take only the preset's architecture, with random weights: the side to compare with."""
    steps: int = 300
    """Optimizer steps; 0 to give --epochs."""
    batch_size: int = 32
    """Examples a step, over all replicas."""
    save_every_steps: int = 50
    """Steps between two checkpoints; the validation set is evaluated as often."""
    labels_per_class: int = 0
    """Use only so many labelled examples of each class; 0 uses all."""
    frozen: str = "none"
    """none, all (only the head learns), the number of bottom layers that stay, or a pattern on layer names."""
    probe_head: bool = True
    """Start the head from a logistic regression on the frozen features (LP-FT); matters most with few labels."""
    dropout: float = 0.1
    """Rate of dropout before the classifier's last layer."""
    label_smoothing: float = 0.0
    """Share of each target that is spread over all classes."""
    balance_classes: bool = False
    """Weigh examples so that all classes count the same."""
    flip: bool = False
    """Augmentation: mirror left and right. Not for digits or letters."""
    shift: int = 2
    """Augmentation: largest move, pixels."""
    rotate_degrees: float = 15.0
    """Augmentation: largest angle to either side."""
    scale: float = 0.1
    """Augmentation: largest zoom in or out, as a share of the size."""
    patience: int = 0
    """Stop after so many evaluations without a better validation accuracy; 0 never stops early."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, warmup=0.1, weight_decay=0.05)


def main(run: Config) -> FitResult | None:
    """Data, model, freezing, fit, report, save."""
    config.require_shares(run, "dropout", "label_smoothing", "scale")
    strategy = make_strategy(run.devices.replicas)
    examples = open_source(run.source).without_duplicates()
    if len(examples.class_names) < 2:
        raise UsageError(
            f"--source {run.source} has {len(examples.class_names)} classes: labels of at least 2 are needed"
        )
    parts = {name: examples.split(name) for name in ("train", "validation", "test")}
    if run.labels_per_class:
        parts["train"] = parts["train"].few_labels(run.labels_per_class, run.seed)
    if run.fast:
        parts = {name: part.sample(64, seed=run.seed) for name, part in parts.items()}
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        backbone = load_backbone(run.preset, dtype=resolve_precision(run.precision), random_weights=run.from_scratch)
        model = classifier(
            backbone,
            len(examples.class_names),
            dropout=run.dropout,
            label_smoothing=run.label_smoothing,
            class_weights=balanced_class_weights(parts["train"].known_labels, len(examples.class_names))
            if run.balance_classes
            else None,
        )
    table = freeze(model, run.frozen)

    def transform(batch: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        moved = augment(
            batch["images"], seed, flip=run.flip, shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale
        )
        return batch | {"images": moved}

    shape = tuple(backbone.input["images"].shape[1:])
    batches = image_batches(parts["train"], run.batch_size, image_shape=shape, seed=run.seed, transform=transform)
    validation = image_batches(parts["validation"], run.batch_size, image_shape=shape).in_order(256)
    if run.dry_run:
        describe(model, batches, run)
        return None
    print(format_table(table))
    if run.probe_head and not run.from_scratch:
        start_head_from_probe(model, image_batches(parts["train"], 256, image_shape=shape).in_order())

    logs = f"{run.out_dir}/logs"
    names = [examples.class_names[label] for label in parts["validation"].known_labels]
    pages = [
        ConfusionPage(validation, examples.class_names, log_dir=logs),
        EmbeddingsPage(validation, {"label": names, "where": parts["validation"].where}, log_dir=logs),
    ]
    result = fit(
        model,
        batches,
        run,
        validation=validation,
        callbacks=pages,
        monitor="val_accuracy",
        mode="max",
        patience=run.patience,
        restore_best=True,
    )

    test = parts["test"]
    report = write_report(
        run.out_dir,
        title=f"{run.source}: test set",
        kind="image",
        labels=test.known_labels,
        probabilities=predict_probabilities(
            model, image_batches(test, run.batch_size, image_shape=shape).in_order(256)
        ),
        class_names=examples.class_names,
        inputs=image_array(test, shape),
        where=test.where,
        curves={"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}},
        settings=dataclasses.asdict(run) | {"licence": examples.licence, "training examples": len(parts["train"])},
    )
    metrics = json.loads(report.with_name("metrics.json").read_text("utf-8"))
    write_hparams(
        logs,
        dataclasses.asdict(run),
        {"test_accuracy": metrics["accuracy"], "test_f1_macro": metrics["f1_macro"]},
        step=result.steps,
    )
    task = {
        "kind": "image",
        "class_names": examples.class_names,
        "image_shape": shape,
        "source": run.source,
        "licence": examples.licence,
        "metrics": metrics,
    }
    save_preset(f"{run.out_dir}/preset", model, task=task)
    print(
        f"test accuracy {metrics['accuracy']:.3f}, macro F1 {metrics['f1_macro']:.3f} on {len(test)} images\nreport: {report}"
    )
    return result


if __name__ == "__main__":
    config.run(Config, main, __doc__)
