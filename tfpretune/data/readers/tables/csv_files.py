"""Tables of separated columns: CSV and TSV. Imports no TensorFlow."""

import csv
from collections.abc import Sequence

from tfpretune.data.readers.packed_files import no_table, without_packed_suffix
from tfpretune.data.readers.records import Problem, Records, read_utf8
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tables.columns import resolve
from tfpretune.data.readers.tables.csv_records import (
    QUOTES_TODO,
    guess_delimiter,
    records,
    unquoted,
    width_fault,
)
from tfpretune.data.readers.tables.rows import add_row

_TABBED = (".tsv", ".tab")
_NAMES = {"\t": "tabs", ";": "semicolons", "|": "pipes"}


def read_csv(paths: Sequence[str], form: SourceForm) -> Records:
    """Reads files of separated columns with a header line (RFC 4180: quotes, doubled quotes, line breaks within quotes).

    Without a label column the rows have no labels; one that is asked for by another name than "label" must exist.
    """
    rows = Records("image" if form.image_column else "text")
    limit = csv.field_size_limit(2**31 - 1)  # the default of 131,072 characters refuses long documents
    try:
        for path in paths:
            _read_csv_file(rows, path, form)
    finally:
        csv.field_size_limit(limit)
    return rows


def _read_csv_file(rows: Records, path: str, form: SourceForm) -> None:
    text, problems = read_utf8(path, form.encoding)
    if fault := no_table(text):
        problems.append(Problem(path, *fault))
        text = ""
    rows.problems += problems
    delimiter = _delimiter(rows, path, text, form)
    found = records(text, delimiter)
    first_line, header, fault_in_header = next(found, (1, [], ""))
    if fault_in_header:
        rows.problems.append(Problem(f"{path}:{first_line}", f"the header: {fault_in_header}", QUOTES_TODO))
        return
    if not header:
        if not problems:
            rows.problems.append(
                Problem(f"{path}:1", "the file is empty", "give it a header line and rows, or remove it")
            )
        return
    header = [unquoted(name).strip() for name in header]
    form = resolve(rows, header, form, where=f"{path}:1")
    bad_lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
    blanks = 0
    for line, fields, fault_in_row in found:
        where = f"{path}:{line}"
        if fault_in_row:
            rows.problems.append(Problem(where, fault_in_row, QUOTES_TODO))
        elif len(fields) != len(header):
            rows.problems.append(Problem(where, *width_fault(fields, len(header), delimiter)))
        elif where not in bad_lines:
            plain = [unquoted(field) for field in fields]
            blanks += plain != fields
            add_row(rows, dict(zip(header, plain, strict=True)), form, where)
    if blanks:
        rows.notes.append(f"{path}: blanks between a comma and a quote are left out (rows: {blanks:,})")


def _delimiter(rows: Records, path: str, text: str, form: SourceForm) -> str:
    if form.delimiter or without_packed_suffix(path).lower().endswith(_TABBED):
        return form.delimiter or "\t"
    found = guess_delimiter(text)
    if found != ",":
        rows.notes.append(f"{path}: the columns are separated by {_NAMES[found]} (`delimiter` names another)")
    return found
