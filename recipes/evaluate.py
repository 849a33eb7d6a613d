"""Evaluates a fine-tuned model on labelled examples and writes the report: classes, sets of labels, numbers; pairs, too.

    python recipes/evaluate.py --run-dir runs/finetune_text --source demo:bbc --split test --out-dir runs/evaluate

Leaves OUT_DIR/report/index.html and metrics.json. --source may be other data than the model was trained on.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import tfpretune as tp
from tfpretune.errors import RunError, UsageError
from tfpretune.settings import ColumnsOfRun, launch


@dataclasses.dataclass(frozen=True)
class Config(ColumnsOfRun):
    """Settings."""

    run_dir: str = "runs/finetune_text"
    """Folder of a fine-tuning run."""
    source: str = ""
    """Labelled examples; empty: the source of the run."""
    split: Literal["train", "validation", "test", "all"] = "test"
    """Which split of the source; of the run's own source it is what the run split off, or its --test-source. Other sources are
    split in the same way; all takes them as they are."""
    out_dir: str = "runs/evaluate"
    """Folder of the report."""
    batch_size: int = 128
    """Examples at once."""
    fast: bool = False
    """Rehearse on a few examples."""


def main(run: Config) -> Path:
    """Model, data, report."""
    member = tp.tasks.load_finetuned(run.run_dir, kinds=tuple(tp.tasks.LABELS))
    source = run.source or member.task["source"]
    form, splits = member.form_of(source, run), member.splits_of(source)
    opened = open_labelled(source, member, form)
    tp.tasks.require_held_out(run.run_dir, member.task, opened, run.split)
    examples = tp.data.labelled_part(opened, run.split, form, splits)
    if source != member.task["source"] and len(examples) < len(opened):
        print(
            f"{source}: the {run.split} split, {len(examples):,} of {len(opened):,} examples (--split all: all of them)"
        )
    examples = examples.sample(64) if run.fast else examples
    member.inputs.require_known(examples, source=source, preset=f"{run.run_dir}/preset")
    report = member.labels.write(
        examples,
        tp.evaluation.predict_outputs(member.model, member.batches(examples, run.batch_size).in_order()),
        {
            "out_dir": run.out_dir,
            "title": f"{run.run_dir} on {source} ({run.split})",
            "settings": dataclasses.asdict(run),
        },
        threshold=member.task.get("threshold"),
        inputs=member.inputs.shown(examples),
    )
    launch.close(report.summary, report.page, ["export", run.run_dir], verdict=report.verdict)
    return report.page


def open_labelled(source: str, member: "tp.tasks.FinetunedModel", form: "tp.data.SourceForm") -> "tp.data.Examples":
    """Opens labelled examples of the run's kind and classes; a source of the other kind is refused by its kind."""
    task, run_dir, fault = member.task, member.run_dir, None
    try:
        examples = tp.data.open_examples(source, dataclasses.replace(form, class_names=tuple(task["class_names"])))
        kind = examples.kind
    except RunError as error:  # most likely its labels; of no interest where the kind is wrong
        fault, kind = error, tp.data.read_rows(source, form).kind
    if kind != task["kind"]:
        raise UsageError(f"--source {source} holds {kind} examples, {run_dir} expects {task['kind']}")
    if fault is not None:
        raise fault
    if examples.labels is None:
        raise UsageError(f"--source {source} has no labels: there is nothing to compare with")
    return examples


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
