"""One pass over all of a data source before step 1: every bad file, line and label by name."""

import collections
import dataclasses

import numpy as np

from tfpretune.data.checks.copies import copy_notes, shared_notes
from tfpretune.data.checks.kinds import CHECKS
from tfpretune.data.checks.labels import conflict_of, label_histogram
from tfpretune.data.checks.options import refuse_other_options
from tfpretune.data.checks.parts import PartSizes, part_sizes
from tfpretune.data.checks.result import CheckResult
from tfpretune.data.checks.splits import shared_contents, shared_with
from tfpretune.data.checks.tasks import check_task, task_of
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.labels.blanks import all_blank
from tfpretune.data.readers.labels.labels import more_label_columns, read_labels
from tfpretune.data.readers.masks.form import USUAL_MASKS, MaskForm
from tfpretune.data.readers.records import Problem, Records
from tfpretune.data.readers.source_form import USUAL_FORM, SourceForm
from tfpretune.data.readers.tag_form import USUAL_TAGS, TagForm
from tfpretune.data.sources.examples import labelled_rows, make_examples
from tfpretune.data.sources.naming import full_name
from tfpretune.data.sources.official import with_official_splits
from tfpretune.data.sources.schemes import read_rows
from tfpretune.data.splits.form import USUAL_SPLITS, SplitForm
from tfpretune.data.splits.sides import across_splits_note
from tfpretune.errors import UsageError


def check(
    spec: str,
    form: SourceForm = USUAL_FORM,
    *,
    against: str = "",
    splits: SplitForm = USUAL_SPLITS,
    tags: TagForm = USUAL_TAGS,
    masks: MaskForm = USUAL_MASKS,
) -> CheckResult:
    """Goes over all of a source: reads every row, decodes every image, looks at every label, compares every content.

    Args:
        spec: the source, as for `open_source`.
        form: how it is read. Without `class_names`, doubtful labels count as wrong, as in `open_source`; with `may_lack` rows
            may lack a label, as where several tasks share a source.
        against: a second source, such as the test set, that must share no example and no more classes with the first.
            (Tagged words, questions and images with masks are checked by `check_task`.)
        splits: where a run would take its validation and test examples from; the sizes of its parts are counted.
        tags: how tagged words are read.
        masks: how images with masks are read.

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
    spec, against = full_name(spec, json="squad"), full_name(against, json="squad") if against else ""
    refuse_other_options(spec, task_of(spec, form.encoding), form, tags, masks)
    tags = dataclasses.replace(tags, encoding=form.encoding)
    result = check_task(spec, against=against, tags=tags, masks=masks, encoding=form.encoding)
    if result and splits.own:
        raise UsageError(
            f"{spec}: `{next(iter(splits.own))}_source` is for labelled examples: compare this one against it"
        )
    if result:
        return result
    rows, examples = _read(spec, form)
    problems = [*rows.problems, *rows.skipped]
    notes = [*rows.notes]
    examples, faults, input_notes = _readable(rows, examples)
    problems += faults
    notes += input_notes
    if blank := all_blank(rows, spec):
        problems.append(blank)
    result = check_examples(examples)
    problems += result.problems
    sizes = PartSizes() if rows.problems or faults else _sizes(examples, form, splits)
    problems += sizes.problems
    if against:
        other_rows, other = _read(against, form)
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
        result,
        name=spec,
        problems=tuple(problems),
        notes=(*notes, *result.notes, *sizes.notes),
        counts=counts,
        parts=sizes.parts,
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
    if examples.label_kind == "regression" and len(examples):
        values = examples.known_labels
        notes.append(f"labels are {values.min():g} to {values.max():g}, {values.mean():g} in the mean")
        if values.min() == values.max():
            problems.append(Problem(examples.name, f"all labels are {values.min():g}", "add examples of other labels"))
    elif examples.labels is not None and examples.label_kind != "regression":
        histogram = label_histogram(examples)
        used = [name for name, count in histogram.items() if count]
        if len(used) == 1 and examples.label_kind == "single":
            problems.append(
                Problem(examples.name, f"there is only one class, {used[0]!r}", "add examples of another class")
            )
        notes += [f"class {name!r} has no examples" for name, count in histogram.items() if not count]
    if examples.labels is not None:
        found = [conflict for members in groups.values() for conflict in conflict_of(examples, members)]
        conflicts = len(found)
        if examples.label_kind != "regression":
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
    notes += CHECKS[examples.kind].notes(examples.inputs) if len(examples) else []
    counts = {"examples": len(examples), "unique": len(groups), "duplicates": duplicates, "conflicts": conflicts}
    counts |= examples.near_copies()
    numbers = examples.label_kind == "regression"
    return CheckResult(examples.name, tuple(problems), tuple(notes), histogram, counts, numbers)


def _read(spec: str, form: SourceForm) -> tuple[Records, Examples]:
    """Returns all rows with their problems, and those that have a good label, or all where none has one."""
    rows = read_rows(spec, form)
    rows.more_labels = {name: rows.more_labels.get(name, []) for name in form.more_labels}
    labels: np.ndarray | None
    if form.may_lack:
        rows.more_labels[form.label_column] = rows.labels
        column = more_label_columns(rows, form)[form.label_column]
        labels, names, good = column.labels, column.class_names, column.labels >= 0
        labels = labels if names else None
    else:
        labels, names, good = read_labels(rows, form)
        more_label_columns(rows, form)  # their problems are noted
    return rows, labelled_rows(make_examples(rows, None, (), spec), labels, names, good)


def _readable(rows: Records, examples: Examples) -> tuple[Examples, list[Problem], list[str]]:
    """Decodes all images of a source, and leaves out of its examples what cannot be read, which is named by its row."""
    faults, notes = CHECKS[rows.kind].faults(rows.inputs)
    if not faults:
        return examples, [], notes
    places = dict(zip(reversed(rows.inputs), reversed(rows.where), strict=True))  # the first row of a file
    problems = [
        fault
        if places[fault.where] == fault.where
        else dataclasses.replace(fault, where=f"{places[fault.where]}: {fault.where}")
        for fault in faults
    ]
    unread = {fault.where for fault in faults}
    return examples.take(np.array([path not in unread for path in examples.inputs], bool)), problems, notes


def _sizes(examples: Examples, form: SourceForm, splits: SplitForm) -> PartSizes:
    """Counts what a run would get. Parts that have sources of their own are checked first; without them nothing is counted."""
    kept = dataclasses.replace(form, class_names=examples.class_names, label_kind=examples.label_kind, **examples.taken)
    splits = with_official_splits(examples.name, kept, splits)
    problems: list[Problem] = []
    for source in splits.own.values():
        rows, own = _read(source, kept)
        problems += [*rows.problems, *_readable(rows, own)[1]]
    if problems or not len(examples):
        return PartSizes(problems=tuple(problems))
    return part_sizes(examples, kept, splits)
