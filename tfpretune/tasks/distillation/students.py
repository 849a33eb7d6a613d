"""Students of a distillation: what they are made of, and how they read examples."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfpretune.backbones import Preprocessing
from tfpretune.backbones.by_name import load_backbone, load_tokenizer, make_image_backbone, make_text_backbone
from tfpretune.backbones.feeding import NO_PREPROCESSING, read_pixels
from tfpretune.data.batches.step_indexed import StepIndexed, Transform
from tfpretune.data.batches.transforms import augmented
from tfpretune.data.examples.examples import Examples
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.finetune import pooled_head, start_head_from_probe
from tfpretune.objectives import Supervised, Target
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.distillation.settings import DistillationConfig
from tfpretune.tasks.finetuning.finetuned_runs import FinetunedModel
from tfpretune.tasks.finetuning.kinds import ImageInputs, MakeBatches, TextInputs
from tfpretune.tasks.finetuning.known_words import require_known
from tfpretune.tasks.finetuning.methods import apply_methods
from tfpretune.training import resolve_precision


@dataclasses.dataclass(frozen=True, eq=False)
class StudentForm:
    """What a student is made of and how it reads examples.

    Attributes:
        make_batches: serves it examples.
        preprocessing: see `pooled_head`.
        task: how it reads examples, for `task.json`.
        tokenizer: of texts, else None.
        transform: augmentation of images.
        new_backbone: `(*, dtype) -> keras.Model`; None: the backbone of the run's preset.
    """

    make_batches: MakeBatches
    preprocessing: Preprocessing
    task: dict[str, Any]
    tokenizer: Tokenizer | None = None
    transform: Transform | None = None
    new_backbone: Callable[..., keras.Model] | None = None


def student_form(teacher: FinetunedModel, run: DistillationConfig) -> StudentForm:
    """Returns the form of a student that reads what the teacher reads, in its own way.

    Args:
        teacher: of texts or images; a new student takes its vocabulary, or images of the same size.
        run: the settings.
    """
    return _text_student(teacher, run) if teacher.task["kind"] == "text" else _image_student(teacher, run)


def _text_student(teacher: FinetunedModel, run: DistillationConfig) -> StudentForm:
    tokenizer = teacher.tokenizer if run.backbone else load_tokenizer(run.preset)
    if tokenizer is None:
        raise ValueError("teacher: expected a model of texts")
    lengths = {"sequence_length": run.sequence_length, "window_length": run.window_length}
    fresh = functools.partial(
        make_text_backbone,
        run.backbone,
        vocabulary_size=tokenizer.vocabulary_size(),
        sequence_length=run.window_length or run.sequence_length,
        dropout=run.backbone_dropout or 0.0,
    )
    make_batches = TextInputs(tokenizer, run.sequence_length).batches
    preprocessing = Preprocessing(run.window_length)
    return StudentForm(make_batches, preprocessing, lengths, tokenizer, new_backbone=fresh if run.backbone else None)


def _image_student(teacher: FinetunedModel, run: DistillationConfig) -> StudentForm:
    moved = augmented(flip=run.flip, shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
    if run.backbone:
        if run.backbone_dropout:
            raise UsageError(
                f"--backbone-dropout {run.backbone_dropout}: a new --backbone {run.backbone} has no dropout"
            )
        shape: tuple[int, int, int] = tuple(teacher.task["image_shape"])
        sizes: dict[str, Any] = {"image_shape": shape, "patch_size": run.patch_size}
        fresh = functools.partial(make_image_backbone, run.backbone, **sizes)
        make_batches = ImageInputs(shape).batches
        return StudentForm(make_batches, NO_PREPROCESSING, {"image_shape": shape}, transform=moved, new_backbone=fresh)
    preprocessing = Preprocessing(image_size=run.image_size, pixels=read_pixels(run.preset))
    shape = preprocessing.image_shape(load_backbone(run.preset, random_weights=True))
    make_batches = ImageInputs(shape).batches
    return StudentForm(make_batches, preprocessing, {"image_shape": shape}, transform=moved)


def require_known_to_both(
    teacher: FinetunedModel, form: StudentForm, examples: Examples, run: DistillationConfig
) -> None:
    """Says how much of texts the vocabularies of teacher and student do not know, and refuses too much of it."""
    if form.tokenizer is None:
        return
    readers = {run.teacher_dir: teacher.tokenizer} | ({} if run.backbone else {run.preset: form.tokenizer})
    for preset, tokenizer in readers.items():
        require_known(tokenizer, examples.inputs, source=run.source, preset=preset, limit=run.most_unknown)


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
        if run.init_head_from_probe and form.new_backbone is None and not run.from_scratch:
            start_head_from_probe(model, labelled.in_order())
    return model
