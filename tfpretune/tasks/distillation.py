"""What a distillation needs beside a fine-tuning: batches with a teacher's answers, and how fast both models are."""

import dataclasses
import functools
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.backbones import Preprocessing
from tfpretune.backbones.by_name import load_backbone, load_tokenizer, make_image_backbone, make_text_backbone
from tfpretune.backbones.feeding import NO_PREPROCESSING, read_pixels
from tfpretune.data.batches.mixing import Mixed
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.examples import open_source
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.evaluation.metrics.classification import accuracy
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.finetune import pooled_head, start_head_from_probe
from tfpretune.finetune.methods.distillation import teacher_answers, with_teacher
from tfpretune.objectives import Supervised, Target
from tfpretune.runtime.files import MANIFEST
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.finetuned_runs import Member
from tfpretune.tasks.kinds import ImageInputs, MakeBatches, TextInputs
from tfpretune.tasks.methods import apply_methods
from tfpretune.training import resolve_precision
from tfpretune.training.presets import in_float32

ANSWER_BATCH_SIZE = 128


def unlabelled_examples(source: str, *, most: int = 0) -> Examples:
    """Opens examples for the teacher to answer. Labels are put aside.

    Only the training part is taken, so that no content of the labelled source's validation and test parts is among them.

    Args:
        source: as `open_source` takes it.
        most: take at most so many, for rehearsals; 0 takes all.
    """
    examples = open_source(source, label_column="").without_duplicates().split("train")
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
        make_batches: for the student; with augmentation the answers are those for the examples as they are.
        labelled: with labels.
        unlabelled: half of every batch is from here, with the label -1; None: there are none.
        batch_size: rows of a batch, at least 2 with unlabelled ones.
        seed: decides the order.
    """
    sources = [(labelled, batch_size)]
    if unlabelled is not None:
        unlabelled.require_kind(labelled.kind, "unlabelled_source")
        sources = [(labelled, batch_size - batch_size // 2), (unlabelled, batch_size // 2)]
    taught = []
    for number, (examples, rows) in enumerate(sources):
        answers = teacher_answers(teacher.model, teacher.batches(examples, ANSWER_BATCH_SIZE).in_order())
        batches = with_teacher(make_batches(examples, rows, seed=seed + number), answers)
        if number:
            batches.columns.pop("labels", None)
        taught.append(batches)
    return taught[0] if unlabelled is None else Mixed(taught, fill={"labels": -1}, seed=seed)


@dataclasses.dataclass(frozen=True, eq=False)
class StudentForm:
    """What a student is made of and how it reads examples.

    Attributes:
        make_batches: serves it examples.
        preprocessing: see `pooled_head`.
        task: how it reads examples, for `task.json`.
        tokenizer: of texts, else None.
        new_backbone: `(*, dtype) -> keras.Model`; None: the backbone of the run's preset.
    """

    make_batches: MakeBatches
    preprocessing: Preprocessing
    task: dict[str, Any]
    tokenizer: Tokenizer | None = None
    new_backbone: Callable[..., keras.Model] | None = None


def text_student(
    teacher: Member, run: FinetuneConfig, *, backbone: str, sequence_length: int, window_length: int
) -> StudentForm:
    """Returns the form of a student of texts.

    Args:
        teacher: of texts; a new student takes its vocabulary.
        run: the settings.
        backbone: size of a new student, such as "mini"; empty: the preset's.
        sequence_length: tokens of a text.
        window_length: see `Preprocessing`.
    """
    tokenizer = teacher.tokenizer if backbone else load_tokenizer(run.preset)
    if tokenizer is None:
        raise ValueError("teacher: expected a model of texts")
    fresh = functools.partial(
        make_text_backbone,
        backbone,
        vocabulary_size=tokenizer.vocabulary_size(),
        sequence_length=window_length or sequence_length,
        dropout=run.backbone_dropout or 0.0,
    )
    return StudentForm(
        TextInputs(tokenizer, sequence_length).batches,
        Preprocessing(window_length),
        {"sequence_length": sequence_length, "window_length": window_length},
        tokenizer,
        fresh if backbone else None,
    )


def image_student(
    teacher: Member, run: FinetuneConfig, *, backbone: str, patch_size: int, image_size: tuple[int, int]
) -> StudentForm:
    """Returns the form of a student of images.

    Args:
        teacher: of images; a new student sees images of the same size.
        run: the settings.
        backbone: size of a new student, such as "cnn-small"; empty: the preset's.
        patch_size: of a new "vit-…", pixels.
        image_size: see `Preprocessing`.
    """
    if backbone:
        if run.backbone_dropout:
            raise UsageError(f"--backbone-dropout {run.backbone_dropout}: a new --backbone {backbone} has no dropout")
        shape: tuple[int, int, int] = tuple(teacher.task["image_shape"])
        fresh = functools.partial(make_image_backbone, backbone, image_shape=shape, patch_size=patch_size)
        return StudentForm(ImageInputs(shape).batches, NO_PREPROCESSING, {"image_shape": shape}, None, fresh)
    preprocessing = Preprocessing(image_size=image_size, pixels=read_pixels(run.preset))
    shape = preprocessing.image_shape(load_backbone(run.preset, random_weights=True))
    return StudentForm(ImageInputs(shape).batches, preprocessing, {"image_shape": shape})


def make_student(
    run: FinetuneConfig, target: Target, *, form: StudentForm, labelled: StepIndexed, strategy: tf.distribute.Strategy
) -> Supervised:
    """Makes a classifier from the preset, or one with a new backbone, with the methods that `run` names.

    Args:
        run: the settings; the same ones give the same start.
        target: what it is to learn.
        form: what it is made of.
        labelled: examples without augmentation, for the probe that a pre-trained student's head starts from.
        strategy: the run's.
    """
    keras.utils.set_random_seed(run.seed)
    dtype, dropout = resolve_precision(run.precision), run.backbone_dropout
    with strategy.scope():
        if form.new_backbone is not None:
            backbone = form.new_backbone(dtype=dtype)
        else:
            backbone = load_backbone(run.preset, dtype=dtype, random_weights=run.from_scratch, dropout=dropout)
        model = pooled_head(backbone, target, dropout=run.dropout, preprocessing=form.preprocessing, name="classifier")
    table = apply_methods(model, run)
    if not run.dry_run:
        print(table)
        if run.probe_head and form.new_backbone is None and not run.from_scratch:
            start_head_from_probe(model, labelled.in_order())
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
        ("", "test accuracy", "parameters", f"ms {test.of_kind.one}"),
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
