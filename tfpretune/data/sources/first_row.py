"""The first row of a table: what it holds says what the table is for. Imports no TensorFlow."""

import json
from collections.abc import Mapping
from typing import Any

from tfpretune.data.readers.records import Records, find_files
from tfpretune.data.readers.tables.objects import read_objects
from tfpretune.data.readers.tables.parquet import open_parquet, parquet_rows
from tfpretune.data.sources.schemes import parquet_files


def first_row(scheme: str, pattern: str, encoding: str = "") -> Mapping[str, Any]:
    """Returns the first row of JSON lines, a JSON list or Parquet files; {} where there is none that can be read."""
    notes = Records("text")
    if scheme == "parquet":
        path = parquet_files(pattern)[0]
        file = open_parquet(notes, path)
        return {} if file is None else next(parquet_rows(file, path), ("", {}))[1]
    path = find_files(pattern, scheme)[0]
    try:
        with open(path, encoding=encoding or "utf-8-sig") as file:
            row = json.loads(next(filter(str.strip, file), "null"))
    except (OSError, ValueError, RecursionError):  # a list, a packed file, another encoding
        return next(read_objects(notes, [path], "", encoding=encoding), ("", {}))[1]
    if isinstance(row, list) and row:  # in one line
        row = row[0]
    return row if isinstance(row, dict) else {}
