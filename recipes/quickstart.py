"""The whole job twice, on images and on text: pre-train, fine-tune on few labels, compare with training from scratch, serve.

    python recipes/quickstart.py

Images: 5,000 handwritten digits (demo:mnist5k), denoising autoencoder, 10 labels a class.
Text: 2,124 news texts in 5 topics (demo:bbc), masked language model, 10 and 50 labels a class.
Leaves OUT_DIR/{images,text}/ (preset, logs, report/index.html), OUT_DIR/results.md and saved_models/{digits,news}/1/.
"""

import dataclasses
import functools
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune import config
from tfpretune.backbones.sizes import load_backbone, load_tokenizer
from tfpretune.config import OptimizerConfig, RunError, UsageError
from tfpretune.data.batches import StepIndexed, Transform
from tfpretune.data.columns import image_array, image_batches, text_batches
from tfpretune.data.examples import Examples
from tfpretune.data.images import augment
from tfpretune.data.sources import open_source
from tfpretune.evaluation.baselines import pixel_baseline, tfidf_baseline
from tfpretune.evaluation.gain import gain_over_scratch
from tfpretune.evaluation.predict import predict_probabilities
from tfpretune.evaluation.report import write_report
from tfpretune.evaluation.tables import Table
from tfpretune.finetune import classifier, start_head_from_probe
from tfpretune.objectives import Supervised
from tfpretune.serving import export, verify
from tfpretune.training import resolve_precision
from tfpretune.training.presets import in_float32, save_preset
from tfpretune.training.trials import train_briefly

IMAGE_SHAPE = (28, 28, 1)
WINDOWS = {"sequence_length": 512, "window_length": 128}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/quickstart"
    """Folder of the runs. Pre-training that is finished there is not done again."""
    saved_models: str = "saved_models"
    """Folder of the served models."""
    seeds: int = 3
    """Draws of the labels and of the start weights that each figure is the mean of, at least 2."""
    fast: bool = False
    """Rehearse on a few batches: the figures mean nothing."""

    def __post_init__(self) -> None:
        """Refuses what gives no standard deviation."""
        if self.seeds < 2:
            raise UsageError(f"--seeds must be at least 2, received {self.seeds}")


@dataclasses.dataclass(frozen=True)
class Side:
    """One row of the comparison."""

    name: str
    pretrained: bool
    steps: int
    optimizer: OptimizerConfig
    probe_head: bool = False
    head_dropout: float = 0.1
    backbone_dropout: float | None = None


def main(run: Config) -> list[Table]:
    """Images, then text; each from unlabelled data to a checked SavedModel."""
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # many small models, so many traces: no news
    started = time.perf_counter()
    tables = [images(run), text(run)]
    results = "\n".join(table.markdown() for table in tables)
    Path(run.out_dir, "results.md").write_text(results, "utf-8")
    minutes = (time.perf_counter() - started) / 60
    print(
        f"\n{results}\n{minutes:.1f} minutes. Reports: {run.out_dir}/*/report/index.html. Models: {run.saved_models}/*/\n"
    )
    print("Next:\n  .venv/bin/tfpretune board " + run.out_dir)
    print(
        "  .venv/bin/tfpretune run finetune_text --source csv:reviews.csv --preset "
        + f"{run.out_dir}/text/preset --out-dir runs/mine"
    )
    print(f"  .venv/bin/tfpretune predict {run.saved_models}/news 'The striker scored twice in the second half.'")
    return tables


def images(run: Config) -> Table:
    """Digits: denoising autoencoder, then 10 labels a class."""
    out_dir, source = f"{run.out_dir}/images", "demo:mnist5k"
    pretrain("pretrain_image", source, out_dir, run.fast)
    examples = open_source(source).without_duplicates()
    train, test = examples.split("train"), examples.split("test")
    sides = [
        Side("from scratch", False, 300, OptimizerConfig(learning_rate=3e-3, weight_decay=0.05, warmup=0.1)),
        Side(
            "pre-trained",
            True,
            300,
            OptimizerConfig(learning_rate=3e-3, weight_decay=0.05, warmup=0.1),
            probe_head=True,
        ),
    ]

    def jitter(batch: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return batch | {"images": augment(batch["images"], seed, shift=2, rotate_degrees=15.0, scale=0.1)}

    make_batches = functools.partial(image_batches, image_shape=IMAGE_SHAPE)
    make_model = functools.partial(classifier, num_classes=10)
    trials = functools.partial(compare, run, f"{out_dir}/preset", train, test, make_model=make_model)
    pixels = functools.partial(image_array, image_shape=IMAGE_SHAPE)
    rows, scores, model = trials(10, sides, make_batches, transform=jitter, batch_size=32)
    baseline = [
        accuracy(pixel_baseline(pixels(few), few.known_labels, pixels(test), num_classes=10), test)
        for few in draws(train, 10, run.seeds)
    ]
    rows.insert(0, row("logistic regression on pixels", 10, baseline))
    gain = gain_over_scratch(scores["pre-trained"], scores["from scratch"]).sentence
    table = Table(
        f"{source}: accuracy on {len(test)} test images", ("", "labels a class", "mean", "sd"), rows, note=gain
    )
    finish(run, "digits", model, test, table, {"kind": "image", "image_shape": IMAGE_SHAPE}, make_batches)
    return table


def text(run: Config) -> Table:
    """News: masked language model, then 10 and 50 labels a class."""
    out_dir, source = f"{run.out_dir}/text", "demo:bbc"
    pretrain("pretrain_text", source, out_dir, run.fast)
    examples = open_source(source).without_duplicates()
    train, test = examples.split("train"), examples.split("test")
    tokenizer = load_tokenizer(f"{out_dir}/preset")
    make_batches = functools.partial(text_batches, tokenizer=tokenizer, sequence_length=WINDOWS["sequence_length"])
    make_model = functools.partial(classifier, num_classes=5, window_length=WINDOWS["window_length"])
    trials = functools.partial(compare, run, f"{out_dir}/preset", train, test, make_model=make_model)
    rows: list[list] = []
    notes: list[str] = []
    for labels, steps in ((10, 60), (50, 160)):
        scarce = labels == 10  # each side has the best settings of those that were tried for it
        if scarce:
            rate = OptimizerConfig(learning_rate=1e-3, warmup=0.1, multipliers=(("logits", 5.0),))
            scratch = Side("from scratch", False, steps, rate, head_dropout=0.3, backbone_dropout=0.1)
        else:
            scratch = Side("from scratch", False, steps, OptimizerConfig(learning_rate=2e-3, warmup=0.1))
        tuned = OptimizerConfig(learning_rate=1e-4 if scarce else 3e-4, warmup=0.1, multipliers=(("logits", 3.0),))
        sides = [scratch, Side("pre-trained", True, steps, tuned, probe_head=True)]
        found, scores, model = trials(labels, sides, make_batches, batch_size=16)
        baseline = [
            accuracy(tfidf_baseline(few.inputs, few.known_labels, test.inputs, num_classes=5, characters=False), test)
            for few in draws(train, labels, run.seeds)
        ]
        rows += [row("TF-IDF + logistic regression", labels, baseline), *found]
        notes.append(
            f"{labels} labels a class: {gain_over_scratch(scores['pre-trained'], scores['from scratch']).sentence}"
        )
    table = Table(
        f"{source}: accuracy on {len(test)} test texts",
        ("", "labels a class", "mean", "sd"),
        rows,
        note="\n".join(notes),
    )
    finish(run, "news", model, test, table, {"kind": "text", **WINDOWS}, make_batches, tokenizer=tokenizer)
    return table


def pretrain(recipe: str, source: str, out_dir: str, fast: bool) -> None:
    """Runs a recipe as its user would."""
    command = [str(Path(__file__).with_name(f"{recipe}.py")), "--source", source, "--out-dir", out_dir]
    command += ["--fast"] if fast else []
    print(f"$ python {' '.join(command)}", flush=True)
    if subprocess.run([sys.executable, *command], check=False).returncode:
        raise RunError(f"{recipe} failed: its message stands above")


def compare(
    run: Config,
    preset: str,
    train: Examples,
    test: Examples,
    labels: int,
    sides: list[Side],
    make_batches: Callable[..., StepIndexed],
    *,
    make_model: Callable[..., Supervised],
    batch_size: int,
    transform: Transform | None = None,
) -> tuple[list[list], dict[str, list[float]], Supervised]:
    """Fine-tunes every side on the same draws of labels; returns table rows, scores, and the last pre-trained model."""
    rows: list[list] = []
    scores: dict[str, list[float]] = {}
    for side in sides:
        scores[side.name] = []
        for seed, few in enumerate(draws(train, labels, run.seeds)):
            keras.utils.set_random_seed(seed)
            policy, fresh = resolve_precision("auto"), not side.pretrained
            backbone = load_backbone(preset, dtype=policy, random_weights=fresh, dropout=side.backbone_dropout)
            model = make_model(backbone, dropout=side.head_dropout)
            if side.probe_head:
                start_head_from_probe(model, make_batches(few, batch_size).in_order())
            batches = make_batches(few, batch_size, seed=seed, transform=transform)
            train_briefly(model, batches, side.optimizer, steps=2 if run.fast else side.steps)
            scores[side.name].append(accuracy(predict_probabilities(model, make_batches(test, 128).in_order()), test))
            print(
                f"{train.name}, {labels} labels a class, {side.name}, seed {seed}: {scores[side.name][-1]:.3f}",
                flush=True,
            )
        rows.append(row(side.name, labels, scores[side.name]))
    return rows, scores, model


def finish(
    run: Config,
    name: str,
    model: Supervised,
    test: Examples,
    table: Table,
    task: dict,
    make_batches: Callable[..., StepIndexed],
    tokenizer: Any = None,
) -> None:
    """Report, preset, SavedModel, and the check of it in a process without Keras."""
    model = in_float32(model)
    out_dir = f"{run.out_dir}/{name}"
    probabilities = predict_probabilities(model, make_batches(test, 128).in_order())
    write_report(
        out_dir,
        title=f"{name}: {test.name}",
        kind=task["kind"],
        labels=test.labels,
        probabilities=probabilities,
        class_names=test.class_names,
        inputs=test.inputs,
        where=test.where,
        tables=[table],
        settings={"licence": test.licence},
    )
    about = task | {"class_names": list(test.class_names), "source": test.name, "licence": test.licence}
    save_preset(
        f"{out_dir}/preset",
        model,
        tokenizer=tokenizer,
        task=about | {"metrics": {"accuracy": accuracy(probabilities, test)}},
    )
    shape = {"sequence_length": task["sequence_length"]} if tokenizer else {"image_shape": task["image_shape"]}
    folder = export(
        model,
        run.saved_models,
        name=name,
        kind=task["kind"],
        class_names=test.class_names,
        tokenizer=tokenizer,
        metadata=about,
        examples=list(test.inputs[:3]),
        **shape,
    )
    print(verify(folder), flush=True)


def draws(train: Examples, labels: int, seeds: int) -> list[Examples]:
    """The same draw of labels for every side."""
    return [train.few_labels(labels, seed) for seed in range(seeds)]


def accuracy(probabilities: np.ndarray, examples: Examples) -> float:
    """Share of the examples whose most probable class is right."""
    return float((probabilities.argmax(axis=1) == examples.labels).mean())


def row(name: str, labels: int, scores: list[float]) -> list:
    """A row of the table."""
    return [name, labels, float(np.mean(scores)), float(np.std(scores, ddof=1))]


if __name__ == "__main__":
    config.run(Config, main, __doc__)
