"""open_source: one line of text names any data. Imports no TensorFlow, except for tfds."""

import difflib
import os
import re
from collections.abc import Sequence

import numpy as np

from tfpretune.config import RunError, UsageError
from tfpretune.data.demo import DEMOS, read_demo
from tfpretune.data.examples import Examples
from tfpretune.data.folders import read_image_folder, read_text_folder, read_text_lines
from tfpretune.data.rows import Problem, Rows, find_files
from tfpretune.data.tables import DEFAULT_LABEL, DEFAULT_TEXT, read_csv, read_jsonl

SCHEMES = ("demo", "tfds", "csv", "jsonl", "text", "images")


def open_source(
    spec: str, *, text_column: str = DEFAULT_TEXT, label_column: str = DEFAULT_LABEL, class_names: Sequence[str] = ()
) -> Examples:
    """Opens a data source and checks what can be checked without decoding images.

    Args:
        spec: one of
            `demo:NAME`, a data set inside a package: digits, mnist5k, bbc, reviews-zh, people-daily;
            `tfds:NAME[/CONFIG][:SPLIT]` or `tfds:FOLDER[:SPLIT]`, TensorFlow Datasets (SPLIT is "train" if left out);
            `csv:GLOB`, comma-separated with a header line; `jsonl:GLOB`, one JSON object a line;
            `text:GLOB`, unlabelled, one example a line;
            `text:FOLDER`, one example a .txt file, class subfolders are labels;
            `images:FOLDER`, class subfolders are labels, a flat folder has none.
        text_column: name of the column, key or feature with the text (csv, jsonl, tfds).
        label_column: the same for the label; "" reads no labels. The default may be missing: then there are no labels.
        class_names: the classes that are allowed, in the order of their indices. Labels may then be names, or
            numbers from 0. Without it: the sorted labels (as numbers if all are whole), or the order that tfds gives.

    Returns:
        Examples whose texts went through `tfpretune.data.text.clean`. Duplicates are still there.

    Raises:
        UsageError: when there is no such source.
        RunError: at the first bad place in it; `tfpretune check SPEC` names them all.
    """
    rows = read_rows(spec, text_column=text_column, label_column=label_column)
    labels, names = index_labels(rows, class_names)
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}")
    if not len(rows.inputs):
        raise RunError(f"{spec}: there are no rows: nothing to learn from; for details run: tfpretune check {spec}")
    return Examples(rows.kind, rows.inputs, labels, names, rows.where, spec, rows.licence)


def read_rows(spec: str, *, text_column: str = DEFAULT_TEXT, label_column: str = DEFAULT_LABEL) -> Rows:
    """Reads a source with all its problems; `open_source` and `check` both start here."""
    scheme, colon, rest = spec.partition(":")
    if not colon or scheme not in SCHEMES:
        raise UsageError(
            f"unknown source {spec!r}{_nearest(scheme, SCHEMES)}: expected one of {', '.join(s + ':' for s in SCHEMES)}"
        )
    if not rest:
        raise UsageError(f"source {spec!r} names nothing after the colon: see tfpretune.data.open_source for the forms")
    if scheme == "demo":
        if rest not in DEMOS:
            raise UsageError(f"unknown demo {rest!r}{_nearest(rest, DEMOS)}: expected one of {', '.join(DEMOS)}")
        return read_demo(rest)
    if scheme == "tfds":
        from tfpretune.data.tfds_source import read_tfds  # imports TensorFlow, which takes seconds

        return read_tfds(rest, text_column=text_column, label_column=label_column)
    if scheme == "csv":
        return read_csv(find_files(rest, scheme), text_column=text_column, label_column=label_column)
    if scheme == "jsonl":
        return read_jsonl(find_files(rest, scheme), text_column=text_column, label_column=label_column)
    if scheme == "images":
        return read_image_folder(rest)
    if os.path.isdir(os.path.expanduser(rest)):
        return read_text_folder(rest)
    return read_text_lines(find_files(rest, scheme))


def index_labels(rows: Rows, class_names: Sequence[str] = ()) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Turns labels into indices. Missing and unknown ones are added to `rows.problems` and get the index -1.

    Returns:
        int32 `(rows,)` and the class names, or (None, ()) when no row has a label.
    """
    found = {label for label in rows.labels if label is not None}
    if not found:
        return None, ()
    names = tuple(class_names) or rows.class_names or sort_class_names(found)
    index = {name: number for number, name in enumerate(names)}
    numbered = not any(is_whole_number(name) for name in names)
    if numbered:
        index |= {str(number): number for number in range(len(names))}
    labels = np.full(len(rows.labels), -1, np.int32)
    for row, label in enumerate(rows.labels):
        if label in index:
            labels[row] = index[label]
        elif label is None:
            rows.problems.append(
                Problem(rows.where[row], "the label is missing", "give the row a label, as the others have one")
            )
        else:
            expected = f"expected one of {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
            expected += f" or 0..{len(names) - 1}" if numbered else ""
            rows.problems.append(Problem(rows.where[row], f"the label {label!r} is out of range", expected))
    return labels, names


def sort_class_names(labels: set[str]) -> tuple[str, ...]:
    """Returns the names in the order of the alphabet, or of the numbers if all are whole numbers."""
    if all(is_whole_number(label) for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def is_whole_number(label: str) -> bool:
    """Returns whether a label is written as an int, such as "7" or "-1"."""
    return re.fullmatch(r"-?[0-9]+", label) is not None


def _nearest(word: str, choices: Sequence[str] | dict) -> str:
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""
