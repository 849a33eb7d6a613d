"""Tables of JSON objects: a line each, or a list of them. Imports no TensorFlow."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfpretune.data.readers.packed_files import no_table
from tfpretune.data.readers.records import Problem, Records, lines_of, read_utf8
from tfpretune.data.readers.source_form import DEFAULT_TEXT, SourceForm
from tfpretune.data.readers.tables.columns import has_value, resolve
from tfpretune.data.readers.tables.rows import add_row

LOOKED_AT = 100
"""The keys of so many objects say which columns there are."""
_LINES = "write one JSON object a line, or a list of them"


def read_jsonl(paths: Sequence[str], form: SourceForm) -> Records:
    """Reads one JSON object a line, such as {"text": "…", "label": "…"}, or a list of them.

    Args:
        paths: the files.
        form: its columns are keys. Labels of kind "regression" may be any number, of kind "multi-label" a list of strings or
            ints as well; else a label is a string, an int or a bool.
    """
    rows = Records("image" if form.image_column else "text")
    objects = read_objects(rows, paths, form.text_columns[0], encoding=form.encoding)
    add_objects(rows, objects, form, paths)
    return rows


def add_objects(
    rows: Records, objects: Iterable[tuple[str, Mapping[str, Any]]], form: SourceForm, paths: Sequence[str]
) -> None:
    """Adds a row for each (place, object); the first objects say which columns there are."""
    objects = iter(objects)
    asked = (form.image_column or form.text_columns, form.pair_column, *form.needed_labels)
    wanted = {name for each in asked for name in ((each,) if isinstance(each, str) else each)} - {""}
    first: list[tuple[str, Mapping[str, Any]]] = []
    for place, record in objects:
        first.append((place, record))
        wanted = {name for name in wanted if not has_value(record, name)}
        if len(first) >= LOOKED_AT and wanted <= {DEFAULT_TEXT}:
            break
    if not first:
        return
    names = list(dict.fromkeys(key for _, record in first for key in record))
    where = f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else paths[0]

    def has(name: str) -> bool:
        return any(has_value(record, name) for _, record in first)

    form = resolve(rows, names, form, where=where, has=has)
    for place, record in itertools.chain(first, objects):
        add_row(rows, record, form, place)


def read_objects(
    rows: Records, paths: Sequence[str], example_key: str, *, encoding: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (place, object) of each line, or item of a list, that is a JSON object; `rows.problems` notes the others."""
    for path in paths:
        text, problems = read_utf8(path, encoding)
        if fault := no_table(text):
            problems, text = [Problem(path, *fault)], ""
        rows.problems += problems
        items = _list(text)
        if isinstance(items, list):
            for number, item in enumerate(items):
                if _is_object(rows, item, f"{path}[{number}]", example_key):
                    yield f"{path}[{number}]", item
            continue
        if items is not None:
            rows.problems.append(Problem(f"{path}{items[0]}", *items[1:]))
            continue
        bad_lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
        for number, line in enumerate(lines_of(text), 1):
            where = f"{path}:{number}"
            if line.strip() and where not in bad_lines:
                record = _object(rows, line, where, example_key)
                if record is not None:
                    yield where, record


def is_list(text: str) -> bool:
    """Returns whether a JSON file is one list, or one object over several lines, by how it begins."""
    start = text.lstrip("\ufeff \t\r\n")
    if not start.startswith(("[", "{")):
        return False
    try:
        json.loads(lines_of(start)[0])
    except RecursionError:
        return False
    except ValueError:
        return True
    return start.startswith("[") and not any(map(str.strip, lines_of(start)[1:]))


def _list(text: str) -> list[Any] | tuple[str, str, str] | None:
    """Returns the items of a file that is one list, or what is wrong with it (line, what, what to do); None for lines."""
    if not is_list(text):
        return None
    try:
        found = json.loads(text)
    except RecursionError:
        return None
    except json.JSONDecodeError as error:
        if not text.lstrip().startswith("["):
            return None
        return f":{error.lineno}", f"not JSON ({error.msg} at column {error.colno})", _LINES
    if isinstance(found, list):
        return found
    squad = "; questions with contexts are read as squad:FILES" if "data" in found else ""
    return "", f"the file is one JSON object, with the keys: {', '.join(found)}", f"{_LINES}{squad}"


def _object(rows: Records, line: str, where: str, example_key: str) -> dict | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        rows.problems.append(Problem(where, f"not JSON ({reason})", "write one JSON object a line"))
        return None
    return record if _is_object(rows, record, where, example_key) else None


def _is_object(rows: Records, record: Any, where: str, example_key: str) -> bool:
    if isinstance(record, dict):
        return True
    what = f'expected an object such as {{"{example_key}": "…"}}, received {type(record).__name__}'
    rows.problems.append(Problem(where, what, "write one JSON object a line"))
    return False
