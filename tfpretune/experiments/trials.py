"""How trials begin, and what those of classifiers of images and of texts share."""

import functools

import tensorflow as tf

from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.data.batches.examples import image_batches, text_batches
from tfpretune.data.batches.step_indexed import Transform
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.experiments.comparison import Trials
from tfpretune.finetune import classifier


def begin_trials() -> None:
    """Makes a process give the same bits again, and TensorFlow quiet: of many small models many traces are no news."""
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")


def image_trials(
    preset: str,
    parts: LabelledSplits,
    *,
    image_shape: tuple[int, int, int],
    batch_size: int,
    seeds: int,
    transform: Transform | None = None,
    most_steps: int = 0,
) -> Trials:
    """Returns what trials of classifiers of images share; see `Trials` for the other arguments.

    Args:
        preset: the pre-trained backbone.
        parts: labelled images.
        image_shape: height, width, channels that they are brought to.
        batch_size: images per step.
        seeds: draws of labels.
        transform: augmentation.
        most_steps: of rehearsals.
    """
    return Trials(
        preset,
        parts.train,
        parts.test,
        make_batches=functools.partial(image_batches, image_shape=image_shape),
        make_model=functools.partial(classifier, num_classes=len(parts.class_names)),
        batch_size=batch_size,
        seeds=seeds,
        transform=transform,
        most_steps=most_steps,
    )


def text_trials(
    preset: str,
    parts: LabelledSplits,
    *,
    sequence_length: int,
    window_length: int,
    batch_size: int,
    seeds: int,
    most_steps: int = 0,
) -> Trials:
    """Returns what trials of classifiers of texts share; see `Trials` for the other arguments.

    Args:
        preset: the pre-trained backbone with its tokenizer.
        parts: labelled texts.
        sequence_length: tokens of a text that are read.
        window_length: in windows of so many; 0: at once.
        batch_size: texts per step.
        seeds: draws of labels.
        most_steps: of rehearsals.
    """
    return Trials(
        preset,
        parts.train,
        parts.test,
        make_batches=functools.partial(text_batches, tokenizer=load_tokenizer(preset), sequence_length=sequence_length),
        make_model=functools.partial(classifier, num_classes=len(parts.class_names), window_length=window_length),
        batch_size=batch_size,
        seeds=seeds,
        most_steps=most_steps,
    )
