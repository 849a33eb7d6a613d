"""Fine-tunes a pre-trained backbone of texts or images to embeddings: near for examples of one class, far for others.

    python recipes/finetune_embedder.py --preset runs/pretrain_text/preset --source demo:bbc

For images: --preset runs/pretrain_image/preset --source demo:mnist5k. The loss is supervised contrastive; the run is judged on
the validation set by the mean average precision of searching it. Leaves OUT_DIR/preset (embedder, backbone, tokenizer),
report/index.html (recall at 1, 5 and 10 of the test set, beside the backbone before fine-tuning and TF-IDF or pixels),
logs (TensorBoard), checkpoints. Then: python recipes/export.py --run-dir runs/finetune_embedder
"""

import dataclasses
from typing import Any

import keras
import numpy as np

from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.data.batches.balanced import class_balanced
from tfpretune.data.batches.transforms import jitter
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.labelled import labelled_parts
from tfpretune.errors import UsageError
from tfpretune.evaluation.metrics.retrieval import retrieval_metrics
from tfpretune.evaluation.report.report import write_report
from tfpretune.finetune import embedder
from tfpretune.finetune.methods.probing import features_of
from tfpretune.settings import launch
from tfpretune.settings.finetune import TaskConfig
from tfpretune.settings.run import OptimizerConfig, require_shares
from tfpretune.tasks.embedding import (
    FIGURES,
    Space,
    embedding_predictor,
    search_metrics,
    search_tables,
    show_nearest,
    simple_space,
)
from tfpretune.tasks.fitting import fit_head
from tfpretune.tasks.kinds import INPUTS, ImageInputs, TextInputs
from tfpretune.tasks.known_words import require_known
from tfpretune.tasks.methods import apply_methods
from tfpretune.training import FitResult, make_strategy, resolve_precision
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import identity_of
from tfpretune.training.presets import save_preset
from tfpretune.training.tensorboard.run import EmbeddingsPage


@dataclasses.dataclass(frozen=True)
class Config(TaskConfig):
    """Settings."""

    source: str = "demo:bbc"
    """Texts or images with classes."""
    out_dir: str = "runs/finetune_embedder"
    preset: str = "runs/pretrain_text/preset"
    steps: int = 240
    batch_size: int = 32
    save_every_steps: int = 40
    labels_per_class: int = 0
    """Use only so many labelled examples of each class; 0 uses all."""
    labels_as_written: bool = False
    """Each spelling is a class of its own, such as NA, or Sport beside sport."""
    size: int = 128
    """Numbers of an embedding."""
    temperature: float = 0.1
    """Of the loss, above 0: the smaller, the more the nearest wrong examples count."""
    per_class: int = 4
    """Examples of a class that come together in a batch, all classes equally often; 0: examples as they come."""
    sequence_length: int = 256
    """Texts: tokens of a text that are read."""
    window_length: int = 128
    """Texts: read them in windows of this length and average; 0 reads them at once."""
    image_size: tuple[int, int] = (0, 0)
    """Images: height and width for a backbone that takes images of any size; 0 0 elsewhere."""
    flip: bool = False
    """Images: augmentation, mirror left and right. Not for digits or letters."""
    shift: int = 2
    """Images: augmentation, largest move, pixels."""
    rotate_degrees: float = 15.0
    """Images: augmentation, largest angle to either side."""
    scale: float = 0.1
    """Images: augmentation, largest zoom in or out, as a share of the size."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3, warmup=0.1)

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_shares(self, "scale")
        together = "the loss compares all examples of a batch with each other"
        reasons = (
            (self.size < 1 or not self.temperature > 0, "--size must be at least 1 and --temperature above 0"),
            (self.labels_per_class < 0, "--labels-per-class must not be negative"),
            (
                self.per_class and (self.per_class < 2 or self.batch_size % self.per_class),
                f"--per-class must be 0, or at least 2 and divide --batch-size {self.batch_size}, "
                f"received {self.per_class}",
            ),
            (
                self.window_length and self.sequence_length % self.window_length,
                f"--sequence-length {self.sequence_length} is no multiple of --window-length {self.window_length}",
            ),
            (self.r_drop, "--r-drop: embeddings have no distance between two passes; leave it out"),
            (self.accumulate_steps != 1, f"--accumulate-steps must be 1: {together}"),
            (self.jit == "on" and self.devices.replicas > 1, f"--jit on with several replicas: {together}"),
            (self.cache_features and self.per_class, "--cache-features serves rows as they come: give --per-class 0"),
        )
        for holds, reason in reasons:
            if holds:
                raise UsageError(reason)


def main(run: Config) -> FitResult | None:
    """Data, model, fit, report, save."""
    strategy, most = make_strategy(run.devices.replicas), 64 if run.fast else 0
    form = SourceForm(label_kind="class", labels_as_written=run.labels_as_written)
    parts = labelled_parts(run.source, form, labels_per_class=run.labels_per_class, most=most, seed=run.seed)
    kind, text = parts.train.kind, parts.train.kind == "text"
    tokenizer = load_tokenizer(run.preset) if text else None
    if text:
        require_known(tokenizer, parts.train.inputs, source=run.source, preset=run.preset, limit=run.most_unknown)
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        dtype, dropout = resolve_precision(run.precision), run.backbone_dropout
        backbone = load_backbone(run.preset, dtype=dtype, random_weights=run.from_scratch, dropout=dropout)
        reads = INPUTS[kind].preprocessing_of(run.preset, window_length=run.window_length, image_size=run.image_size)
        model = embedder(backbone, run.size, temperature=run.temperature, dropout=run.dropout, preprocessing=reads)
    table = apply_methods(model, run)
    shape: Any = None if text else tuple(model.input["images"].shape[1:])
    make = (TextInputs(tokenizer, run.sequence_length) if text else ImageInputs(shape)).batches
    moves: dict[str, Any] = {"shift": run.shift, "rotate_degrees": run.rotate_degrees, "scale": run.scale}
    moved = None if text else jitter(flip=run.flip, **moves)
    batches = class_balanced(make(parts.train, run.batch_size, seed=run.seed, transform=moved), run.per_class)
    if run.dry_run:
        describe(model, batches, run)
        return None
    print(table)

    mixed = np.random.default_rng(run.seed).permutation(len(parts.validation))  # a source may be sorted by its classes
    validation = parts.validation.take(mixed)
    watched, gallery, queries = (
        make(part, run.batch_size).in_order() for part in (validation, parts.train, parts.test)
    )
    name, simple = simple_space(parts, shape=shape)
    spaces = {name: simple, "backbone before": Space(features_of(model, gallery), features_of(model, queries))}

    embed, labels = embedding_predictor(model), validation.known_labels
    own = identity_of(backbone, batches, tokenizer=tokenizer, class_names=parts.class_names, data=parts.train)
    shown = {"label": [parts.class_names[label] for label in labels], "where": validation.where}
    result = fit_head(
        model,
        batches,
        run,
        validation=watched,
        identity=own,
        pages=lambda found: [EmbeddingsPage(found, shown, log_dir=f"{run.out_dir}/logs", outputs=True)],
        measure=lambda: {key: retrieval_metrics(embed(watched), labels)[key] for key in ("recall@1", "map")},
        monitor=("map", "max"),
    )
    spaces["embedder"] = Space(embed(gallery), embed(queries))
    found = {name: search_metrics(space, parts) for name, space in spaces.items()}
    metrics = found["embedder"]
    neighbours, pictures = show_nearest(spaces["embedder"], parts)
    report = write_report(
        run.out_dir,
        title=f"{run.source}: searching with the test set",
        metrics=metrics,
        headline=FIGURES,
        curves={
            "loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]},
            "searching the validation set": {key: result.curves[f"val_{key}"] for key in ("map", "recall@1")},
        },
        tables=[*search_tables(found), neighbours],
        pictures=pictures,
        settings=dataclasses.asdict(run) | {"training examples": len(parts.train), "licence": parts.train.licence},
        data=parts.train.near_copies(),
    )
    task: dict[str, Any] = {"kind": kind, "source": run.source, "licence": parts.train.licence, "metrics": metrics}
    task |= {"sequence_length": run.sequence_length, "window_length": run.window_length} if text else {}
    save_preset(
        f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=task | ({} if text else {"image_shape": shape})
    )
    print(
        f"test recall@1 {metrics['recall@1']:.3f}, mAP {metrics['map']:.3f} in the training examples "
        f"({name} {found[name]['recall@1']:.3f}, {found[name]['map']:.3f})\nreport: {report}"
    )
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
