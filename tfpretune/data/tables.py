"""Texts in tables: CSV and JSON lines. Imports no TensorFlow."""

import csv
import io
import json
from collections.abc import Iterator, Sequence

from tfpretune.config import UsageError
from tfpretune.data.rows import Problem, Rows, read_utf8

DEFAULT_TEXT = "text"
DEFAULT_LABEL = "label"


def read_csv(paths: Sequence[str], *, text_column: str, label_column: str) -> Rows:
    """Reads comma-separated files with a header line (RFC 4180: quotes, doubled quotes, line breaks within quotes).

    Without a column named "label" the rows have no labels; any other `label_column` must exist, and "" asks for none.
    """
    rows = Rows("text")
    limit = csv.field_size_limit(2**31 - 1)  # the default of 131,072 characters refuses long documents
    try:
        for path in paths:
            _read_csv_file(rows, path, text_column, label_column)
    finally:
        csv.field_size_limit(limit)
    return rows


def _read_csv_file(rows: Rows, path: str, text_column: str, label_column: str) -> None:
    text, problems = read_utf8(path)
    rows.problems += problems
    records = _records(text)
    header = next(records, (1, [], ""))[1]
    if not header:
        if not problems:
            rows.problems.append(
                Problem(f"{path}:1", "the file is empty", "give it a header line and rows, or remove it")
            )
        return
    header = [name.strip() for name in header]
    text_index = _column(header, text_column, path)
    label_index = -1
    if label_column and (label_column in header or label_column != DEFAULT_LABEL):
        label_index = _column(header, label_column, path)
    bad_lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
    for line, fields, fault in records:
        where = f"{path}:{line}"
        if fault:
            rows.problems.append(
                Problem(where, fault, 'put the field in quotes and double each quote in it: "a ""b"" c"')
            )
        elif len(fields) != len(header):
            what = f"the row has {len(fields)} fields, the header {len(header)}"
            rows.problems.append(Problem(where, what, "put fields that hold commas in quotes"))
        elif where not in bad_lines:
            rows.add_text(fields[text_index], fields[label_index] if label_index >= 0 else None, where)


def _records(text: str) -> Iterator[tuple[int, list[str], str]]:
    """Yields (first line, fields, fault) of each record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = "a quote is opened and never closed" if "end of data" in str(error) else f"broken quotes ({error})"
            yield line, [], fault
            continue
        if fields:
            yield line, fields, ""


def _column(header: list[str], name: str, path: str) -> int:
    if header.count(name) == 1:
        return header.index(name)
    fault = "more than one column" if name in header else "no column"
    raise UsageError(
        f"{path}:1: {fault} named {name!r}, the header has: {', '.join(header)}; separate columns by commas, "
        "and name them with text_column and label_column"
    )


def read_jsonl(paths: Sequence[str], *, text_column: str, label_column: str) -> Rows:
    """Reads one JSON object a line, such as {"text": "…", "label": "…"}; labels may be strings, ints or bools."""
    rows = Rows("text")
    for path in paths:
        text, problems = read_utf8(path)
        rows.problems += problems
        bad_lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
        for number, line in enumerate(text.split("\n"), 1):
            where = f"{path}:{number}"
            if line.strip() and where not in bad_lines:
                _read_json(rows, line, where, text_column, label_column)
    return rows


def _read_json(rows: Rows, line: str, where: str, text_column: str, label_column: str) -> None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        rows.problems.append(Problem(where, f"not JSON ({reason})", "write one JSON object a line"))
        return
    if not isinstance(record, dict):
        what = f'expected an object such as {{"{text_column}": "…"}}, received {type(record).__name__}'
        rows.problems.append(Problem(where, what, "write one JSON object a line"))
        return
    text = record.get(text_column)
    if not isinstance(text, str):
        found = (
            f"it is {json.dumps(text)[:40]}"
            if text_column in record
            else f"the keys are: {', '.join(record) or 'none'}"
        )
        rows.problems.append(
            Problem(where, f"no text under {text_column!r} ({found})", "fill it in or name another key")
        )
        return
    label = record.get(label_column) if label_column else None
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if label is not None and not isinstance(label, str | int):
        what = f"the label {json.dumps(label)[:40]} is neither a string nor an int"
        rows.problems.append(Problem(where, what, "give each row one class name or number"))
        return
    label = json.dumps(label) if isinstance(label, bool) else label
    rows.add_text(text, None if label is None else str(label), where)
