"""The classes of a source of masks, as FOLDER/classes.txt lists them. Imports no TensorFlow."""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from tfpretune.data.mask_files import colour_code, colour_text
from tfpretune.data.mask_rows import NO_CLASS
from tfpretune.data.rows import Problem, read_utf8

CLASSES_FILE = "classes.txt"
VOID = "void"
_SPACE = r"[\s,;:]+"
_COLOUR = rf"(\d{{1,3}}){_SPACE}(\d{{1,3}}){_SPACE}(\d{{1,3}})"
_COLOUR_FIRST = re.compile(rf"{_COLOUR}{_SPACE}(.*\S)")
_COLOUR_LAST = re.compile(rf"(.*?\S){_SPACE}{_COLOUR}[\s,;:]*")
_NUMBER_FIRST = re.compile(rf"(\d{{1,3}}){_SPACE}(.*\S)")
_HEADER = {"name", "r", "g", "b"}


By = Literal["place", "number", "colour"]


@dataclasses.dataclass(frozen=True)
class ClassList:
    """The classes and what stands for them in a mask.

    Args:
        names: the classes, in the order of their indices; () where nothing is listed.
        by: what `codes` are: "place" (nothing is said: the place in the list), "number" or "colour".
        codes: number or `colour_code` -> index into `names`, or `NO_CLASS` for what is called void.
    """

    names: tuple[str, ...] = ()
    by: By = "place"
    codes: Mapping[int, int] = dataclasses.field(default_factory=dict)


def read_classes(root: str) -> tuple[ClassList, list[Problem]]:
    """Reads FOLDER/classes.txt, if it is there.

    Each line is a class: a name alone (its number is its place, from 0), `NUMBER name`, `R G B name` or `name R G B` (also with
    commas, tabs or colons). Lines that begin with # are left out. With numbers or colours, the name "void" is no class.
    """
    path = os.path.join(root, CLASSES_FILE)
    if not os.path.isfile(path):
        return ClassList(), []
    text, problems = read_utf8(path)
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and set(re.split(_SPACE, lines[0].casefold())) == _HEADER:
        lines = lines[1:]
    by, names, codes = _numbered(lines) or ("place", lines, list(range(len(lines))))
    for form in filter(None, (_coloured(lines, _COLOUR_LAST, names_at=0), _coloured(lines, _COLOUR_FIRST, names_at=3))):
        if by == "colour":
            problems.append(Problem(path, "the lines may be R G B name or name R G B", "put a word into each name"))
        by, names, codes = form
    todo = "give each class one line and a name of its own"
    classes = [name for name in names if by == "place" or name.casefold() != VOID]
    for name in sorted({name for name in classes if classes.count(name) > 1}):
        problems.append(Problem(path, f"the class {name!r} is listed twice", todo))
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        what = f"the colour {colour_text(code)}" if by == "colour" else f"the number {code}"
        problems.append(Problem(path, f"{what} is listed twice", todo))
    indices = {name: index for index, name in enumerate(classes)}
    return ClassList(
        tuple(classes), by, {code: indices.get(name, NO_CLASS) for name, code in zip(names, codes, strict=True)}
    ), problems


Form = tuple[By, list[str], list[int]]


def _coloured(lines: Sequence[str], form: re.Pattern[str], *, names_at: int) -> Form | None:
    """Reads lines with a colour each; None if one is no such line."""
    groups = [list(match.groups()) for line in lines if (match := form.fullmatch(line))]
    names = [group.pop(names_at) for group in groups]
    colours = [tuple(map(int, group)) for group in groups]
    if not lines or len(groups) < len(lines) or max(map(max, colours)) > 255:
        return None
    return "colour", names, [colour_code(*colour) for colour in colours]


def _numbered(lines: Sequence[str]) -> Form | None:
    matches = [match for line in lines if (match := _NUMBER_FIRST.fullmatch(line))]
    if not lines or len(matches) < len(lines) or any(int(match[1]) > NO_CLASS for match in matches):
        return None
    return "number", [match[2] for match in matches], [int(match[1]) for match in matches]
