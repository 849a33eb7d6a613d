"""Bytes of files as texts, one at a time. Imports no TensorFlow."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

from tfpretune.data.readers.byte_offsets import decoded, line_number
from tfpretune.data.readers.records import read_utf8
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tables.rows import text_at
from tfpretune.data.text.cleaning import clean
from tfpretune.errors import RunError

LONGEST_TEXT = 1 << 26
"""Most bytes of one line or one file of a `text:FOLDER`: what a process must hold at once."""


@dataclasses.dataclass(frozen=True)
class Span:
    """Bytes of a file. A line belongs to the span in which it starts."""

    path: str
    start: int
    end: int


def _read_lines(span: Span, form: SourceForm) -> Iterator[str]:
    for at, line in lines_in(span):
        yield from clean(decoded(span.path, at, line, form.encoding)).split("\n")


def _read_objects(span: Span, form: SourceForm) -> Iterator[str]:
    for at, line in lines_in(span):
        text = decoded(span.path, at, line, form.encoding).removeprefix("\ufeff")
        if not text.strip():
            continue
        try:
            yield clean(text_at(record_of(text, span.path, at, form), form.text_columns))
        except ValueError as error:
            what, todo = error.args
            raise RunError(f"{span.path}:{line_number(span.path, at)}: {what}; {todo}") from None


def record_of(line: str, path: str, at: int, form: SourceForm) -> dict[str, Any]:
    """Returns the object of a line that starts at `at`; a RunError names a line that is none."""
    try:
        record = json.loads(line.removeprefix("\ufeff"))
        fault = "" if isinstance(record, dict) else f"a JSON {type(record).__name__} and no object"
    except (ValueError, RecursionError) as error:
        fault = f"not JSON ({error})"
    if fault:
        example = f'{{"{form.text_columns[0]}": "…"}}'
        raise RunError(f"{path}:{line_number(path, at)}: {fault}; write one object per line: {example}")
    return record


def _read_file(span: Span, form: SourceForm) -> Iterator[str]:
    if span.end > LONGEST_TEXT:
        raise RunError(f"{span.path}: a text of more than {LONGEST_TEXT} bytes; give its lines: text:{span.path}")
    text, problems = read_utf8(span.path, form.encoding)
    if problems:
        raise RunError(str(problems[0]))
    yield clean(text)


def lines_in(span: Span) -> Iterator[tuple[int, bytes]]:
    """Yields (offset in the file, line without its end) of the lines that start in the span."""
    with open(span.path, "rb") as file:
        at = span.start
        if at:  # the line that goes on here belongs to the span before; a line that starts here is ours
            file.seek(at - 1)
            at += _skip_line(file.readline) - 1
        while at < span.end:
            line = file.readline(LONGEST_TEXT + 1)
            if not line:
                return
            if len(line) > LONGEST_TEXT:
                number = line_number(span.path, at)
                raise RunError(f"{span.path}:{number}: a line of more than {LONGEST_TEXT} bytes; break it into several")
            yield at, line.removesuffix(b"\n")
            at += len(line)


def _skip_line(readline: Callable[[int], bytes]) -> int:
    """Reads to the end of the line, never more than 1 MiB at once, and returns how many bytes that were."""
    size = 0
    while part := readline(1 << 20):
        size += len(part)
        if part.endswith(b"\n"):
            break
    return size


READ = {"lines": _read_lines, "jsonl": _read_objects, "files": _read_file}
"""What spans hold -> what yields their texts, cleaned."""
