"""Rows whose label is blank, beside others that have one. Imports no TensorFlow."""

from tfpretune.data.readers.records import Problem, Records
from tfpretune.data.readers.source_form import SourceForm


def note_unlabelled(rows: Records) -> None:
    """Says how many rows of a labelled source have no label."""
    blank = sum(label is None for label in rows.labels)
    if 0 < blank < len(rows.labels):
        rows.notes.append(_note(blank, rows))


def all_blank(rows: Records, spec: str) -> Problem | None:
    """Says that nothing can be learnt from a column of labels; None where there is no such column, or a label in it."""
    if not rows.label_column or not rows.labels or any(label is not None for label in rows.labels):
        return None
    what = f"all {len(rows.labels):,} labels of the column {rows.label_column!r} are blank"
    todo = f"fill some in, or name another column with `label_column` (pretrain_{rows.kind} reads it as it is)"
    return Problem(spec, what, todo)


def unlabelled_sets(rows: Records, form: SourceForm) -> list[bool]:
    """Finds out which rows have no label where labels are sets, says it, and asks where most are blank and nobody has said it.

    Args:
        rows: with one label at least. A question is added to `rows.problems`.
        form: says what a blank label is, or does not.

    Returns:
        True for each row without a label; the other blank ones are empty sets.
    """
    blank = [row for row, label in enumerate(rows.labels) if label is None]
    if form.blank_labels == "unlabelled":
        rows.unlabelled |= set(blank)
    open_ = [row for row in blank if row not in rows.unlabelled]
    if rows.unlabelled:
        rows.notes.append(_note(len(rows.unlabelled), rows))
    if open_ and rows.label_column:  # a demo knows what its sets are
        told = f"{len(open_):,} of {len(rows.labels):,} rows have a blank label"
        if form.blank_labels or not form.doubts_labels or 2 * len(open_) <= len(rows.labels):
            rows.notes.append(f"{told}: a set without a class (`blank_labels` unlabelled: rows without a label)")
        else:
            todo = "say which: `blank_labels` unlabelled or `blank_labels` empty-set"
            what = f"{told}: they may be rows that nobody has labelled, or sets without a class"
            rows.problems.append(Problem(rows.where[open_[0]], what, todo))
    return [row in rows.unlabelled for row in range(len(rows.labels))]


def _note(count: int, rows: Records) -> str:
    return (
        f"{count:,} of {len(rows.labels):,} rows have no label and are left out of what is learnt from labels; "
        f"pretrain_{rows.kind} learns from them"
    )
