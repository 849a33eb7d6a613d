"""What it saves to compute the features of a frozen backbone once: a head trained on the whole model, and on its features.

    python benchmarks/cached.py

Two backbones of the quick start, with random weights, which take the same time as trained ones: "cnn-small" on the digits
and "mini" on the news, 512 tokens per text in windows of 128. Each side is a whole `fit` of the same steps without validation,
from the first trace to the last checkpoint; the time of the features counts. Writes the table to OUT_DIR/cached.md.
"""

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tfpretune.backbones.by_name import make_image_backbone, make_text_backbone
from tfpretune.data.batches.examples import image_batches, text_batches
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.data.sources.pretraining import PretrainingParts
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.finetune import classifier, freeze, with_cached_features
from tfpretune.objectives import Supervised
from tfpretune.settings import launch
from tfpretune.settings.run import OptimizerConfig, RunConfig
from tfpretune.settings.vocabulary import VocabularyConfig
from tfpretune.tasks.pretraining.text_sequences import sequences_in_memory
from tfpretune.training import fit, resolve_precision

COLUMNS = (
    "",
    "rows",
    "steps",
    "whole model, s",
    "on features, s",
    "of that the features, s",
    "times faster",
    "times less processor time",
)
Make = Callable[[], tuple[Supervised, StepIndexed]]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/cached"
    """Folder for cached.md."""
    steps: int = 1000
    """Steps of each side."""


def main(run: Config) -> Table:
    """Both sides on both sources, one after the other; the largest difference of the heads' weights, too."""
    rows: list[list[Cell]] = []
    notes = [
        "Random weights, so the accuracy means nothing; head dropout 0.1, AdamW, " + resolve_precision("auto") + "."
    ]
    for name, make in (("digits, cnn-small, batches of 32", _digits()), ("news, mini, batches of 16", _news())):
        model, batches = make()
        whole = _seconds(model, batches, run.steps)
        other, batches = make()
        start = _clocks()
        head, cached = with_cached_features(other, batches)
        features = _clocks() - start
        total = features + _seconds(head, cached, run.steps)
        numbers = [f"{seconds[0]:.1f}" for seconds in (whole, total, features)] + [f"{x:.1f}" for x in whole / total]
        rows.append([name, batches.num_rows, run.steps, *numbers])
        pairs = zip(model.get_layer("logits").weights, other.get_layer("logits").weights, strict=True)
        apart = max(float(np.abs(one.numpy() - two.numpy()).max()) for one, two in pairs)
        notes.append(f"{name}: the heads' weights differ by at most {apart:.1e}.")
    table = Table("A frozen backbone: features computed once", COLUMNS, rows, note="\n".join(notes))
    Path(run.out_dir).mkdir(parents=True, exist_ok=True)
    Path(run.out_dir, "cached.md").write_text(table.markdown(), "utf-8")
    print(table.markdown())
    return table


def _digits() -> Make:
    train = labelled_splits("demo:mnist5k").train

    def make() -> tuple[Supervised, StepIndexed]:
        keras.utils.set_random_seed(0)
        backbone = make_image_backbone("cnn-small", image_shape=(28, 28, 1), dtype=resolve_precision("auto"))
        return _frozen(classifier(backbone, 10)), image_batches(train, 32, image_shape=(28, 28, 1))

    return make


def _news() -> Make:
    train = labelled_splits("demo:bbc").train
    texts = open_source("demo:bbc").without_duplicates()
    read = sequences_in_memory(PretrainingParts(texts.split("train"), texts.split("validation")), VocabularyConfig())

    def make() -> tuple[Supervised, StepIndexed]:
        keras.utils.set_random_seed(0)
        sizes = {"vocabulary_size": read.tokenizer.vocabulary_size(), "sequence_length": 128}
        backbone = make_text_backbone("mini", **sizes, dtype=resolve_precision("auto"))
        model = classifier(backbone, len(train.class_names), window_length=128)
        return _frozen(model), text_batches(train, 16, tokenizer=read.tokenizer, sequence_length=512)

    return make


def _frozen(model: Supervised) -> Supervised:
    freeze(model, "all")
    return model


def _clocks() -> np.ndarray:
    """Returns wall time and the processor time of all threads, s; the second is nearly free of what else runs."""
    return np.array([time.perf_counter(), time.process_time()])


def _seconds(model: Supervised, batches: StepIndexed, steps: int) -> np.ndarray:
    start = _clocks()
    with tempfile.TemporaryDirectory() as folder:
        settings = RunConfig(
            source="demo",
            out_dir=folder,
            steps=steps,
            batch_size=batches.batch_size,
            jit="off",
            optimizer=OptimizerConfig(),
        )
        fit(model, batches, settings)
    return _clocks() - start


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
