"""Records of a CSV file. Imports no TensorFlow."""

import csv
import io
import re
from collections.abc import Iterator

from tfpretune.data.readers.records import lines_of

_BLANK_QUOTED = re.compile(r'[ \t]+"((?:[^"]|"")*)"[ \t]*')
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
QUOTES_TODO = 'put the field in quotes and double each quote in it: "a ""b"" c"'
"""What to do about broken quotes."""


def records(text: str, delimiter: str = ",") -> Iterator[tuple[int, list[str], str]]:
    """Yields (first line, fields, fault) of each record that is not blank.

    Where tabs cut every line into as many fields as the header, a line is a record, whatever quotes are in it.
    """
    lines = lines_of(text.replace("\r\n", "\n")) if delimiter == "\t" and '"' in text else []
    if len({line.count("\t") for line in lines if line}) == 1:
        yield from ((number, _unquoted(line.split("\t")), "") for number, line in enumerate(lines, 1) if line)
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
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


def unquoted(field: str) -> str:
    """Returns what is in the quotes of a field that has blanks before them, which RFC 4180 does not know: a, "b"."""
    found = _BLANK_QUOTED.fullmatch(field) if '"' in field else None
    return found[1].replace('""', '"') if found else field


def width_fault(fields: list[str], width: int, delimiter: str = ",") -> tuple[str, str]:
    """Says what is wrong with a row that has not as many fields as the header, and what to do."""
    what = f"the row has {len(fields)} fields, the header {width}"
    if any(re.match(r'[ \t]+"', field) for field in fields):
        return f"{what}, and a quote has a blank before it", "remove the blanks between commas and quotes"
    return what, f"put fields that hold {'commas' if delimiter == ',' else repr(delimiter)} in quotes"


def guess_delimiter(text: str) -> str:
    """Returns what separates the columns: a comma, or what cuts a header line without commas into most names."""
    lines = text.lstrip("\r\n").splitlines()
    header = _QUOTED.sub("", lines[0]) if lines else ""
    marks = {mark: header.count(mark) for mark in (";", "\t", "|")}
    best = max(marks, key=marks.__getitem__)
    return best if marks[best] and "," not in header else ","


def _unquoted(fields: list[str]) -> list[str]:
    """Returns the fields of a line without quotes around whole ones."""
    return [found[1].replace('""', '"') if (found := _QUOTED.fullmatch(field)) else field for field in fields]
