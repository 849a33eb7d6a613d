"""From trained classifiers to a served model: comparison, report, preset, SavedModel."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpretune.data.examples.examples import Examples
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.classifier import report_classes
from tfpretune.evaluation.report.tables import Table
from tfpretune.experiments.comparison import COLUMNS, Baseline, Side, Trials, compare
from tfpretune.objectives import Supervised
from tfpretune.serving import export, verify
from tfpretune.training.presets import in_float32, save_preset


def export_and_verify(
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
        reads: how inputs are prepared: `image_shape` and `resize`, or `sequence_length` and what else `task.json` shall say.
        tokenizer: of a text classifier.
        tables: shown in the report.

    Returns:
        The folder of the served model's new version.
    """
    model = in_float32(model)
    title = f"{name}: {test.name}"
    report = report_classes(test, predict_outputs(model, batches), out_dir=out_dir, title=title, tables=tables)
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
        resize=reads.get("resize", "squeeze"),
        metadata=task,
        examples=list(test.inputs[:3]),
    )


def compare_and_deliver(
    trials: Trials,
    sides: Mapping[int, Sequence[Side]],
    *,
    baselines: Mapping[str, Baseline],
    out_dir: str,
    saved_models: str,
    reads: Mapping[str, Any],
    tokenizer: Any = None,
) -> Table:
    """Compares sides, delivers the last network of all, and checks its served model in a process without Keras.

    Args:
        trials: what all sides share.
        sides: labels per class -> the sides that learn from them; the last one is `PRETRAINED`.
        baselines: as `compare` takes them.
        out_dir: folder of the delivered network; its name is that of the served model.
        saved_models: as for `export_and_verify`, as the next two.
        reads: how inputs are prepared.
        tokenizer: of a text classifier.

    Returns:
        A row for each side and baseline with each number of labels, and whether pre-training paid.
    """
    found = [compare(trials, each, labels=labels, baselines=baselines) for labels, each in sides.items()]
    test, several = trials.test, len(found) > 1
    notes = [f"{each.labels} labels per class: " * several + each.gain().sentence for each in found]
    title = f"{trials.train.name}: accuracy on {len(test)} test {test.kind}s"
    table = Table(title, COLUMNS, [row for each in found for row in each.rows()], note="\n".join(notes))
    folder = export_and_verify(
        found[-1].model,
        test,
        batches=trials.test_batches,
        out_dir=out_dir,
        saved_models=saved_models,
        name=Path(out_dir).name,
        reads=reads,
        tokenizer=tokenizer,
        tables=[table],
    )
    print(verify(folder), flush=True)
    return table
