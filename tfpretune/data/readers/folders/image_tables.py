"""Tables that name image files: told from tables of texts before a path is learnt as a text. Imports no TensorFlow."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfpretune.data.readers.folders.kinds import IMAGE_SUFFIXES
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.errors import UsageError

_LOOKED_AT = 20  # rows
_HEAD = 1 << 16  # characters


def refuse_image_table(path: str, scheme: str, form: SourceForm) -> None:
    """Looks at the first rows of a table.

    Args:
        path: the file.
        scheme: "csv" or "jsonl".
        form: the columns that are to be read.

    Raises:
        UsageError: a column to be read as text names image files; or it is not there, and another one names some.
    """
    if form.image_column:
        return
    rows = _first_rows(path, scheme)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in form.text_columns if name in columns] or columns
    for name in names:
        values = [str(row.get(name) or "").strip() for row in rows]
        values = [value for value in values if value]
        if values and all(value.lower().endswith(IMAGE_SUFFIXES) for value in values):
            raise UsageError(
                f"{path}: the column {name!r} names image files ({values[0]}): name it with `image_column`, or "
                "put the files into a folder for each class and give images:FOLDER"
            )


def _first_rows(path: str, scheme: str) -> list[Mapping[str, Any]]:
    try:
        with Path(path).open(encoding="utf-8-sig", errors="replace", newline="") as file:
            lines = file.read(_HEAD)
    except OSError:
        return []  # the reader says so
    return _csv_rows(lines) if scheme == "csv" else _json_rows(lines)


def _csv_rows(text: str) -> list[Mapping[str, Any]]:
    limit = csv.field_size_limit(_HEAD + 1)
    try:
        reader = csv.reader(io.StringIO(text, newline=""))
        header = [name.strip() for name in next(reader, [])]
        return [dict(zip(header, fields, strict=False)) for fields, _ in zip(reader, range(_LOOKED_AT), strict=False)]
    except csv.Error:
        return []  # the reader names the line
    finally:
        csv.field_size_limit(limit)


def _json_rows(text: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for line in text.split("\n")[:_LOOKED_AT]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            found.append(row)
    return found
