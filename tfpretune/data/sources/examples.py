"""open_source and open_examples: one line of text names any data. Imports no TensorFlow, except for tfds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.image.fitting import Resize
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.readers.labels.labels import more_label_columns, read_labels
from tfpretune.data.readers.records import Records
from tfpretune.data.readers.source_form import DEFAULT_LABEL, DEFAULT_TEXT, USUAL_FORM, LabelKind, SourceForm
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
        class_names=tuple(class_names),
        more_labels=tuple(more_labels),
        resize=resize,
    )
    return open_examples(spec, form)


@phase("reading the examples")
def open_examples(spec: str, form: SourceForm = USUAL_FORM) -> Examples:
    """Opens a source as `open_source` does, in this form: which columns are read, and what a label is."""
    rows = read_rows(spec, form)
    labels, names, _ = read_labels(rows, form)
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}{form.options()}")
    more = more_label_columns(rows, form)
    if rows.problems:
        column = next(name for name in more if f"the label {name!r} " in rows.problems[0].what)
        options = dataclasses.replace(form, label_column=column, more_labels=()).options("label_column")
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}{options}")
    if not len(rows.inputs):
        raise RunError(
            f"{spec}: there are no rows: nothing to learn from; for details run: tfpretune check {spec}{form.options()}"
        )
    for note in rows.notes:
        tell(f"{spec}: {note}")
    return dataclasses.replace(make_examples(rows, labels, names, spec, more=more), resize=form.resize)


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
