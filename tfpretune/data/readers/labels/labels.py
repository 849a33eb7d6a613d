"""Labels as written -> class indices, numbers or sets of classes. Imports no TensorFlow."""

import math
import re
from collections.abc import Sequence

import numpy as np

from tfpretune.data.readers.labels.blanks import note_unlabelled, unlabelled_sets
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.readers.labels.doubts import (
    class_problems,
    kind_notes,
    kind_problems,
    looks_missing,
    missing_looking,
    missing_problem,
    twin_problems,
)
from tfpretune.data.readers.labels.forms import set_form_problems
from tfpretune.data.readers.records import Problem, Records
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.errors import UsageError

LARGEST = float(np.finfo(np.float32).max)


def read_labels(rows: Records, form: SourceForm) -> tuple[np.ndarray | None, tuple[str, ...], np.ndarray]:
    """Turns the labels of rows into an array. Wrong and doubtful ones are added to `rows.problems`.

    Rows without a label beside others that have one are unlabelled rows, whose number is noted. Where the classes are not
    given, a label that stands for no value (nan, None, N/A), a second spelling of a class (1 and 01, Sport and sport) and a
    whole number that stands apart are problems; so are, where no kind is given, classes that look like numbers or sets.

    Args:
        rows: with the labels as they are written.
        form: what a label is.

    Returns:
        The labels as `Examples.labels` has them, or None when no row has one; the class names; and a bool `(rows,)`
        that is true where the label is there and good.

    Raises:
        UsageError: another kind than the source says where it says numbers or sets.
    """
    kind = form.label_kind
    if kind and rows.label_kind not in ("single", kind):
        what = {"regression": "numbers", "multi-label": "sets of classes"}[rows.label_kind]
        raise UsageError(f"the labels of this source are {what}: ask for kind {rows.label_kind!r}, not {kind!r}")
    kind = kind or rows.label_kind
    if kind == "regression":
        numbers = number_labels(rows)
        note_unlabelled(rows)
        return numbers, (), np.ones(len(rows.labels), bool) if numbers is None else np.isfinite(numbers)
    if kind == "multi-label":
        return _set_labels(rows, form)
    if all(label is None for label in rows.labels):
        return None, (), np.ones(len(rows.labels), bool)
    note_unlabelled(rows)
    known = form.class_names or rows.class_names
    labels, names = _indices(rows, rows.labels, known, "label", as_written=not form.doubts_labels, may_be_blank=True)
    if not known:
        told = form.label_kind or not form.doubts_labels or rows.class_folders
        doubts = [] if told else kind_problems(rows, names)
        if not doubts and form.doubts_labels:
            doubts = class_problems(rows, rows.labels, names, "label")
        rows.problems += doubts
        in_columns = rows.kind == "text" or rows.label_column  # others are folders, or have their names
        rows.notes += kind_notes(names, len(rows.labels)) if in_columns and not doubts else []
    return labels, names, labels >= 0


def _indices(
    rows: Records,
    written: Sequence[str | None],
    class_names: tuple[str, ...],
    what: str,
    *,
    as_written: bool,
    may_lack: bool = False,
    may_be_blank: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Turns labels into indices int32 `(rows,)`, with -1 for those that are missing, look so, or are unknown."""
    found = {label for label in written if label is not None}
    missing = set() if class_names or as_written else missing_looking(found, may_lack=may_lack)
    names = class_names or sort_class_names(found - missing)
    index = _index(names)
    labels = np.full(len(written), -1, np.int32)
    for row, label in enumerate(written):
        if label in missing:
            rows.problems.append(missing_problem(rows.where[row], label or "", what, may_lack=may_lack))
        elif label in index:
            labels[row] = index[label]
        elif label is not None:
            rows.problems.append(_unknown(rows.where[row], label, names))
        elif not (may_lack or may_be_blank):
            todo = "give the row a label, as the others have one"
            rows.problems.append(Problem(rows.where[row], f"the {what} is missing", todo))
    return labels, names


def number_labels(rows: Records) -> np.ndarray | None:
    """Reads labels as numbers; those that are none are added to `rows.problems` and become NaN, as blank ones do.

    Returns:
        float32 `(rows,)`, or None when no row has a label.
    """
    if all(label is None for label in rows.labels):
        return None
    numbers = np.full(len(rows.labels), np.nan, np.float32)
    for row, label in enumerate(rows.labels):
        number = _number(label)
        if abs(number) <= LARGEST:
            numbers[row] = number
        elif label is not None:
            missing = looks_missing(label)
            what = "looks like a missing label" if missing else "is not a finite number"
            todo = "write it like -1.5, or remove the row"
            rows.problems.append(Problem(rows.where[row], f"the label {label!r} {what}", todo))
    return numbers


def _set_labels(rows: Records, form: SourceForm) -> tuple[np.ndarray | None, tuple[str, ...], np.ndarray]:
    """Reads labels as sets of classes, "a;b". A blank one is the empty set or, as `form.blank_labels` says, no label.

    Returns:
        int32 `(rows, classes)` of 0 and 1, or None when no row has a label; the class names; and a bool `(rows,)` that is
        false where there is no label, or a class is unknown or looks missing, which is added to `rows.problems`.
    """
    separator = rows.label_separator or form.label_separator
    parts = [[part.strip() for part in (label or "").split(separator)] for label in rows.labels]
    sets = [set(each) - {""} for each in parts]
    found = set().union(*sets)
    good = np.ones(len(sets), bool)
    if not found:
        return None, (), good
    good &= ~np.array(unlabelled_sets(rows, form), bool)
    given = form.class_names or rows.class_names
    doubted = form.doubts_labels and not given
    missing = missing_looking(found) if doubted else set()
    names = given or sort_class_names(found - missing)
    index = _index(names)
    labels = np.zeros((len(sets), len(names)), np.int32)
    for row, members in enumerate(sets):
        for member in sorted(members):
            if member in index:
                labels[row, index[member]] = 1
                continue
            good[row] = False
            where = rows.where[row]
            rows.problems.append(
                missing_problem(where, member, "label") if member in missing else _unknown(where, member, names)
            )
    if doubted:
        doubts = set_form_problems(rows, [[part for part in each if part] for each in parts], separator)
        rows.problems += doubts or twin_problems(rows, [members - missing for members in sets], "label")
    return labels, names, good


def more_label_columns(rows: Records, form: SourceForm) -> dict[str, LabelColumn]:
    """Returns the further label columns that a source has, by name; each label is a class.

    Missing and doubtful labels are added to `rows.problems`, as those of `read_labels`, and get the index -1.

    Args:
        rows: with the labels as they are written.
        form: whether labels are doubted, and whether a row may lack one, which is noted in `rows.notes`.
    """
    columns = {}
    as_written, may_lack = form.labels_as_written, form.may_lack
    for name, written in rows.more_labels.items():
        given, what = rows.more_class_names.get(name, ()), f"label {name!r}"
        labels, names = _indices(rows, written, given, what, as_written=as_written, may_lack=may_lack)
        if not (given or as_written):
            rows.problems += class_problems(rows, written, names, what)
            rows.notes += [f"{name}: {note}" for note in kind_notes(names, len(written))]
        lacking = sum(label is None for label in written)
        if may_lack and lacking:
            rows.notes.append(f"{name}: {lacking:,} of {len(written):,} rows have no label, and do not count for it")
        columns[name] = LabelColumn(labels, names)
    return columns


def sort_class_names(labels: set[str]) -> tuple[str, ...]:
    """Returns the names in the order of the alphabet, or of the numbers if all are whole numbers."""
    if all(is_whole_number(label) for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def is_whole_number(label: str) -> bool:
    """Returns whether a label is written as an int, such as "7" or "-1"."""
    return re.fullmatch(r"-?[0-9]+", label) is not None


def _index(names: Sequence[str]) -> dict[str, int]:
    """Class name -> index; where no name is a number, the index written as a number stands for its class too."""
    index = {name: number for number, name in enumerate(names)}
    if _numbered(names):
        index |= {str(number): number for number in range(len(names))}
    return index


def _numbered(names: Sequence[str]) -> bool:
    return not any(is_whole_number(name) for name in names)


def _unknown(where: str, label: str, names: Sequence[str]) -> Problem:
    expected = f"expected one of {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
    expected += f" or 0..{len(names) - 1}" if _numbered(names) else ""
    return Problem(where, f"the label {label!r} is out of range", expected)


def _number(label: str | None) -> float:
    try:
        return float(label) if label is not None and "_" not in label else math.nan
    except ValueError:
        return math.nan
