"""Teachers of a distillation: loaded, and asked about examples."""

import dataclasses
import hashlib
from pathlib import Path

from tfpretune.data.batches.mixing import Mixed
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.source_form import USUAL_FORM, SourceForm
from tfpretune.data.sources.examples import open_examples
from tfpretune.data.sources.pretraining import without_held_out
from tfpretune.data.splits.form import USUAL_SPLITS, SplitForm
from tfpretune.errors import UsageError
from tfpretune.finetune.methods.distillation import teacher_answers, with_teacher
from tfpretune.runtime.files import MANIFEST
from tfpretune.tasks.finetuning.finetuned_runs import FinetunedModel, load_finetuned
from tfpretune.tasks.finetuning.kinds import MakeBatches

ANSWER_BATCH_SIZE = 128


def load_teacher(run_dir: str) -> FinetunedModel:
    """Loads a classifier of texts or images that a fine-tuning run left.

    Raises:
        UsageError: the folder holds another model.
        RunError: a file is damaged.
    """
    teacher = load_finetuned(run_dir)
    if teacher.reads_pairs:
        raise UsageError(f"--teacher-dir {run_dir} reads pairs of texts: this recipe is for texts and images")
    return teacher


def unlabelled_examples(
    source: str, form: SourceForm = USUAL_FORM, *, most: int = 0, splits: SplitForm = USUAL_SPLITS
) -> Examples:
    """Opens examples for the teacher to answer. Labels are put aside.

    Only the training split is taken, so that no content of the labelled source's validation and test splits is among them,
    and nothing that stands in a validation or test source.

    Args:
        source: as `open_source` takes it.
        form: how it is read, but for its labels.
        most: take at most so many, for rehearsals; 0 takes all.
        splits: where the run's validation and test examples come from.
    """
    form = dataclasses.replace(form, label_column="")
    examples = without_held_out(open_examples(source, form).without_duplicates(), splits, form)
    examples = examples.split("train", splits.fractions)
    return examples.sample(most) if most else examples


def taught_batches(
    teacher: FinetunedModel,
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


def fingerprint(teacher: FinetunedModel) -> str:
    """Returns a short digest of a teacher's files: a distillation does not go on with another one."""
    return hashlib.sha256(Path(teacher.run_dir, "preset", MANIFEST).read_bytes()).hexdigest()[:16]
