"""Evaluates a fine-tuned classifier on labelled examples and writes the report.

    python recipes/evaluate.py --run-dir runs/finetune_text --source demo:bbc --part test --out-dir runs/evaluate

Leaves OUT_DIR/report/index.html and metrics.json. --source may be other data than the model was trained on.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

from tfpretune import config
from tfpretune.backbones.sizes import load_tokenizer
from tfpretune.config import RunError, UsageError
from tfpretune.data.columns import image_array, image_batches, text_batches
from tfpretune.data.examples import Examples
from tfpretune.data.sources import open_source, read_rows
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report import write_report
from tfpretune.training.presets import load_task


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    run_dir: str = "runs/finetune_text"
    """Folder of a fine-tuning run."""
    source: str = ""
    """Labelled examples; empty: the source of the run."""
    part: Literal["train", "validation", "test", "all"] = "test"
    """Which part of the source; the split is by content, so the test part of the run's own source was never trained on."""
    out_dir: str = "runs/evaluate"
    """Folder of the report."""
    batch_size: int = 128
    """Examples at once."""
    fast: bool = False
    """Rehearse on a few examples."""


def main(run: Config) -> Path:
    """Model, data, report."""
    model, task = load_task(Path(run.run_dir) / "preset")
    source = run.source or task["source"]
    examples = open_labelled(source, task, run.run_dir).without_duplicates()
    examples = examples if run.part == "all" else examples.split(run.part)
    examples = examples.sample(64) if run.fast else examples
    if task["kind"] == "text":
        tokenizer = load_tokenizer(f"{run.run_dir}/preset")
        batches = text_batches(examples, run.batch_size, tokenizer=tokenizer, sequence_length=task["sequence_length"])
        inputs = examples.inputs
    else:
        batches = image_batches(examples, run.batch_size, image_shape=tuple(task["image_shape"]))
        inputs = image_array(examples, tuple(task["image_shape"]))
    report = write_report(
        run.out_dir,
        title=f"{run.run_dir} on {source} ({run.part})",
        kind=task["kind"],
        labels=examples.labels,
        probabilities=predict_outputs(model, batches.in_order()),
        class_names=task["class_names"],
        inputs=inputs,
        where=examples.where,
        settings=dataclasses.asdict(run) | {"licence": examples.licence},
    )
    metrics = json.loads(report.with_name("metrics.json").read_text("utf-8"))
    print(
        f"accuracy {metrics['accuracy']:.3f}, macro F1 {metrics['f1_macro']:.3f} on {len(examples)} examples\nreport: {report}"
    )
    return report


def open_labelled(source: str, task: dict[str, Any], run_dir: str) -> Examples:
    """Opens labelled examples of the run's kind and classes; a source of the other kind is refused by its kind."""
    fault = None
    try:
        examples = open_source(source, class_names=tuple(task["class_names"]))
        kind = examples.kind
    except RunError as error:  # most likely its labels; of no interest where the kind is wrong
        fault, kind = error, read_rows(source).kind
    if kind != task["kind"]:
        raise UsageError(f"--source {source} holds {kind} examples, {run_dir} expects {task['kind']}")
    if fault is not None:
        raise fault
    if examples.labels is None:
        raise UsageError(f"--source {source} has no labels: there is nothing to compare with")
    return examples


if __name__ == "__main__":
    config.run(Config, main, __doc__)
