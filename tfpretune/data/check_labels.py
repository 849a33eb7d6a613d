"""What `check` says about labels. Imports no TensorFlow."""

import numpy as np

from tfpretune.data.examples import Examples


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
