"""From a trained classifier to a served model: report, preset, SavedModel."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpretune.data.examples.examples import Examples
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.evaluation.report.classifier import report_classifier
from tfpretune.evaluation.report.tables import Table
from tfpretune.objectives import Supervised
from tfpretune.serving import export
from tfpretune.training.presets import in_float32, save_preset


def deliver(
    model: Supervised,
    test: Examples,
    *,
    batches: tf.data.Dataset,
    out_dir: str,
    saved_models: str,
    name: str,
    reads: Mapping[str, Any],
    tokenizer: Tokenizer | None = None,
    tables: Sequence[Table] = (),
) -> Path:
    """Writes `out_dir/report`, `out_dir/preset` and a version of the served model, all of the same float32 model.

    Args:
        model: a classifier.
        test: labelled examples that it was not trained on; three of them are stored with the served model.
        batches: the same examples as batches, in order.
        out_dir: folder of the run.
        saved_models: folder of all served models.
        name: the served model's name.
        reads: how inputs are prepared: `image_shape`, or `sequence_length` and what else `task.json` shall say.
        tokenizer: of a text classifier.
        tables: shown in the report.

    Returns:
        The folder of the served model's new version.
    """
    model = in_float32(model)
    title = f"{name}: {test.name}"
    report = report_classifier(model, test, batches=batches, out_dir=out_dir, title=title, tables=tables)
    task = report.task | dict(reads)
    save_preset(f"{out_dir}/preset", model, tokenizer=tokenizer, task=task)
    return export(
        model,
        saved_models,
        name=name,
        kind=task["kind"],
        class_names=test.class_names,
        tokenizer=tokenizer,
        sequence_length=reads.get("sequence_length"),
        image_shape=reads.get("image_shape"),
        metadata=task,
        examples=list(test.inputs[:3]),
    )
