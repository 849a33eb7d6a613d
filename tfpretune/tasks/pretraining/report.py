"""Pre-training: what is reported of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from tfpretune.data.batches.step_indexed import Batch
from tfpretune.evaluation.report.pictures import Pictures
from tfpretune.evaluation.report.report import write_report
from tfpretune.settings.run import RunConfig
from tfpretune.tasks.base import curves_verdict
from tfpretune.training import FitResult
from tfpretune.training.tensorboard.images import reconstruction_grid


def report_pretraining(
    run: RunConfig,
    result: FitResult,
    figures: Mapping[str, float],
    *,
    loss_levels: Mapping[str, float] | None = None,
    pictures: Sequence[Pictures] = (),
    data: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Writes the report of a pre-training run with its loss curves.

    Args:
        run: the settings.
        result: what `fit` returned.
        figures: name -> number, on the validation set.
        loss_levels: name -> height of horizontal lines in the chart of the loss.
        pictures: strips of images.
        data: counts of the data, such as near copies.
        notes: what a reader must know first.

    Returns:
        The path of the page.
    """
    return write_report(
        run.out_dir,
        title=f"Pre-training on {run.source}",
        metrics=figures,
        curves={"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}},
        hlines={"loss": loss_levels} if loss_levels else None,
        pictures=pictures,
        settings=dataclasses.asdict(run),
        data=data,
        notes=[*notes, *curves_verdict(result, run)],
    )


def unigram_verdict(loss: float, unigram_entropy: float) -> str:
    """Says in words whether a language model has clearly left what word counts give: its loss is 0.3 below `unigram_loss`."""
    left = loss < unigram_entropy - 0.3
    stuck = (
        "STILL AT THE UNIGRAM ENTROPY BASELINE: it knows little more than how frequent each token is; "
        "give more steps or a higher learning rate"
    )
    return f"loss {loss:.3f}, unigram entropy {unigram_entropy:.3f}: {'below the unigram entropy baseline' if left else stuck}"


def report_reconstructions(
    model: keras.Model, batch: Batch, run: RunConfig, result: FitResult, figures: Mapping[str, float]
) -> Path:
    """Writes the report of an autoencoder with what it makes of one batch, and that as `reconstructions.png` beside it.

    Args:
        model: an objective with `reconstruct`.
        batch: one transformed batch, as `ReconstructionCallback` takes it.
        run: the settings.
        result: what `fit` returned.
        figures: name -> number, on the validation set.

    Returns:
        The path of the page.
    """
    seen, output = model.reconstruct(batch)
    rows = {"input": batch.get("targets", batch["images"]), "seen": seen, "restored": tf.cast(output, tf.float32)}
    shown = {name: images.numpy() for name, images in rows.items()}
    page = report_pretraining(run, result, figures, pictures=[Pictures("Validation images", shown)])
    grid = reconstruction_grid(shown["input"], shown["seen"], shown["restored"])
    keras.utils.save_img(page.with_name("reconstructions.png"), grid, scale=False)
    return page
