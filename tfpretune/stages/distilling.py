"""What a distillation needs beside a fine-tuning: batches with a teacher's answers, and how fast both models are."""

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.backbones.sizes import load_backbone, make_text_backbone
from tfpretune.config import UsageError
from tfpretune.data.batches import StepIndexed
from tfpretune.data.examples import Examples
from tfpretune.data.mixing import Mixed
from tfpretune.data.sources import open_source
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.tables import Cell, Table
from tfpretune.files import MANIFEST
from tfpretune.finetune import pooled_head, start_head_from_probe
from tfpretune.finetune.distillation import teacher_answers, with_teacher
from tfpretune.finetune_config import FinetuneConfig
from tfpretune.objectives import Supervised, Target
from tfpretune.stages.comparison import accuracy
from tfpretune.stages.members import Member
from tfpretune.stages.methods import apply_methods
from tfpretune.training import resolve_precision
from tfpretune.training.presets import in_float32

ANSWER_BATCH_SIZE = 128

MakeBatches = Callable[..., StepIndexed]
"""`(examples, batch_size, *, seed) -> StepIndexed`, as one model reads them."""


def unlabelled_examples(source: str, *, most: int = 0) -> Examples:
    """Opens examples for the teacher to answer. Labels are put aside.

    Only the training part is taken, so that no content of the labelled source's validation and test parts is among them.

    Args:
        source: as `open_source` takes it.
        most: take at most so many, for rehearsals; 0 takes all.
    """
    examples = open_source(source).without_duplicates().split("train")
    return examples.sample(most) if most else examples


def taught_batches(
    teacher: Member,
    make_batches: MakeBatches,
    labelled: Examples,
    unlabelled: Examples | None,
    *,
    batch_size: int,
    seed: int,
) -> StepIndexed:
    """Asks the teacher once about every example and serves its answers as a column of the student's batches.

    Args:
        teacher: with the labelled examples' classes.
        make_batches: for the student.
        labelled: with labels.
        unlabelled: half of every batch is from here, with the label -1; None: there are none.
        batch_size: rows of a batch, at least 2 with unlabelled ones.
        seed: decides the order.
    """
    sources = [(labelled, batch_size)]
    if unlabelled is not None:
        if unlabelled.kind != labelled.kind:
            raise UsageError(
                f"--unlabelled-source {unlabelled.name} holds {unlabelled.kind} examples, expected {labelled.kind}"
            )
        sources = [(labelled, batch_size - batch_size // 2), (unlabelled, batch_size // 2)]
    taught = []
    for number, (examples, rows) in enumerate(sources):
        answers = teacher_answers(teacher.model, teacher.batches(examples, ANSWER_BATCH_SIZE).in_order())
        batches = with_teacher(make_batches(examples, rows, seed=seed + number), answers)
        if number:
            batches.columns.pop("labels", None)
        taught.append(batches)
    return taught[0] if unlabelled is None else Mixed(taught, fill={"labels": -1}, seed=seed)


def make_student(
    run: FinetuneConfig,
    target: Target,
    *,
    batches: StepIndexed,
    new_backbone: str,
    vocabulary_size: int,
    window_length: int,
    strategy: tf.distribute.Strategy,
) -> Supervised:
    """Makes a text classifier from the preset, or one with a new backbone, with the methods that `run` names.

    Args:
        run: the settings; the same ones give the same start.
        target: what it is to learn.
        batches: labelled ones, for the probe that a pre-trained student's head starts from.
        new_backbone: size of a new backbone, such as "mini"; empty: the preset's.
        vocabulary_size: of a new backbone.
        window_length: see `pooled_head`.
        strategy: the run's.
    """
    keras.utils.set_random_seed(run.seed)
    dtype, dropout = resolve_precision(run.precision), run.backbone_dropout
    with strategy.scope():
        if new_backbone:
            sizes = {
                "vocabulary_size": vocabulary_size,
                "sequence_length": window_length or batches.columns["token_ids"].shape[1],
            }
            backbone = make_text_backbone(new_backbone, dropout=dropout or 0.0, dtype=dtype, **sizes)
        else:
            backbone = load_backbone(run.preset, dtype=dtype, random_weights=run.from_scratch, dropout=dropout)
        settings: dict[str, Any] = {"window_length": window_length, "dropout": run.dropout, "r_drop": run.r_drop}
        model = pooled_head(backbone, target, name="classifier", **settings)
    table = apply_methods(model, run)
    if not run.dry_run:
        print(table)
        if run.probe_head and not new_backbone and not run.from_scratch:
            start_head_from_probe(model, batches.in_order())
    return model


def comparison(models: Mapping[str, tuple[Supervised, MakeBatches]], test: Examples) -> Table:
    """Returns one row for each classifier, in float32 as it is saved: its accuracy, its size and its time.

    Args:
        models: name -> a classifier and `(examples, batch_size) -> StepIndexed`, how it reads them.
        test: examples with labels that none of them was trained on.
    """
    rows: list[list[Cell]] = []
    for name, (trained, make_batches) in models.items():
        model = in_float32(trained)
        found = predict_outputs(model, make_batches(test, ANSWER_BATCH_SIZE).in_order())
        seconds = milliseconds(model, make_batches(test, 1).in_order())
        rows.append([name, accuracy(found, test), model.count_params(), seconds])
    return Table(
        "Teacher and student",
        ("", "test accuracy", "parameters", f"ms a {test.kind}"),
        rows,
        note=f"{len(test)} test {test.kind}s; the time is the median for one at a time, float32, on this machine's CPU.",
    )


def fingerprint(teacher: Member) -> str:
    """Returns a short digest of a teacher's files: a distillation does not go on with another one."""
    return hashlib.sha256(Path(teacher.run_dir, "preset", MANIFEST).read_bytes()).hexdigest()[:16]


def milliseconds(model: Supervised, batches: tf.data.Dataset, *, times: int = 30) -> float:
    """Measures how long a model takes for one example on the CPU, one at a time.

    Args:
        model: a classifier.
        batches: batches of one example; the first `times` of them are answered, once to warm up and once for the figure.
        times: examples.

    Returns:
        The median, milliseconds.
    """
    call = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    found: list[float] = []
    with tf.device("CPU:0"):
        rows = [model.pick_inputs(batch) for batch in batches.take(times)]
        for measured in (False, True):
            for row in rows:
                start = time.perf_counter()
                call(row).numpy()
                found += [1000.0 * (time.perf_counter() - start)] if measured else []
    return float(np.median(found))
