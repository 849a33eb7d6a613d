"""What `check` says about labels. Imports no TensorFlow."""

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.records import Problem


def label_histogram(examples: Examples) -> dict[str, int]:
    """Counts the examples of each class; one with several classes counts for each."""
    labels = examples.known_labels
    sums = labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=len(examples.class_names))
    return {name: int(count) for name, count in zip(examples.class_names, sums, strict=True)}


def written_label(examples: Examples, row: int) -> str:
    """Returns the label of one row as a message shows it."""
    label = examples.known_labels[row]
    if examples.label_kind == "regression":
        return f"{label:g}"
    if examples.label_kind == "single":
        return repr(examples.class_names[label])
    return repr(";".join(np.array(examples.class_names)[label > 0]))


def conflict_of(examples: Examples, members: list[int]) -> list[Problem]:
    """Names the first two examples with the same content and different labels."""
    first = members[0]
    for other in members[1:]:
        if not np.array_equal(examples.known_labels[other], examples.known_labels[first]):
            names = f"{written_label(examples, first)} and {written_label(examples, other)}"
            what = f"the same {examples.kind} stands at {examples.where[first]} with another label ({names})"
            return [Problem(examples.where[other], what, "correct one or remove both")]
    return []
