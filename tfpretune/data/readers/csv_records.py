"""Records of a CSV file. Imports no TensorFlow."""

import csv
import io
import re
from collections.abc import Iterator

_BLANK_QUOTED = re.compile(r'[ \t]+"((?:[^"]|"")*)"[ \t]*')
QUOTES_TODO = 'put the field in quotes and double each quote in it: "a ""b"" c"'
"""What to do about broken quotes."""


def records(text: str) -> Iterator[tuple[int, list[str], str]]:
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


def unquoted(field: str) -> str:
    """Returns what is in the quotes of a field that has blanks before them, which RFC 4180 does not know: a, "b"."""
    found = _BLANK_QUOTED.fullmatch(field) if '"' in field else None
    return found[1].replace('""', '"') if found else field


def width_fault(fields: list[str], width: int) -> tuple[str, str]:
    """Says what is wrong with a row that has not as many fields as the header, and what to do."""
    what = f"the row has {len(fields)} fields, the header {width}"
    if any(re.match(r'[ \t]+"', field) for field in fields):
        return f"{what}, and a quote has a blank before it", "remove the blanks between commas and quotes"
    return what, "put fields that hold commas in quotes"


def header_fault(text: str, fault: str) -> tuple[str, str]:
    """Says why the header line cannot be read, and what to do."""
    first = text.lstrip("\r\n").splitlines()[0]
    other = next(
        (mark for mark in (";", "\t", "|") if f'"{mark}"' in first or (mark in first and "," not in first)), ""
    )
    if other:
        return f"the columns of the header are separated by {other!r}", "separate the columns by commas"
    return f"the header: {fault}", QUOTES_TODO
