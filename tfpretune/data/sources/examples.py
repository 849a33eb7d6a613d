"""open_source and open_examples: one line of text names any data. Imports no TensorFlow, except for tfds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.image.fitting import Resize
from tfpretune.data.readers.labels.blanks import all_blank
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.readers.labels.labels import more_label_columns, read_labels
from tfpretune.data.readers.records import Records
from tfpretune.data.readers.source_form import (
    DEFAULT_LABEL,
    DEFAULT_SPLIT,
    DEFAULT_TEXT,
    USUAL_FORM,
    BlankLabels,
    LabelKind,
    SourceForm,
)
from tfpretune.data.sources.schemes import read_rows
from tfpretune.errors import RunError
from tfpretune.runtime.phases import phase
from tfpretune.runtime.telling import tell


def open_source(
    spec: str,
    *,
    text_column: str | Sequence[str] = DEFAULT_TEXT,
    label_column: str = DEFAULT_LABEL,
    class_names: Sequence[str] = (),
    pair_column: str = "",
    image_column: str = "",
    delimiter: str = "",
    encoding: str = "",
    label_kind: LabelKind | Literal[""] = "",
    label_separator: str = ";",
    more_labels: Sequence[str] = (),
    labels_as_written: bool = False,
    may_lack: bool = False,
    resize: Resize = "squeeze",
    blank_labels: BlankLabels = "",
    image_folder: str = "",
    split_column: str = DEFAULT_SPLIT,
    group_column: str = "",
) -> Examples:
    """Opens a data source and checks what can be checked without decoding images. Prints how it reads what has two readings.

    Args:
        spec: one of
            `demo:NAME`, a data set inside a package: digits, mnist5k, bbc, reviews-zh, people-daily, … (`DEMOS`);
            `tfds:NAME[/CONFIG][:SPLIT]` or `tfds:FOLDER[:SPLIT]`, TensorFlow Datasets (SPLIT is "train" if left out);
            `csv:GLOB`, separated columns with a header line; `jsonl:GLOB`, one JSON object a line, or a list of them;
            `parquet:GLOB` or `parquet:FOLDER`, Parquet files;
            `text:GLOB`, unlabelled, one example per line;
            `text:FOLDER`, one example a .txt file, class subfolders are labels;
            `images:FOLDER`, class subfolders are labels, a flat folder has none. In both, folders train, val and test are the
            source's splits.
            A path without a scheme, `reviews.csv`, has that of its ending; a folder that of the files in it, where it can be
            of one alone. Files packed with gzip, bzip2, xz or zstd are unpacked as they are read.
        text_column: as for `SourceForm`.
        label_column: as for `SourceForm`.
        class_names: as for `SourceForm`.
        pair_column: as for `SourceForm`.
        image_column: as for `SourceForm`.
        delimiter: as for `SourceForm`.
        encoding: as for `SourceForm`.
        label_kind: as for `SourceForm`.
        label_separator: as for `SourceForm`.
        more_labels: as for `SourceForm`.
        labels_as_written: as for `SourceForm`.
        may_lack: as for `SourceForm`.
        resize: as for `SourceForm`.
        blank_labels: as for `SourceForm`.
        image_folder: as for `SourceForm`.
        split_column: as for `SourceForm`.
        group_column: as for `SourceForm`.

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
    form = SourceForm(
        text_column=text_column if isinstance(text_column, str) else tuple(text_column),
        label_column=label_column,
        pair_column=pair_column,
        image_column=image_column,
        delimiter=delimiter,
        encoding=encoding,
        label_kind=label_kind,
        label_separator=label_separator,
        labels_as_written=labels_as_written,
        may_lack=may_lack,
        blank_labels=blank_labels,
        image_folder=image_folder,
        split_column=split_column,
        group_column=group_column,
        class_names=tuple(class_names),
        more_labels=tuple(more_labels),
        resize=resize,
    )
    return open_examples(spec, form)


@phase("reading the examples")
def open_examples(spec: str, form: SourceForm = USUAL_FORM, *, checked_as: str = "") -> Examples:
    """Opens a source as `open_source` does, in this form: which columns are read, and what a label is.

    Args:
        spec: the source.
        form: how it is read.
        checked_as: what follows `tfpretune check` to see all problems; the source itself by default.
    """
    checked_as = checked_as or spec
    rows = read_rows(spec, form)
    labels, names, good = read_labels(rows, form)
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {checked_as}{form.options()}")
    more = more_label_columns(rows, form)
    if rows.problems:
        column = next(name for name in more if f"the label {name!r} " in rows.problems[0].what)
        options = dataclasses.replace(form, label_column=column, more_labels=()).options("label_column")
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {checked_as}{options}")
    if not len(rows.inputs):
        raise RunError(
            f"{spec}: there are no rows: nothing to learn from; for details run: tfpretune check {spec}{form.options()}"
        )
    if blank := all_blank(rows, spec):
        rows.notes.append(f"{blank.what}; {blank.todo}")
    for note in rows.notes:
        tell(f"{spec}: {note}")
    whole = dataclasses.replace(make_examples(rows, None, (), spec, more=more), resize=form.resize)
    if len(rows.class_cells) == len(rows.inputs):
        whole = dataclasses.replace(whole, some_labels=_numbered(rows.class_cells))
    return labelled_rows(whole, labels, names, good)


def labelled_rows(
    whole: Examples, labels: np.ndarray | None, class_names: tuple[str, ...], good: np.ndarray
) -> Examples:
    """Returns the rows of a source that have a good label, with their labels; the others count for the split all the same.

    Args:
        whole: all rows, without labels.
        labels: as `Examples.labels`, of all rows; whatever stands where there is none.
        class_names: as `Examples.class_names`.
        good: bool `(rows,)`, from `read_labels`.
    """
    if labels is None:
        return whole
    if good.all():
        return dataclasses.replace(whole, labels=labels, class_names=class_names)
    if labels.dtype.kind == "i":
        none = -1 if labels.ndim == 1 else 0
        whole = dataclasses.replace(
            whole, some_labels=np.where(good if labels.ndim == 1 else good[:, None], labels, none)
        )
    return dataclasses.replace(whole.take(good), labels=labels[good], class_names=class_names, some_labels=None)


def _numbered(cells: Sequence[str]) -> np.ndarray:
    """Returns a number for each different cell, int32 `(rows,)`, -1 for a blank one."""
    names = {name: number for number, name in enumerate(dict.fromkeys(filter(None, cells)))}
    return np.array([names.get(cell, -1) for cell in cells], np.int32)


def make_examples(
    rows: Records,
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
        rows.license,
        groups=np.array(rows.groups) if rows.groups else None,
        seconds=rows.seconds or None,
        more=more or {},
        in_order=rows.in_order,
        notes=tuple(rows.notes),
        splits=rows.splits or None,
        taken=rows.taken,
    )
