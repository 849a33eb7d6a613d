"""open_source: one line of text names any data. Imports no TensorFlow, except for tfds."""

import difflib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tfpretune.data.demo.catalogue import read_demo
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.folders.examples import read_image_folder, read_text_folder, read_text_lines
from tfpretune.data.readers.folders.image_tables import refuse_image_table
from tfpretune.data.readers.folders.splits import split_files_note
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.readers.labels.labels import LabelKind, more_label_columns, read_labels
from tfpretune.data.readers.masks.folders import find_mask_folders
from tfpretune.data.readers.rows import Rows, find_files
from tfpretune.data.readers.tables import DEFAULT_LABEL, DEFAULT_TEXT, TableColumns, read_csv, read_jsonl
from tfpretune.errors import RunError, UsageError

SCHEMES = ("demo", "tfds", "csv", "jsonl", "text", "images")


def open_source(
    spec: str,
    *,
    text_column: str = DEFAULT_TEXT,
    label_column: str = DEFAULT_LABEL,
    class_names: Sequence[str] = (),
    pair_column: str = "",
    label_kind: LabelKind | Literal[""] = "",
    label_separator: str = ";",
    more_labels: Sequence[str] = (),
    labels_as_written: bool = False,
    may_lack: bool = False,
) -> Examples:
    """Opens a data source and checks what can be checked without decoding images. Prints how it reads what has two readings.

    Args:
        spec: one of
            `demo:NAME`, a data set inside a package: digits, mnist5k, bbc, reviews-zh, people-daily, … (`DEMOS`);
            `tfds:NAME[/CONFIG][:SPLIT]` or `tfds:FOLDER[:SPLIT]`, TensorFlow Datasets (SPLIT is "train" if left out);
            `csv:GLOB`, comma-separated with a header line; `jsonl:GLOB`, one JSON object a line;
            `text:GLOB`, unlabelled, one example a line;
            `text:FOLDER`, one example a .txt file, class subfolders are labels;
            `images:FOLDER`, class subfolders are labels, a flat folder has none. In both, folders train, val and test are the
            source's splits.
        text_column: name of the column, key or feature with the text (csv, jsonl, tfds).
        label_column: the same for the label; "" reads no labels, of folders neither (of a demo they are read, and not doubted).
            The default may be missing: then there are no labels.
        class_names: the classes that are allowed, in the order of their indices. Labels may then be names, or
            numbers from 0. Without it: the sorted labels (as numbers if all are whole), or the order that tfds gives.
        pair_column: name of the column or key with the second text of each pair, such as "text_pair"; "" for single texts
            (csv, jsonl, tfds). A demo of pairs has its own.
        label_kind: "class"; "number", a float each; "set", several classes or none: "a;b" in csv and jsonl, or a
            list in jsonl. "" takes what the source says, which is "class" for files.
        label_separator: between the classes of a set.
        more_labels: columns, keys or features with further labels of the same texts, a class each (csv, jsonl, tfds): they
            become `Examples.more`. The label column must then be there, too. A demo has its own, asked for or not.
        labels_as_written: take every spelling for a class of its own. Otherwise labels that look missing (nan, N/A), that look
            alike (1 and 01, Sport and sport), or that look like numbers or sets where no kind is given, are refused.
        may_lack: rows may lack a further label; it is -1 then.

    Returns:
        Examples whose texts went through `tfpretune.data.text.cleaning.clean`. Duplicates are still there.

    Raises:
        UsageError: when there is no such source, or no such column in it.
        RunError: at the first bad place in it; `tfpretune check SPEC` names them all.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import open_source
        >>> open_source("demo:digits")
        <Examples of demo:digits: 1,797 images, 10 classes (0, 1, 2, 3, …)>
        >>> _ = Path("reviews.csv").write_text('''text,label
        ... It works well,yes
        ... It broke at once,no''')
        >>> examples = open_source("csv:reviews.csv")
        >>> examples.inputs, examples.labels.tolist(), examples.class_names
        (['It works well', 'It broke at once'], [1, 0], ('no', 'yes'))
    """
    rows = read_rows(
        spec,
        text_column=text_column,
        label_column=label_column,
        pair_column=pair_column,
        label_kind=label_kind,
        label_separator=label_separator,
        more_labels=more_labels,
    )
    labels, names, _ = read_labels(
        rows,
        kind=label_kind,
        class_names=class_names,
        separator=label_separator,
        as_written=labels_as_written or not label_column,
    )
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}")
    more = more_label_columns(rows, as_written=labels_as_written, may_lack=may_lack)
    if rows.problems:
        column = next(name for name in more if f"the label {name!r} " in rows.problems[0].what)
        options = f"--label-column {column}{' --may-lack' * may_lack}"
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec} {options}")
    if not len(rows.inputs):
        raise RunError(f"{spec}: there are no rows: nothing to learn from; for details run: tfpretune check {spec}")
    for note in rows.notes:
        print(f"{spec}: {note}")
    return make_examples(rows, labels, names, spec, more=more)


def make_examples(
    rows: Rows,
    labels: np.ndarray | None,
    class_names: tuple[str, ...],
    name: str,
    *,
    more: Mapping[str, LabelColumn] | None = None,
) -> Examples:
    """Returns the rows as examples, with the groups and second texts that they have, and these further labels."""
    return Examples(
        rows.kind,
        rows.inputs,
        labels,
        class_names,
        rows.where,
        name,
        rows.licence,
        groups=np.array(rows.groups) if rows.groups else None,
        seconds=rows.seconds or None,
        more=more or {},
        in_order=rows.in_order,
        notes=tuple(rows.notes),
        splits=rows.splits or None,
    )


def read_rows(
    spec: str,
    *,
    text_column: str = DEFAULT_TEXT,
    label_column: str = DEFAULT_LABEL,
    pair_column: str = "",
    label_kind: str = "",
    label_separator: str = ";",
    more_labels: Sequence[str] = (),
) -> Rows:
    """Reads a source with all its problems; `open_source` and `check` both start here.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import read_rows
        >>> _ = Path("reviews.csv").write_text('''text,label
        ... It works well,yes
        ... ,no''')
        >>> [str(problem) for problem in read_rows("csv:reviews.csv").problems]
        ['reviews.csv:3: the text is empty; fill it in or remove the row']
    """
    scheme, colon, rest = spec.partition(":")
    if not colon or scheme not in SCHEMES:
        near = _nearest_source(spec)
        raise UsageError(f"unknown source {spec!r}{near}: expected one of {', '.join(s + ':' for s in SCHEMES)}")
    if not rest:
        raise UsageError(f"source {spec!r} names nothing after the colon: see tfpretune.data.open_source for the forms")
    no_pairs = f"source {spec!r} has no second text {pair_column!r}: pairs are read from csv:, jsonl: and tfds:"
    if pair_column and scheme not in ("csv", "jsonl", "tfds", "demo"):
        raise UsageError(no_pairs)
    if scheme == "demo":
        found: Rows = read_demo(rest)
        if pair_column and not found.seconds:
            raise UsageError(no_pairs)
        _require_columns(spec, more_labels, found.more_labels)
        return found
    if scheme == "tfds":
        from tfpretune.data.readers.tfds import read_tfds  # imports TensorFlow, which takes seconds

        columns = {"text_column": text_column, "label_column": label_column, "pair_column": pair_column}
        return read_tfds(rest, **columns, more_labels=more_labels)
    if scheme in ("csv", "jsonl"):
        names = TableColumns(text_column, label_column, pair_column, tuple(more_labels))
        paths = find_files(rest, scheme)
        refuse_image_table(paths[0], scheme, text_column)
        if scheme == "csv":
            table = read_csv(paths, names)
        else:
            table = read_jsonl(paths, names, label_kind=label_kind, separator=label_separator)
        table.notes += split_files_note(paths, scheme)
        return table
    _require_columns(spec, more_labels, ())
    if scheme == "images":
        return _read_images(spec, rest, labels=bool(label_column))
    if os.path.isdir(os.path.expanduser(rest)):
        rows = read_text_folder(rest, labels=bool(label_column))
        rows.class_folders = True
        return rows
    paths = find_files(rest, scheme)
    rows = read_text_lines(paths)
    rows.notes += split_files_note(paths, scheme)
    return rows


def _read_images(spec: str, folder: str, *, labels: bool) -> Rows:
    masked = find_mask_folders(folder)
    if not masked:
        rows = read_image_folder(folder, labels=labels)
        rows.class_folders = True
        return rows
    if labels:
        names = " and ".join(os.path.relpath(path, os.path.expanduser(folder)) for path in masked[0][:2])
        raise UsageError(
            f"{spec} holds images with masks, which open_masks opens: expected class folders, found {names} "
            "(tfpretune run finetune_segmenter reads them)"
        )
    rows = Rows("image")
    for each in masked:
        found = read_image_folder(each.images, labels=False)
        rows.join(found, each.split)
    return rows


def _require_columns(spec: str, wanted: Sequence[str], found: Collection[str]) -> None:
    for name in wanted:
        if name not in found:
            has = f"its own and {', '.join(found)}" if found else "its own alone"
            raise UsageError(
                f"source {spec!r} has no label column {name!r}: it has {has}; columns are read from csv:, jsonl: and tfds:"
            )


def _nearest_source(spec: str) -> str:
    """A path alone gets the scheme that its name asks for, a scheme alone its colon, a misspelt one the nearest."""
    scheme, colon, rest = spec.partition(":")
    of_suffix = {".csv": "csv", ".jsonl": "jsonl", ".txt": "text"}.get(Path(spec).suffix.lower())
    if not colon and scheme in SCHEMES:
        return f", did you mean {scheme}:NAME?" if scheme in ("demo", "tfds") else f", did you mean {scheme}:PATH?"
    if not colon and of_suffix:
        return f", did you mean {of_suffix}:{spec}?"
    if os.path.isdir(os.path.expanduser(spec)):
        return f", did you mean images:{spec} or text:{spec}?"
    near = difflib.get_close_matches(scheme, SCHEMES, n=1, cutoff=0.5)
    return f", did you mean {near[0]}:{rest}?" if near else ""
