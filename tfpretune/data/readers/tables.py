"""Texts in tables: CSV and JSON lines. Imports no TensorFlow."""

import csv
import json
import math
from collections.abc import Collection, Iterator, Sequence

from tfpretune.data.readers.csv_records import QUOTES_TODO, header_fault, records, unquoted, width_fault
from tfpretune.data.readers.records import Problem, Records, lines_of, read_utf8
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.errors import UsageError


def read_csv(paths: Sequence[str], form: SourceForm) -> Records:
    """Reads comma-separated files with a header line (RFC 4180: quotes, doubled quotes, line breaks within quotes).

    Without a column named "label" the rows have no labels; a label column of any other name must exist.
    """
    rows = Records("text")
    limit = csv.field_size_limit(2**31 - 1)  # the default of 131,072 characters refuses long documents
    try:
        for path in paths:
            _read_csv_file(rows, path, form)
    finally:
        csv.field_size_limit(limit)
    return rows


def _read_csv_file(rows: Records, path: str, form: SourceForm) -> None:
    text, problems = read_utf8(path)
    rows.problems += problems
    found = records(text)
    first_line, header, fault = next(found, (1, [], ""))
    if fault:
        rows.problems.append(Problem(f"{path}:{first_line}", *header_fault(text, fault)))
        return
    if not header:
        if not problems:
            rows.problems.append(
                Problem(f"{path}:1", "the file is empty", "give it a header line and rows, or remove it")
            )
        return
    header = [unquoted(name).strip() for name in header]
    text_index = _column(header, form.text_column, path)
    pair_index = _column(header, form.pair_column, path) if form.pair_column else -1
    label_index, label = -1, form.label_column
    if label in form.needed_labels or (label and label in header):
        label_index = _column(header, label, path)
    else:
        rows.notes += unlabelled_notes(path, header, form)
    more_indices = {name: _column(header, name, path) for name in form.more_labels}
    bad_lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
    blanks = 0
    for line, fields, fault in found:
        where = f"{path}:{line}"
        if fault:
            rows.problems.append(Problem(where, fault, QUOTES_TODO))
        elif len(fields) != len(header):
            rows.problems.append(Problem(where, *width_fault(fields, len(header))))
        elif where not in bad_lines:
            plain = [unquoted(field) for field in fields]
            blanks += plain != fields
            fields = plain
            own = fields[label_index] if label_index >= 0 else None
            second = fields[pair_index] if form.pair_column else None
            more = {name: fields[index] for name, index in more_indices.items()}
            rows.add_text(fields[text_index], own, where, second=second, more=more)
    if blanks:
        rows.notes.append(f"{path}: blanks between a comma and a quote are left out (rows: {blanks:,})")


def unlabelled_notes(path: str, found: Sequence[str], form: SourceForm) -> list[str]:
    """Says where a label was looked for in vain, though there are other columns."""
    others = [name for name in found if name not in (form.text_column, form.pair_column, *form.more_labels)]
    if not form.label_column or not others:
        return []
    shown = f"{', '.join(others[:10])}{', …' if len(others) > 10 else ''}"
    return [
        f"{path} has no {form.label_column!r}, so no labels; of these one may be named with --label-column: {shown}"
    ]


def _column(header: list[str], name: str, path: str) -> int:
    if header.count(name) == 1:
        return header.index(name)
    fault = "more than one column" if name in header else "no column"
    raise UsageError(
        f"{path}:1: {fault} named {name!r}, the header has: {', '.join(header)}; separate columns by commas, "
        "and give the header the names that are asked for (from Python: text_column, label_column)"
    )


def read_jsonl(paths: Sequence[str], form: SourceForm) -> Records:
    """Reads one JSON object a line, such as {"text": "…", "label": "…"}.

    Args:
        paths: the files.
        form: its columns are keys. Labels of kind "regression" may be any number, of kind "multi-label" a list of strings or
            ints as well; else a label is a string, an int or a bool.
    """
    rows = Records("text")
    keys: dict[str, None] = {}
    kind, separator, pair = form.label_kind, form.label_separator, form.pair_column
    for where, record in read_objects(rows, paths, form.text_column):
        keys |= dict.fromkeys(record)
        text = _text_of(rows, record, form.text_column, where)
        second = _text_of(rows, record, pair, where) if pair and text is not None else None
        if text is None or (pair and second is None):
            continue
        try:
            label = _label_of(record.get(form.label_column) if form.label_column else None, kind, separator)
            more = {name: _label_of(record.get(name), "", separator) for name in form.more_labels}
        except ValueError as error:
            rows.problems.append(Problem(where, str(error), _LABEL_TODO[kind]))
            continue
        rows.add_text(text, label, where, second=second, more=more)
    if keys:
        _require_keys(keys, form.needed_labels, paths)
        if form.label_column not in keys:
            rows.notes += unlabelled_notes(paths[0], list(keys), form)
    return rows


def _require_keys(keys: Collection[str], needed: Sequence[str], paths: Sequence[str]) -> None:
    files = f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else paths[0]
    for name in needed:
        if name not in keys:
            found = ", ".join(list(keys)[:20]) + (", …" if len(keys) > 20 else "")
            raise UsageError(f"{files}: no object has the key {name!r}, the keys are: {found}")


def read_objects(rows: Records, paths: Sequence[str], example_key: str) -> Iterator[tuple[str, dict]]:
    """Yields (place, object) of each line that is a JSON object; the others are noted in `rows.problems`."""
    for path in paths:
        text, problems = read_utf8(path)
        rows.problems += problems
        bad_lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
        for number, line in enumerate(lines_of(text), 1):
            where = f"{path}:{number}"
            if line.strip() and where not in bad_lines:
                record = _object(rows, line, where, example_key)
                if record is not None:
                    yield where, record


def _object(rows: Records, line: str, where: str, example_key: str) -> dict | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        rows.problems.append(Problem(where, f"not JSON ({reason})", "write one JSON object a line"))
        return None
    if not isinstance(record, dict):
        what = f'expected an object such as {{"{example_key}": "…"}}, received {type(record).__name__}'
        rows.problems.append(Problem(where, what, "write one JSON object a line"))
        return None
    return record


def _text_of(rows: Records, record: dict, key: str, where: str) -> str | None:
    text = record.get(key)
    if isinstance(text, str):
        return text
    found = f"it is {_shown(text)}" if key in record else f"the keys are: {', '.join(record) or 'none'}"
    rows.problems.append(Problem(where, f"no text under {key!r} ({found})", "fill it in or name another key"))
    return None


_LABEL_TODO = {
    "": "give each row one class name or number, or say what a list is: --label-kind multi-label",
    "single": "give each row one class name or number",
    "regression": "give each row one number",
    "multi-label": "give each row a list of class names, [] for none",
}


def _label_of(label: object, kind: str, separator: str) -> str | None:
    """Returns a label as it would stand in a csv file.

    Raises:
        ValueError: it is of no kind that is allowed.
    """
    if kind == "multi-label" and label is None:
        raise ValueError("the labels are missing")
    if isinstance(label, float) and math.isnan(label):
        return "nan"
    if isinstance(label, float) and (kind == "regression" or not label.is_integer()):
        return repr(label)
    if kind == "multi-label" and isinstance(label, list):
        if "" in label:
            raise ValueError(f"the labels {_shown(label)} hold an empty one")
        names = [_label_of(name, "", separator) or "null" for name in label]
        inside = next((name for name in names if separator in name), None)
        if inside is not None:
            raise ValueError(f"the label {inside!r} holds the separator {separator!r}")
        return separator.join(names)
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if label is not None and not isinstance(label, str | int):
        expected = {"regression": "no number", "multi-label": "no list of strings or ints"}.get(
            kind, "neither a string nor an int"
        )
        raise ValueError(f"the label {_shown(label)} is {expected}")
    label = json.dumps(label) if isinstance(label, bool) else label
    return None if label is None else str(label)


def _shown(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)[:40]
    except RecursionError:
        return "of lists in lists without end"
