"""A row of a table, whatever the table is: its texts, its labels. Imports no TensorFlow."""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfpretune.data.readers.folders.kinds import FILES
from tfpretune.data.readers.records import Problem, Records
from tfpretune.data.readers.source_form import DEFAULT_LABEL, SourceForm
from tfpretune.data.readers.tables.columns import has_value, value_or_none
from tfpretune.data.readers.tables.sides import add_sides
from tfpretune.data.text.cleaning import clean, has_visible


def add_row(rows: Records, record: Mapping[str, Any], form: SourceForm, where: str) -> None:
    """Adds a row, or notes what is wrong with it.

    Args:
        rows: what is added to.
        record: column -> cell: a string, or any JSON value.
        form: its columns are those of the table.
        where: the place of the row.
    """
    kind, separator = form.label_kind, form.label_separator
    try:
        content = _path_at(record, form, where) if form.image_column else text_at(record, form.text_columns)
        second = text_at(record, (form.pair_column,), "pair_column") if form.pair_column else None
    except ValueError as error:
        rows.problems.append(Problem(where, *error.args))
        return
    try:
        label = label_of(value_or_none(record, form.label_column), kind, separator) if form.label_column else None
        more = {name: label_of(value_or_none(record, name), "", separator) for name in form.more_labels}
    except ValueError as error:
        rows.problems.append(Problem(where, str(error), _LABEL_TODO[kind]))
        return
    added = len(rows.inputs)
    if form.image_column:
        rows.add(content, label, where, more=more)
    else:
        rows.add_text(content, label, where, second=second, more=more)
    if len(rows.inputs) == added:
        return
    add_sides(rows, record, form)
    if not form.label_column and DEFAULT_LABEL in record:
        rows.class_cells.append(str(record[DEFAULT_LABEL] if record[DEFAULT_LABEL] is not None else "").strip())
    if kind == "multi-label" and value_or_none(record, form.label_column) is None:
        rows.unlabelled.add(added)


def text_at(record: Mapping[str, Any], names: Sequence[str], field: str = "text_column") -> str:
    """Returns the text of a row; of several columns those that are not blank, a line each.

    Raises:
        ValueError: a column holds no text: what is wrong, what to do.
    """
    found = []
    for name in names:
        text = value_or_none(record, name)
        if text is None and len(names) > 1:
            continue
        if not isinstance(text, str):
            there = (
                f"it is {shown(text)}" if has_value(record, name) else f"the keys are: {', '.join(record) or 'none'}"
            )
            raise ValueError(f"no text under {name!r} ({there})", f"fill it in or name another column with `{field}`")
        if len(names) == 1 or has_visible(clean(text)):
            found.append(text)
    return "\n".join(found)


def _path_at(record: Mapping[str, Any], form: SourceForm, where: str) -> str:
    """Returns the path of an image, from the folder of the images or of the table where it is relative."""
    path = value_or_none(record, form.image_column)
    if not isinstance(path, str) or not path.strip():
        raise ValueError(
            f"no path under {form.image_column!r} (it is {shown(path)})",
            "fill it in or name another column with `image_column`",
        )
    table = re.sub(r"(:\d+|\[\d+\])$", "", where)
    folder = os.path.expanduser(form.image_folder) if form.image_folder else os.path.dirname(table)
    found = os.path.join(folder, os.path.expanduser(path.strip()))
    if not os.path.isfile(found) and "\\" in found:  # as it is written on Windows
        found = os.path.join(folder, path.strip().replace("\\", "/"))
    if not os.path.isfile(found):
        start = "`image_folder`" if form.image_folder else "the folder of the table (`image_folder` names another)"
        raise ValueError(f"there is no image file {found}", f"correct the path, which counts from {start}")
    if os.path.splitext(found)[1].lower() in FILES["image"].unreadable:
        raise ValueError(
            f"{found}: such images are not read", f"convert it to one of {' '.join(FILES['image'].suffixes)}"
        )
    if not os.path.getsize(found):
        raise ValueError(f"the image file {found} is empty", "replace it or remove the row")
    return found


_LABEL_TODO = {
    "": "give each row one class name or number, or say what a list is: `label_kind` multi-label",
    "single": "give each row one class name or number",
    "regression": "give each row one number",
    "multi-label": "give each row a list of class names, [] for none",
}


def label_of(label: object, kind: str, separator: str) -> str | None:
    """Returns a label as it would stand in a csv file.

    Raises:
        ValueError: it is of no kind that is allowed.
    """
    if isinstance(label, float) and math.isnan(label):
        return "nan"
    if isinstance(label, float) and (kind == "regression" or not label.is_integer()):
        return repr(label)
    if kind == "multi-label" and isinstance(label, list):
        if "" in label:
            raise ValueError(f"the labels {shown(label)} hold an empty one")
        names = [label_of(name, "", separator) or "null" for name in label]
        inside = next((name for name in names if separator in name), None)
        if inside is not None:
            raise ValueError(f"the label {inside!r} holds the separator {separator!r}")
        return separator.join(names) or separator  # the empty set is no blank label
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if label is not None and not isinstance(label, str | int):
        expected = {"regression": "no number", "multi-label": "no list of strings or ints"}.get(
            kind, "neither a string nor an int"
        )
        raise ValueError(f"the label {shown(label)} is {expected}")
    label = json.dumps(label) if isinstance(label, bool) else label
    return None if label is None else str(label)


def shown(value: object) -> str:
    """Returns a value as JSON, for messages."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:40]
    except RecursionError:
        return "of lists in lists without end"
