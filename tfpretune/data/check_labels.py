"""What `check` says about labels. Imports no TensorFlow."""

import numpy as np

from tfpretune.data.examples import Examples
from tfpretune.data.labels import is_whole_number
from tfpretune.data.rows import Problem


def label_histogram(examples: Examples) -> dict[str, int]:
    """Counts the examples of each class; one with several classes counts for each."""
    labels = examples.known_labels
    sums = labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=len(examples.class_names))
    return {name: int(count) for name, count in zip(examples.class_names, sums, strict=True)}


def written_label(examples: Examples, row: int) -> str:
    """Returns the label of one row as a message shows it."""
    label = examples.known_labels[row]
    if examples.label_kind == "number":
        return f"{label:g}"
    if examples.label_kind == "class":
        return repr(examples.class_names[label])
    return repr(";".join(np.array(examples.class_names)[label > 0]))


def odd_numbers(examples: Examples) -> list[Problem]:
    """Finds whole-number labels that stand apart: 0, 1, 2, 99, or a -1 beside 0, 1, 2 (which often means: none)."""
    if (
        examples.label_kind != "class"
        or len(examples.class_names) < 3
        or not all(map(is_whole_number, examples.class_names))
    ):
        return []
    values = [int(name) for name in examples.class_names]
    gap = next((i for i in range(1, len(values)) if values[i] - values[i - 1] > 1), None)
    odd = values[gap:] if gap else []
    rest = values[:gap]
    if rest[:2] == [-1, 0] and values[-1] > 1:
        odd, rest = [-1, *odd], rest[1:]
    problems = []
    for value in odd:
        for row in np.flatnonzero(examples.labels == values.index(value)).tolist():
            what = f"the label {value} is out of range: the others are {rest[0]} to {rest[-1]}"
            problems.append(
                Problem(examples.where[row], what, "correct it; if it is meant, name the classes with class_names")
            )
    return problems
