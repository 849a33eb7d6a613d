"""Columns that say which split a row is of, and which group. Imports no TensorFlow."""

import collections
from collections.abc import Mapping
from typing import Any

from tfpretune.data.readers.folders.splits import split_of
from tfpretune.data.readers.records import Problem, Records
from tfpretune.data.readers.source_form import DEFAULT_SPLIT, SourceForm
from tfpretune.data.readers.tables.columns import value_or_none
from tfpretune.data.splits.rule import PARTS
from tfpretune.errors import UsageError

_ANEW = "or split all rows anew with `split_column` ''"


def add_sides(rows: Records, record: Mapping[str, Any], form: SourceForm) -> None:
    """Notes the cells of the row that was added last; `settle_sides` reads them when all rows are there."""
    for name in (form.split_column, form.group_column):
        if name:
            value = value_or_none(record, name)
            text = "" if value is None else str(value).strip()
            rows.side_cells.setdefault(name, []).append(text)


def settle_sides(rows: Records, form: SourceForm, spec: str) -> None:
    """Turns the cells into splits and groups, says so, and names what is wrong with them.

    Args:
        rows: all of the source.
        form: names the columns.
        spec: the source, for messages.

    Raises:
        UsageError: some files of the source have such a column and others have none.
    """
    for name, cells in rows.side_cells.items():
        if len(cells) != len(rows.inputs):
            raise UsageError(f"{spec}: some files have a column {name!r} and others have none: {_ANEW}")
    if form.split_column in rows.side_cells:
        _settle_splits(rows, form.split_column)
    if form.group_column in rows.side_cells:
        _settle_groups(rows, form.group_column)
        _name_torn_groups(rows)


def _settle_splits(rows: Records, name: str) -> None:
    cells = rows.side_cells[name]
    tally = collections.Counter(cells)
    known = {cell: split_of(cell or "") for cell in tally}
    if name == DEFAULT_SPLIT and not any(known.values()):
        shown = ", ".join(repr(cell) for cell, _ in tally.most_common(3))
        rows.notes.append(f"the column {name!r} holds {shown}: these are no splits, and it is not read")
        return
    for row, cell in enumerate(cells):
        if not known[cell]:
            what = f"the split {cell!r} is none of {', '.join(PARTS)}" if cell else "the split is blank"
            rows.problems.append(Problem(rows.where[row], what, f"write one of these, {_ANEW}"))
    rows.splits = [known[cell] or PARTS[0] for cell in cells]  # a blank or strange one is a problem
    sizes = collections.Counter(rows.splits)
    told = ", ".join(f"{part} {sizes[part]:,}" for part in PARTS if sizes[part])
    missing = " and ".join(part for part in PARTS if part not in sizes) if sizes[PARTS[0]] else ""
    rest = f"; {missing} drawn from train by hash" if missing else ""
    rows.notes.append(f"the column {name!r} says which split a row is of: {told}{rest}")


def _settle_groups(rows: Records, name: str) -> None:
    cells = rows.side_cells[name]
    blank = sum(not cell for cell in cells)
    rows.groups = [cell or f"\0{where}" for cell, where in zip(cells, rows.where, strict=True)]
    sizes = collections.Counter(filter(None, cells))
    largest = f", the largest of {max(sizes.values()):,}" if sizes else ""
    alone = f"; {blank:,} rows without one stand by themselves" if blank else ""
    rows.notes.append(f"rows of one {name!r} are never on two sides: {len(sizes):,} groups{largest}{alone}")


def _name_torn_groups(rows: Records) -> None:
    """Names groups that the source itself has put into several splits."""
    first: dict[str, int] = {}
    torn: set[str] = set()
    for row, (group, split) in enumerate(zip(rows.groups, rows.splits, strict=False)):
        other = first.setdefault(group, row)
        if rows.splits[other] != split and group not in torn:
            torn.add(group)
            what = f"the group {group!r} is in {split} and, at {rows.where[other]}, in {rows.splits[other]}"
            rows.problems.append(Problem(rows.where[row], what, f"put all of a group into one split, {_ANEW}"))
