"""The lines of a list of classes: names alone, or each with a number or a colour. Imports no TensorFlow."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

from tfpretune.data.readers.masks.files import colour_code
from tfpretune.data.readers.masks.records import NO_CLASS

By = Literal["place", "number", "colour"]
Line = tuple[int, str]
"""Its number in the file, from 1, and what it holds."""

_SPACE = r"[\s,;:|]+"
_BETWEEN = r"[\s,;:|=.\-_)\]}>/\"']+"
_COLOUR = rf"(\d+){_SPACE}(\d+){_SPACE}(\d+)"
_COLOUR_FIRST = re.compile(rf"{_COLOUR}{_SPACE}(.*\S)")
_COLOUR_LAST = re.compile(rf"(.*?\S){_SPACE}{_COLOUR}[\s,;:|]*")
_NUMBER_FIRST = re.compile(rf"[(\[{{\"'\s]*(\d+){_BETWEEN}(.*\S)")
_BEFORE = r"\s,;:|=.\-_(\[{<>/\"'"
_NUMBER_LAST = re.compile(rf"(.*?[^{_BEFORE}])[{_BEFORE}]+(\d+)[)\]}}>\s,;.\"']*")
_QUOTES = " \t\"',;"
_NAME_WORDS = frozenset(("name", "names", "class", "classes", "label", "labels", "category", "categories"))
_NUMBER_WORDS = frozenset(
    ("id", "ids", "idx", "index", "number", "num", "value", "values", "code", "pixel", "gray", "grey")
)
_COLOUR_WORDS = frozenset(("r", "g", "b", "red", "green", "blue", "color", "colour", "rgb"))
NUMBERED = "write each line as NUMBER name, such as: 0 background"


@dataclasses.dataclass(frozen=True)
class Listed:
    """What the lines say.

    Args:
        by: what `codes` are.
        names: one per line.
        codes: place, number or `colour_code` of each.
        faults: line (0: all), what is wrong, what to do.
        header: the first line where it names columns.
    """

    by: By
    names: list[str]
    codes: list[int]
    faults: list[tuple[int, str, str]] = dataclasses.field(default_factory=list)
    header: str = ""


def read_lines(lines: Sequence[Line]) -> Listed:
    """Finds out which form the lines have: all the same one, but for a header above them."""
    if not lines:
        return _fault(0, "no line names a class (lines that begin with # are left out)", NUMBERED)
    header = lines[0][1] if _is_header(lines[0][1]) else ""
    rows = lines[1:] if header else lines
    if header and not any(re.search(r"\d", text) for _, text in rows):
        return _fault(lines[0][0], f"{header!r} may be a header or a class", f"delete it, or {NUMBERED}")
    if all(text.isdecimal() for _, text in rows) and _places([int(text) for _, text in rows]):
        return Listed("place", [text for _, text in rows], [*range(len(rows))], header=header)
    return dataclasses.replace(_coloured(rows) or _numbered(rows) or _named(rows), header=header)


def _fault(number: int, what: str, todo: str) -> Listed:
    return Listed("place", [], [], [(number, what, todo)])


def _is_header(text: str) -> bool:
    words = [word for word in re.split(r"[\W_]+", text.casefold()) if word]
    known = _NAME_WORDS | _NUMBER_WORDS
    return not known.isdisjoint(words) and (known | _COLOUR_WORDS).issuperset(words)


def _places(numbers: list[int]) -> bool:
    return numbers == list(range(len(numbers)))


def _coloured(rows: Sequence[Line]) -> Listed | None:
    """Reads lines with a colour each; None if no line has one."""
    last = [match for _, text in rows if (match := _COLOUR_LAST.fullmatch(text))]
    first = [match for _, text in rows if (match := _COLOUR_FIRST.fullmatch(text))]
    matches, at = (first, 3) if len(first) == len(rows) else (last, 0)
    if not first and not last:
        return None
    if len(matches) < len(rows):
        number, text = next(
            (row for row in rows if not (_COLOUR_FIRST.fullmatch(row[1]) or _COLOUR_LAST.fullmatch(row[1]))), rows[0]
        )
        return _fault(number, f"{text!r} has no colour as the other lines have", "write each line as R G B name")
    groups = [list(match.groups()) for match in matches]
    names = [_plain(group.pop(at)) for group in groups]
    if len(first) == len(last) or all(name.isdecimal() for name in names):
        return _fault(0, "the lines may be R G B name or name R G B", "put a word into each name")
    if all(_NUMBER_FIRST.fullmatch(name) for name in names):
        return _fault(0, "each line has a number and a colour", "keep one of them, such as: R G B name")
    colours = [tuple(map(int, group)) for group in groups]
    todo = "give each colour as R G B, from 0 to 255 each"
    faults = [
        (row[0], f"{max(colour)} is out of range in {row[1]!r}", todo)
        for row, colour in zip(rows, colours, strict=True)
        if max(colour) > NO_CLASS
    ]
    return Listed("colour", names, [0 if faults else colour_code(*colour) for colour in colours], faults)


def _numbered(rows: Sequence[Line]) -> Listed | None:
    """Reads lines with a number each, before or behind the name; None if no line has one, or names end in numbers alike."""
    first = [match for _, text in rows if (match := _NUMBER_FIRST.fullmatch(text))]
    last = [match for _, text in rows if (match := _NUMBER_LAST.fullmatch(text))]
    if len(first) == len(rows):
        names, numbers = [_plain(match[2]) for match in first], [int(match[1]) for match in first]
    elif len(last) == len(rows):
        names, numbers = [_plain(match[1]) for match in last], [int(match[2]) for match in last]
        if len(set(names)) < len(names):
            return None
    elif first or last:
        found = {match[0] for match in (*first, *last)}
        number, text = next((row for row in rows if row[1] not in found), rows[0])
        return _fault(number, f"{text!r} has no number from 0 to {NO_CLASS} as other lines have", NUMBERED)
    else:
        return None
    faults = [
        (row[0], f"{code} is out of range, or {row[1]!r} is a name that holds it", f"{NUMBERED} (0 to {NO_CLASS})")
        for row, code in zip(rows, numbers, strict=True)
        if code > NO_CLASS
    ]
    faults += [
        (row[0], f"{row[1]!r} does not say which of the two is the number", f"{NUMBERED}, with a word in it")
        for row, name in zip(rows, names, strict=True)
        if name.isdecimal()
    ]
    return Listed("number", names, numbers, faults)


def _named(rows: Sequence[Line]) -> Listed:
    """Reads names alone; numbers within them that are not their places are a fault."""
    names = [text for _, text in rows]
    within = [[int(digits) for digits in re.findall(r"\d+", name)] for name in names]
    if all(len(found) == 1 for found in within) and not _places([found[0] for found in within]):
        what = f"each line holds a number, such as {names[0]!r}, and these are not 0, 1, 2, … in this order"
        return _fault(0, f"{what}: they may be those of the classes or be parts of names", NUMBERED)
    return Listed("place", names, [*range(len(names))])


def _plain(name: str) -> str:
    return name.strip(_QUOTES)
