"""One pass over all of a data source before step 1: every bad file, line and label by name."""

import collections
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from tfpretune.data.checks.copies import copy_notes, shared_notes
from tfpretune.data.checks.images import decode_all
from tfpretune.data.checks.labels import conflict_of, label_histogram
from tfpretune.data.checks.options import refuse_other_options
from tfpretune.data.checks.result import CheckResult
from tfpretune.data.checks.splits import shared_contents, shared_with
from tfpretune.data.checks.tasks import check_task, task_of
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.folders.walking import hidden_note
from tfpretune.data.readers.labels.labels import LabelKind, more_label_columns, read_labels
from tfpretune.data.readers.masks.geometry import MaskOrientation
from tfpretune.data.readers.rows import Problem, Rows
from tfpretune.data.readers.tables import DEFAULT_LABEL, DEFAULT_TEXT
from tfpretune.data.sources.examples import make_examples, read_rows
from tfpretune.data.splits.sides import across_splits_note


def check(
    spec: str,
    *,
    against: str = "",
    text_column: str = DEFAULT_TEXT,
    label_column: str = DEFAULT_LABEL,
    class_names: Sequence[str] = (),
    pair_column: str = "",
    label_kind: LabelKind | Literal[""] = "",
    label_separator: str = ";",
    labels_as_written: bool = False,
    may_lack: bool = False,
    word_column: int = 0,
    tag_column: int = -1,
    repair: bool = False,
    mask_orientation: MaskOrientation = "auto",
    mask_values: Sequence[int] = (),
) -> CheckResult:
    """Goes over all of a source: reads every row, decodes every image, looks at every label, compares every content.

    Args:
        spec: the source, as for `open_source`.
        against: a second source, such as the test set, that must share no example and no more classes with the first.
            (Tagged words, questions and images with masks are checked by `check_task`.)
        text_column: as for `open_source`.
        label_column: as for `open_source`.
        class_names: the classes that are allowed; without it, doubtful labels count as wrong, as in `open_source`.
        pair_column: as for `open_source`.
        label_kind: as for `open_source`.
        label_separator: as for `open_source`.
        labels_as_written: as for `open_source`.
        may_lack: rows may lack a label, as where several tasks share a source.
        word_column: as for `open_tagged`.
        tag_column: as for `open_tagged`.
        repair: as for `open_tagged`.
        mask_orientation: of images with masks: as `orientation` of `open_masks`.
        mask_values: of images with masks: as `values` of `open_masks`.

    Returns:
        All problems, each with its place and what to do, and what is good to know.

    Raises:
        UsageError: when there is no such source or column, or it has no use for an option.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import check
        >>> _ = Path("reviews.csv").write_text('''text,label
        ... It works well,yes
        ... ,no
        ... It broke at once,no''')
        >>> result = check("csv:reviews.csv")
        >>> result.ok, str(result.problems[0])
        (False, 'reviews.csv:3: the text is empty; fill it in or remove the row')
    """
    reading: dict[str, Any] = {
        "text_column": text_column,
        "label_column": label_column,
        "class_names": class_names,
        "pair_column": pair_column,
        "label_kind": label_kind,
        "label_separator": label_separator,
        "labels_as_written": labels_as_written,
        "may_lack": may_lack,
    }
    of_tasks: dict[str, Any] = {
        "word_column": word_column,
        "tag_column": tag_column,
        "repair": repair,
        "mask_orientation": mask_orientation,
        "mask_values": mask_values,
    }
    refuse_other_options(spec, task_of(spec), reading | of_tasks)
    result = check_task(spec, against=against, **of_tasks)
    if result:
        return result
    read: Callable[[str], tuple[Rows, Examples, np.ndarray]] = functools.partial(_read, **reading)
    rows, examples, good = read(spec)
    problems = [*rows.problems, *rows.skipped]
    notes = [*rows.notes, *hidden_note(rows.hidden)]
    if rows.kind == "image" and not isinstance(rows.inputs, np.ndarray):
        faults, image_notes = decode_all(rows.inputs)
        good[[rows.inputs.index(fault.where) for fault in faults]] = False
        problems += faults
        notes += image_notes
    examples = examples.take(good)
    result = check_examples(examples)
    problems += result.problems
    if against:
        other_rows, other, _ = read(against)
        problems += shared_with(examples, other)
        texts, others = examples.compared_texts(), other.compared_texts()
        if texts is not None and others is not None:
            notes += shared_notes(texts, examples.where, others, other.where, against)
        if other_rows.problems:
            notes.append(f"{against} has problems of its own, run: tfpretune check {against}")
    if rows.long_lines:
        notes.append(f"{rows.long_lines:,} lines were over 4,096 bytes and were split")
    counts = {**result.counts, "long_lines": rows.long_lines, "skipped_files": len(rows.skipped)}
    return dataclasses.replace(
        result, name=spec, problems=tuple(problems), notes=(*notes, *result.notes), counts=counts
    )


def check_examples(examples: Examples) -> CheckResult:
    """Checks examples in memory: that there are any, that there are two classes, duplicates, conflicting labels."""
    problems, notes = [], []
    if not len(examples):
        problems.append(
            Problem(examples.name, "there are no usable rows", "nothing can be learnt from it: give another source")
        )
    groups = collections.defaultdict(list)
    for row, key in enumerate(examples.keys()):
        groups[key].append(row)
    conflicts = 0
    histogram = {}
    if examples.label_kind == "number" and len(examples):
        values = examples.known_labels
        notes.append(f"labels are {values.min():g} to {values.max():g}, {values.mean():g} in the mean")
        if values.min() == values.max():
            problems.append(Problem(examples.name, f"all labels are {values.min():g}", "add examples of other labels"))
    elif examples.labels is not None and examples.label_kind != "number":
        histogram = label_histogram(examples)
        used = [name for name, count in histogram.items() if count]
        if len(used) == 1 and examples.label_kind == "class":
            problems.append(
                Problem(examples.name, f"there is only one class, {used[0]!r}", "add examples of another class")
            )
        notes += [f"class {name!r} has no examples" for name, count in histogram.items() if not count]
    if examples.labels is not None:
        found = [conflict for members in groups.values() for conflict in conflict_of(examples, members)]
        conflicts = len(found)
        if examples.label_kind != "number":
            problems += found
        elif found:
            notes.append(
                f"{conflicts:,} {examples.kind}s have several numbers, whose mean counts (the first: {found[0].where})"
            )
    problems += shared_contents(examples, groups)
    duplicates = len(examples) - len(groups)
    if duplicates:
        notes.append(
            f"{duplicates:,} examples are copies of others: drop them before splitting (Examples.without_duplicates)"
        )
    notes += copy_notes(examples.places.copies, own_splits=examples.splits is not None)
    notes += [across_splits_note(copies)] if (copies := len(examples.copies_of_training())) else []
    if examples.kind == "text" and len(examples):
        lengths = [len(text) for text in examples.inputs]
        notes.append(f"texts have {int(np.median(lengths)):,} characters in the median, {max(lengths):,} at most")
    counts = {"examples": len(examples), "unique": len(groups), "duplicates": duplicates, "conflicts": conflicts}
    counts |= examples.near_copies()
    numbers = examples.label_kind == "number"
    return CheckResult(examples.name, tuple(problems), tuple(notes), histogram, counts, numbers)


def _read(
    spec: str,
    *,
    text_column: str,
    label_column: str,
    class_names: Sequence[str],
    pair_column: str,
    label_kind: LabelKind | Literal[""],
    label_separator: str,
    labels_as_written: bool,
    may_lack: bool,
) -> tuple[Rows, Examples, np.ndarray]:
    """Returns all rows, the same as examples, and which of them are good; the labels of the others are put to 0."""
    rows = read_rows(
        spec,
        text_column=text_column,
        label_column=label_column,
        pair_column=pair_column,
        label_kind=label_kind,
        label_separator=label_separator,
    )
    labels: np.ndarray | None
    if may_lack:
        rows.more_labels = {label_column: rows.labels}
        column = more_label_columns(rows, as_written=labels_as_written, may_lack=True)[label_column]
        labels, names, good = column.labels, column.class_names, column.labels >= 0
    else:
        labels, names, good = read_labels(
            rows, kind=label_kind, class_names=class_names, separator=label_separator, as_written=labels_as_written
        )
    if labels is not None and labels.dtype.kind == "i":
        labels = np.maximum(labels, 0) if names else None
    return rows, make_examples(rows, labels, names, spec), good
