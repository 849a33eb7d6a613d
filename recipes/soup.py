"""Averages fine-tuned runs: their weights (a soup) or their answers (an ensemble), beside each of them by itself.

    python recipes/soup.py --run-dirs runs/a runs/b runs/c --method greedy --out-dir runs/soup

The runs are fine-tunings of one preset with other seeds or settings. The validation set chooses the members of a greedy soup
and fits a stack. Of sets of labels and of numbers there are soups and no ensembles. Leaves OUT_DIR/preset (the model of
--method), report/index.html (test set), soup.md (the table).
Then: python recipes/export.py --run-dir runs/soup
"""

import dataclasses
from pathlib import Path
from typing import Literal

import tfpretune as tp
from tfpretune.errors import UsageError
from tfpretune.runtime import alone_in, write_atomic
from tfpretune.settings import ColumnsOfRun, launch


@dataclasses.dataclass(frozen=True)
class Config(ColumnsOfRun):
    """Settings."""

    run_dirs: tuple[str, ...] = ("runs/a", "runs/b", "runs/c")
    """Folders of fine-tuning runs, at least two."""
    method: Literal["uniform", "greedy", "mean", "vote", "stacked"] = "greedy"
    """What is left as the preset: a soup of all (uniform) or of those that help (greedy), or an ensemble (the others)."""
    source: str = ""
    """Labelled examples; empty: the source of the first run. It is split as in training."""
    out_dir: str = "runs/soup"
    """Folder of the result."""
    batch_size: int = 128
    """Examples at once."""
    fast: bool = False
    """Rehearse on a few examples."""

    def __post_init__(self) -> None:
        """Refuses what is no comparison."""
        if len(set(self.run_dirs)) < 2 or len(set(self.run_dirs)) < len(self.run_dirs):
            raise UsageError(f"--run-dirs needs at least two different folders, received {' '.join(self.run_dirs)}")


def main(run: Config) -> "tp.evaluation.Table":
    """Members, soups, ensembles, report, save."""
    members = [tp.tasks.load_finetuned(run_dir, kinds=tuple(tp.tasks.LABELS)) for run_dir in run.run_dirs]
    kind = members[0].labels.kind
    if kind != "single" and run.method not in tp.tasks.SOUPS:
        word = tp.data.LABEL_WORDS[kind]
        raise UsageError(
            f"--method {run.method} joins classifiers: of labels that are {word}s there are uniform and greedy soups"
        )
    source = run.source or members[0].task["source"]
    splits, form = members[0].splits_of(source), members[0].form_of(source, run)
    parts = tp.data.labelled_splits(source, form, splits=splits, most=64 if run.fast else 0)
    tp.tasks.require_classes(members[0], parts.class_names, source)
    for member in members:
        tp.tasks.require_held_out(member.run_dir, member.task, parts.validation, "validation")
    joined = tp.tasks.Ensemble(members, parts, run.batch_size)
    models, kept = {member.run_dir: member.model for member in members}, ""
    try:
        models["uniform"], greedy = joined.soups()
        models["greedy"] = greedy.model
        kept = ", ".join(run.run_dirs[index] for index in greedy.members)
    except UsageError as error:
        if run.method in tp.tasks.SOUPS:
            raise
        print(f"no soup: {error}")
    if kept and len(tp.tasks.starts_of(run.run_dirs)) > 1:
        print("warning: the runs began from different weights, and only one start makes a good soup")
    models |= {method: joined.ensemble(method) for method in tp.tasks.ENSEMBLES if kind == "single"}
    notes = [f"Greedy soup of {kept}: the validation set chose them."] if kept else []
    if "stacked" in models:
        notes.append("The stack was fitted on the validation set: only its test metric is a fair one.")
    table = joined.table(models, note=" ".join(notes))
    print(table.markdown())

    chosen = models[run.method]
    with alone_in(Path(run.out_dir)):
        report = joined.report(
            chosen,
            {
                "out_dir": run.out_dir,
                "title": f"{run.method} of {len(members)} runs: {parts.test.name}",
                "tables": [table],
                "settings": dataclasses.asdict(run),
            },
        )
        write_atomic(Path(run.out_dir, "soup.md"), table.markdown())
        task = members[0].task | report.task
        tp.training.save_preset(f"{run.out_dir}/preset", chosen, tokenizer=members[0].tokenizer, task=task)
    found = f"{run.method}: test {report.summary}"
    launch.close(found, report.page, launch.to_export(run), verdict=report.verdict)
    return table


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
