"""The classes of a source of masks, as FOLDER/classes.txt lists them. Imports no TensorFlow."""

import dataclasses
import os
from collections.abc import Iterable, Mapping

from tfpretune.data.readers.masks.class_lines import By, Listed, read_lines
from tfpretune.data.readers.masks.files import colour_text
from tfpretune.data.readers.masks.records import NO_CLASS
from tfpretune.data.readers.records import Problem, read_utf8

CLASSES_FILE = "classes.txt"
VOID = "void"
_ALIKE = (
    *("class", "classes", "classnames", "classdict", "labels", "labelmap", "labelnames", "codes", "names"),
    *("categories", "labelcolors", "palette", "colormap"),
)
_ALIKE_SUFFIXES = (".txt", ".csv", ".json", ".names", ".tsv", ".yaml", ".yml")


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


def read_classes(root: str, folders: Iterable[str] = ()) -> tuple[ClassList, list[Problem], list[str]]:
    """Reads FOLDER/classes.txt (in upper or lower case), if it is there.

    Each line is a class: a name alone (its number is its place, from 0), `NUMBER name`, `name NUMBER`, `R G B name` or
    `name R G B`, with spaces, commas, tabs, colons or the like between them; a header above them is left out. Lines that
    begin with # are left out. With numbers or colours, the name "void" is not a class.

    Args:
        root: the folder of the source.
        folders: those within it where such a list is not read, and said to lie wrongly.

    Returns:
        The classes, problems, and what was found.
    """
    found = _lists(root)
    strays = [path for folder in dict.fromkeys(folders) if not _same(folder, root) for path in _lists(folder)]
    if not found:
        todo = f"move it to {os.path.join(root, CLASSES_FILE)}"
        return (
            ClassList(),
            [Problem(path, "the list of classes is not read here", todo) for path in strays],
            _alike(root),
        )
    if len(found) > 1:
        return ClassList(), [Problem(found[1], f"{found[0]} is there, too", "keep one of them")], []
    path, notes = found[0], [f"{path} is not read: {found[0]} lists the classes" for path in strays]
    text, problems = read_utf8(path)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    listed = read_lines([(number, line) for number, line in lines if line and not line.startswith("#")])
    problems += [Problem(f"{path}:{number}" if number else path, *fault) for number, *fault in listed.faults]
    if listed.header:
        notes.append(f"the first line of {os.path.basename(path)} is a header, no class: {listed.header!r}")
    if listed.faults:
        return ClassList(), problems, notes
    classes = [name for name in listed.names if listed.by == "place" or name.casefold() != VOID]
    problems += _twice(path, listed, classes)
    indices = {name: index for index, name in enumerate(classes)}
    codes = {code: indices.get(name, NO_CLASS) for name, code in zip(listed.names, listed.codes, strict=True)}
    return ClassList(tuple(classes), listed.by, codes), problems, notes


def _twice(path: str, listed: Listed, classes: list[str]) -> list[Problem]:
    todo = "give each class one line and a name of its own"
    whats = [f"the class {name!r}" for name in sorted({name for name in classes if classes.count(name) > 1})]
    for code in sorted({code for code in listed.codes if listed.codes.count(code) > 1}):
        whats.append(f"the colour {colour_text(code)}" if listed.by == "colour" else f"the number {code}")
    return [Problem(path, f"{what} is listed twice", todo) for what in whats]


def _names(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def _lists(folder: str) -> list[str]:
    paths = [os.path.join(folder, name) for name in _names(folder) if name.casefold() == CLASSES_FILE]
    return [path for path in paths if os.path.isfile(path)]


def _alike(root: str) -> list[str]:
    """Names files that may list the classes and are not read."""
    stems = {name: os.path.splitext(name.casefold()) for name in _names(root)}
    plain = {name: (stem.replace("_", "").replace("-", ""), suffix) for name, (stem, suffix) in stems.items()}
    found = [name for name, (stem, suffix) in plain.items() if stem in _ALIKE and suffix in _ALIKE_SUFFIXES]
    return [f"{', '.join(found)} is not read: names of classes are read from {CLASSES_FILE}"] if found else []


def _same(folder: str, other: str) -> bool:
    return os.path.realpath(folder) == os.path.realpath(other)
