"""Tables in Parquet files; pyarrow is imported when one is read. Imports no TensorFlow."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tfpretune.data.readers.packed_files import KINDS, is_pointer
from tfpretune.data.readers.records import Problem, Records
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tables.columns import resolve
from tfpretune.data.readers.tables.rows import add_row

ROWS = 1024
"""So many rows are unpacked at once."""


def read_parquet(paths: Sequence[str], form: SourceForm) -> Records:
    """Reads Parquet files; of each only the columns that are asked for. Where Hugging Face's `datasets` wrote them, labels that
    are numbers get the names that stand there.

    Args:
        paths: the files.
        form: its columns; of nested ones the way, such as `data.body`.
    """
    rows = Records("image" if form.image_column else "text")
    for path in paths:
        if (file := open_parquet(rows, path)) is None:
            continue
        found, features = file.schema_arrow.names, features_of(file)
        asked = (*form.text_columns, form.label_column, form.pair_column, form.image_column, *form.more_labels)
        nested = [name for name in asked if name not in found and name.partition(".")[0] in found]
        read = resolve(rows, [*found, *nested], form, where=path)
        rows.class_names = names_of(features, read.label_column) or rows.class_names
        rows.more_class_names |= {name: names for name in read.more_labels if (names := names_of(features, name))}
        classes = {name: names_of(features, name) for name in (read.label_column, *read.more_labels)}
        texts = () if read.image_column else read.text_columns
        wanted = {*texts, read.label_column, read.pair_column, read.image_column, *read.more_labels}
        for where, record in parquet_rows(file, path, wanted):
            for name in classes:
                if classes[name] and name in record:
                    record[name] = _name(record[name], classes[name])
            add_row(rows, record, read, where)
    return rows


def open_parquet(rows: Any, path: str) -> Any:
    """Returns a Parquet file, opened; None, with a problem in `rows.problems`, where it is none."""
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        rows.problems.append(Problem(path, *_no_parquet(path, str(error).splitlines()[0][:120])))
        return None


def _no_parquet(path: str, error: str) -> tuple[str, str]:
    """Says what a file is that pyarrow does not open, and what to do."""
    with open(path, "rb") as file:
        head = file.read(64)
    if is_pointer(head):
        return "the file is a pointer of Git LFS, not the file itself", "fetch it: git lfs pull"
    if head.startswith(b"PAR1"):
        return f"the Parquet file is damaged ({error})", "replace it"
    what = next((what for start, what, _ in KINDS if head.startswith(start)), "no Parquet file")
    return f"the file is {what}", "give what it is: csv:FILES, jsonl:FILES, …"


def parquet_rows(file: Any, path: str, wanted: Collection[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (place, row) of each row, as `path[17]`; of all columns, or of those that hold what is wanted."""
    names = file.schema_arrow.names
    columns = [
        name for name in names if not wanted or any(each == name or each.startswith(f"{name}.") for each in wanted)
    ]
    number = 0
    for batch in file.iter_batches(ROWS, columns=columns):
        for record in batch.to_pylist():
            yield f"{path}[{number}]", {name: _text(value) for name, value in record.items()}
            number += 1


def features_of(file: Any) -> Mapping[str, Any]:
    """Returns the features that Hugging Face's `datasets` notes in a Parquet file, by column."""
    try:
        return json.loads((file.schema_arrow.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}


def names_of(features: Mapping[str, Any], column: str) -> tuple[str, ...]:
    """Returns the names of the classes of a column, or of the lists in it; () where none are noted."""
    found = features.get(column)
    while isinstance(found, Mapping) and "feature" in found:
        found = found["feature"]
    names = found.get("names") if isinstance(found, Mapping) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _name(value: Any, names: Sequence[str]) -> Any:
    if not isinstance(value, int):
        return value
    if value < 0:
        return None  # no label
    return names[value] if value < len(names) else value


def _text(value: Any) -> Any:
    """Returns bytes that are a text as one: older writers do not mark texts as such."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value
