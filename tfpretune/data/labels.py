"""Labels as written -> class indices, numbers or sets of classes. Imports no TensorFlow."""

import math
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from tfpretune.config import UsageError
from tfpretune.data.examples import LabelColumn
from tfpretune.data.rows import Problem, Rows

LabelKind = Literal["class", "number", "set"]
LABEL_KINDS = ("class", "number", "set")


def read_labels(
    rows: Rows, *, kind: LabelKind | Literal[""] = "", class_names: Sequence[str] = (), separator: str = ";"
) -> tuple[np.ndarray | None, tuple[str, ...], np.ndarray]:
    """Turns the labels of rows into an array. Missing and wrong ones are added to `rows.problems`.

    Args:
        rows: with the labels as they are written.
        kind: "class", "number", "set", or "" for what the source itself says, which is "class" for files.
        class_names: the classes that are allowed.
        separator: between the classes of a set.

    Returns:
        The labels as `Examples.labels` has them, or None when no row has one; the class names; and a bool `(rows,)`
        that is true where the label is good.

    Raises:
        UsageError: an unknown kind, or another one than the source says where it says numbers or sets.
    """
    if kind not in ("", *LABEL_KINDS):
        raise UsageError(f"unknown kind of labels {kind!r}: expected one of {', '.join(LABEL_KINDS)}")
    if kind and rows.label_kind not in ("class", kind):
        what = {"number": "numbers", "set": "sets of classes"}[rows.label_kind]
        raise UsageError(f"the labels of this source are {what}: ask for kind {rows.label_kind!r}, not {kind!r}")
    kind = kind or rows.label_kind
    if kind == "number":
        numbers = number_labels(rows)
        return numbers, (), np.ones(len(rows.labels), bool) if numbers is None else np.isfinite(numbers)
    if kind == "set":
        labels, names, known = set_labels(rows, class_names, rows.label_separator or separator)
        return labels, names, known
    labels, names = index_labels(rows, class_names)
    return labels, names, np.ones(len(rows.labels), bool) if labels is None else labels >= 0


def index_labels(rows: Rows, class_names: Sequence[str] = ()) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Turns labels into indices. Missing and unknown ones are added to `rows.problems` and get the index -1.

    Returns:
        int32 `(rows,)` and the class names, or (None, ()) when no row has a label.
    """
    if all(label is None for label in rows.labels):
        return None, ()
    return _indices(rows, rows.labels, tuple(class_names) or rows.class_names, "label")


def _indices(
    rows: Rows, written: Sequence[str | None], class_names: tuple[str, ...], what: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    names = class_names or sort_class_names({label for label in written if label is not None})
    index = _index(names)
    labels = np.full(len(written), -1, np.int32)
    for row, label in enumerate(written):
        if label in index:
            labels[row] = index[label]
        elif label is None:
            rows.problems.append(
                Problem(rows.where[row], f"the {what} is missing", "give the row a label, as the others have one")
            )
        else:
            rows.problems.append(_unknown(rows.where[row], label, names))
    return labels, names


def number_labels(rows: Rows) -> np.ndarray | None:
    """Reads labels as numbers; those that are none are added to `rows.problems` and become NaN.

    Returns:
        float32 `(rows,)`, or None when no row has a label.
    """
    if all(label is None for label in rows.labels):
        return None
    numbers = np.full(len(rows.labels), np.nan, np.float32)
    for row, label in enumerate(rows.labels):
        number = _number(label)
        if math.isfinite(number):
            numbers[row] = number
        else:
            what = "the number is missing" if label is None else f"the label {label!r} is not a finite number"
            rows.problems.append(Problem(rows.where[row], what, "write it like -1.5, or remove the row"))
    return numbers


def set_labels(
    rows: Rows, class_names: Sequence[str] = (), separator: str = ";"
) -> tuple[np.ndarray | None, tuple[str, ...], np.ndarray]:
    """Reads labels as sets of classes, "a;b"; a row without one is the empty set.

    Returns:
        int32 `(rows, classes)` of 0 and 1, or None when no row has a label; the class names; and a bool `(rows,)` that is
        false where a class is unknown, which is added to `rows.problems`.
    """
    if not separator:
        raise UsageError("the separator between the classes of a set is empty: give one, such as ;")
    sets = [{part.strip() for part in (label or "").split(separator)} - {""} for label in rows.labels]
    found = set().union(*sets)
    good = np.ones(len(sets), bool)
    if not found:
        return None, (), good
    names = tuple(class_names) or rows.class_names or sort_class_names(found)
    index = _index(names)
    labels = np.zeros((len(sets), len(names)), np.int32)
    for row, members in enumerate(sets):
        for member in sorted(members):
            if member in index:
                labels[row, index[member]] = 1
            else:
                good[row] = False
                rows.problems.append(_unknown(rows.where[row], member, names))
    return labels, names, good


def more_label_columns(rows: Rows) -> dict[str, LabelColumn]:
    """Returns the further label columns that a source has, by name; each label is a class.

    Missing labels are added to `rows.problems` and get the index -1, which `Examples` does not take.
    """
    columns = {}
    for name, written in rows.more_labels.items():
        names = rows.more_class_names.get(name, ())
        columns[name] = LabelColumn(*_indices(rows, written, names, f"label {name!r}"))
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
