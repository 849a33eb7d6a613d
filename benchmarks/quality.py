"""Figures on packaged data beside the ones that articles quote for such work, the Chinese reviews, and a real checkpoint.

    python benchmarks/quality.py

Runs the recipes, several seeds each, with pre-training and from scratch at the same budget; prints the tables and writes
OUT_DIR/quality.md. Runs that are finished in OUT_DIR are not done again. Topics and English sentiment need `make minilm`.
"""

import dataclasses
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import real_checkpoint
from lstm import lstm_accuracies
from quality_rows import (
    COLUMNS,
    SENTIMENT_QUOTE,
    Figures,
    mean_and_sd,
    metrics_of,
    pretrain_reviews,
    pretrained,
    recipe,
    row,
    run_folder,
    scores,
    seeds,
)

from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.backbones.hugging_face.folder import packaged_folder
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.evaluation.baselines.linear import tfidf_baseline
from tfpretune.evaluation.metrics.classification import accuracy, classification_metrics
from tfpretune.evaluation.metrics.gain import gain_over_scratch
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.settings import launch
from tfpretune.settings.comparison import SeedsConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.finetuning.finetuned_runs import load_finetuned

REVIEWS = "demo:reviews-zh"
REVIEWS_LENGTH = 192
FEW_LABELS = {"steps": 150, "save_every_steps": 25}
ALL_LABELS = {"steps": 2000, "save_every_steps": 200, "dropout": 0.3, "backbone_dropout": 0.1}
WITH_R_DROP = "pre-trained with R-Drop"
TOGETHER = "pre-trained, ensemble of all seeds"
TableName = Literal["images", "reviews", "lstm", "topics", "movie", "amazon"]


@dataclasses.dataclass(frozen=True)
class Config(SeedsConfig):
    """Settings."""

    out_dir: str = "runs/quality"
    """Folder of the runs."""
    labels: tuple[int, ...] = (10, 100, 500, 0)
    """Labels a class of the Chinese reviews; 0 is all there are."""
    tables: tuple[TableName, ...] = typing.get_args(TableName)
    """Only these: ten classes of images, Chinese reviews, these beside an LSTM, topics of news, sentiment of snippets on
    movies and on goods."""


def main(run: Config) -> list[Table]:
    """The tables, one after the other."""
    if {"topics", "movie", "amazon"} & set(run.tables):
        packaged_folder("demo:minilm")  # refuses now and not in an hour
    runs = real_checkpoint.Runs(run.out_dir, run.seeds, fast=run.fast)
    made: dict[str, Callable[[], Table]] = {
        "images": lambda: ten_classes(run),
        "reviews": lambda: reviews(run),
        "lstm": lambda: beside_lstm(run),
        "topics": lambda: real_checkpoint.topics(runs),
        "movie": lambda: real_checkpoint.sentiment(runs, "movie"),
        "amazon": lambda: real_checkpoint.sentiment(runs, "amazon"),
    }
    tables = [made[name]() for name in run.tables]
    text = "\n".join(table.markdown() for table in tables)
    Path(run.out_dir, "quality.md").write_text(text, "utf-8")
    print(text)
    return tables


def ten_classes(run: Config) -> Table:
    """10 classes with 100 images each: the articles quote 85 % on the test set after fine-tuning."""
    preset = pretrained("pretrain_image", out_dir=f"{run.out_dir}/images", fast=run.fast)
    rows, notes = [], []
    both = {}
    for name, from_scratch in (("from scratch", True), ("pre-trained", False)):
        settings = {
            "labels_per_class": 100,
            "preset": preset,
            "from_scratch": from_scratch,
            "fast": run.fast,
        }
        both[name] = seeds(run.out_dir, run.seeds, "finetune_image", f"images-100-{name}", settings)
        rows.append(row(name, 100, both[name], "0.85 / – / –"))
    notes.append(gain_over_scratch(scores(both["pre-trained"]), scores(both["from scratch"])).sentence)
    return Table("demo:mnist5k, 10 classes of 100 images", COLUMNS, rows, note="\n".join(notes))


def reviews(run: Config) -> Table:
    """Sentiment of Chinese reviews, read by characters: the articles quote 85 % accuracy, 83 % recall, 84 % F1."""
    examples = open_source(REVIEWS).without_duplicates()
    train, test = examples.split("train"), examples.split("test")
    rows, notes = [], []
    for labels in run.labels:
        few = [train.few_labels(labels, seed) if labels else train for seed in range(run.seeds)]
        linear = [
            tfidf_baseline(draw.inputs, draw.known_labels, test.inputs, num_classes=2, characters=True)
            for draw in (few if labels else few[:1])
        ]
        figures = [classification_metrics(test.labels, each, examples.class_names) for each in linear]
        rows.append(row("TF-IDF + logistic regression", labels or "all", figures, SENTIMENT_QUOTE))
        both = {name: reviews_runs(run, name, labels) for name in ("from scratch", "pre-trained")}
        more = {} if labels else {WITH_R_DROP: reviews_runs(run, WITH_R_DROP, 0)}
        rows += [row(name, labels or "all", figures, SENTIMENT_QUOTE) for name, figures in (both | more).items()]
        if not labels:
            rows.append(row(TOGETHER, "all", [together(run)], SENTIMENT_QUOTE))
        sentence = gain_over_scratch(scores(both["pre-trained"]), scores(both["from scratch"])).sentence
        notes.append(f"{labels or 'all'} labels per class: {sentence}")
    return Table(f"{REVIEWS}: sentiment, {len(test)} test reviews", COLUMNS, rows, note="\n".join(notes))


def reviews_runs(run: Config, name: str, labels: int) -> Figures:
    """The metrics of the runs of one name on so many labels a class of the Chinese reviews; 0: all."""
    from_scratch = name == "from scratch"
    rate = 1e-3 if from_scratch or not labels else 3e-4
    settings = (FEW_LABELS if labels else ALL_LABELS) | {
        "source": REVIEWS,
        "preset": pretrain_reviews(run.out_dir, fast=run.fast),
        "from_scratch": from_scratch,
        "r_drop": 1.0 if name == WITH_R_DROP else 0.0,
        "labels_per_class": labels,
        "sequence_length": REVIEWS_LENGTH,
        "window_length": 64,
        "batch_size": 32,
        "optimizer": OptimizerConfig(learning_rate=rate, warmup=0.1, ema=0.0 if labels else 0.995),
        "fast": run.fast,
    }
    return seeds(run.out_dir, run.seeds, "finetune_text", f"reviews-{labels}-{name}", settings)


def together(run: Config) -> dict[str, float]:
    """The metrics of the ensemble of the runs on all labels: the mean of their probabilities."""
    members = tuple(run_folder(run.out_dir, "reviews-0-pre-trained", seed) for seed in range(run.seeds))
    out_dir = f"{run.out_dir}/reviews-0-together"
    if not Path(out_dir, "preset").is_dir():
        recipe("soup", run_dirs=members, method="mean", out_dir=out_dir, fast=run.fast)
    return metrics_of(out_dir)


def beside_lstm(run: Config) -> Table:
    """Training and test accuracy on all labels: the articles quote 87 % and 85 % of an LSTM."""
    parts = labelled_splits(REVIEWS, most=64 if run.fast else 0)
    tokenizer = load_tokenizer(pretrain_reviews(run.out_dir, fast=run.fast))
    settings = {"sequence_length": REVIEWS_LENGTH, "epochs": 1 if run.fast else 5}
    found = {
        "LSTM, in plain Keras": [lstm_accuracies(parts, tokenizer, **settings, seed=seed) for seed in range(run.seeds)]
    }
    for name in ("from scratch", "pre-trained", WITH_R_DROP):
        figures = reviews_runs(run, name, 0)
        found[name] = [
            (accuracy_of_run(run_folder(run.out_dir, f"reviews-0-{name}", seed), parts.train), each["accuracy"])
            for seed, each in enumerate(figures)
        ]
    ensemble = together(run)["accuracy"]
    found[TOGETHER] = [(accuracy_of_run(f"{run.out_dir}/reviews-0-together", parts.train), ensemble)]
    rows: list[list[Cell]] = []
    for name, pairs in found.items():
        figures = [{"training": training, "test": test} for training, test in pairs]
        rows.append([name, *mean_and_sd(figures, "training"), *mean_and_sd(figures, "test"), "0.87 / 0.85"])
    columns = ("", "training accuracy", "sd", "test accuracy", "sd", "quoted: training / test")
    return Table(f"{REVIEWS}: sentiment, all {len(parts.train):,} training reviews", columns, rows)


def accuracy_of_run(run_dir: str, examples: Examples) -> float:
    """Returns the accuracy of a finished run's classifier."""
    member = load_finetuned(run_dir)
    return accuracy(predict_outputs(member.model, member.batches(examples, 256).in_order()), examples)


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
