"""What the readers of files share: rows with their problems, and exact reading of UTF-8. Imports no TensorFlow."""

import dataclasses
import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfpretune.data.readers.encodings import decode
from tfpretune.data.readers.packed_files import no_text, unpacked
from tfpretune.data.text.cleaning import MAX_LINE_BYTES, clean, has_visible, split_long_lines
from tfpretune.errors import UsageError

SYSTEM_FILES = frozenset(
    ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin", "lost+found")
)
"""Names in small letters of files and folders that systems put beside a user's own."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the data.

    Args:
        where: file, line, byte.
        what: what is wrong there.
        todo: what to do about it.
    """

    where: str
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{shown(self.where)}: {self.what}; {self.todo}"


def shown(path: str) -> str:
    """Returns a path as one line of text, with escapes for line breaks, controls and bytes that are no UTF-8."""
    if path.isprintable():
        return path
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(ascii(one)[1:-1] if has_controls(one) else one for one in text)


def has_controls(text: str) -> bool:
    """Returns whether a text has a control character or ends a line."""
    return any(one < " " or "\x7f" <= one <= "\x9f" or one in "\u2028\u2029" for one in text)


@dataclasses.dataclass
class Records:
    """All that a reader found, good and bad, in the order of the source.

    Args:
        kind: "text" or "image".
        inputs: texts (cleaned), file paths, or a uint8 array of images.
        labels: class names as written; None where missing.
        where: one place per row.
        problems: what makes the source unusable as it is.
        skipped: files that are not read; no hindrance, but `tfpretune check` names them.
        notes: how the source was read, where it could be read in another way; runs and `tfpretune check` say so.
        class_names: the classes in their order, where the source itself defines it.
        license: terms of use, where known.
        long_lines: lines that were split because they were too long.
        more_labels: further label columns by name, as written; each has one label per row, None where it is missing.
        more_class_names: the classes of a further label column in their order, where the source itself defines it.
        label_kind: what the source itself says of its labels: "single", "regression" or "multi-label".
        class_folders: the labels are names of folders, so each is meant as a class.
        label_separator: what stands between the classes of a set, where the source itself says it.
        in_order: the parts are cut in the order of the source (a newspaper in the order of its days), not drawn.
        groups: the group of each row, where the source has groups.
        seconds: the second text of each row, where the rows are pairs.
        splits: the split of each row, where the source itself has splits.
        hidden: hidden files and folders that were passed over.
        taken: columns that were found without having been asked for: field of `SourceForm` -> column.
        side_cells: the cells of the columns that say the split or the group of each row, by column.
        unlabelled: rows that say that they have no label, where a blank one may be the empty set.
        label_column: the column that the labels are from, where there is one.
        class_cells: what is likely the class of each row, where labels are not read: for the split alone; "" for none.
    """

    kind: str
    inputs: list[str] | np.ndarray = dataclasses.field(default_factory=list)
    labels: list[str | None] = dataclasses.field(default_factory=list)
    where: list[str] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    skipped: list[Problem] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    class_names: tuple[str, ...] = ()
    license: str = ""
    long_lines: int = 0
    more_labels: dict[str, list[str | None]] = dataclasses.field(default_factory=dict)
    more_class_names: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    label_kind: Literal["single", "regression", "multi-label"] = "single"
    class_folders: bool = False
    label_separator: str = ""
    in_order: bool = False
    groups: list[str] = dataclasses.field(default_factory=list)
    seconds: list[str] = dataclasses.field(default_factory=list)
    splits: list[str] = dataclasses.field(default_factory=list)
    hidden: list[str] = dataclasses.field(default_factory=list)
    taken: dict[str, Any] = dataclasses.field(default_factory=dict)
    side_cells: dict[str, list[str | None]] = dataclasses.field(default_factory=dict)
    unlabelled: set[int] = dataclasses.field(default_factory=set)
    label_column: str = ""
    class_cells: list[str] = dataclasses.field(default_factory=list)

    def add_text(
        self,
        text: str,
        label: str | None,
        where: str,
        *,
        second: str | None = None,
        more: Mapping[str, str | None] | None = None,
    ) -> None:
        """Cleans a text, or a pair of texts, and adds it, or notes that there is none."""
        cleaned = clean(text)
        other = clean(second) if second is not None else None
        if not has_visible(cleaned) or (other is not None and not has_visible(other)):
            which = "text" if second is None else ("first text" if not has_visible(cleaned) else "second text")
            self.problems.append(Problem(where, f"the {which} is empty", "fill it in or remove the row"))
            return
        for part, raw in ((cleaned, text), (other or "", second or "")):
            if len(part) * 4 > MAX_LINE_BYTES:
                self.long_lines += split_long_lines(raw)[1]
        self.add(cleaned, label, where, more=more)
        if other is not None:
            self.seconds.append(other)

    def add(self, content: str, label: str | None, where: str, *, more: Mapping[str, str | None] | None = None) -> None:
        """Adds one row, with its further labels by column. A label of white space is a missing one."""
        self.inputs.append(content)  # type: ignore[union-attr]  # a list until the images are stacked
        self.labels.append(_label(label))
        self.where.append(where)
        for name, other in (more or {}).items():
            self.more_labels.setdefault(name, []).append(_label(other))

    def mark_split(self, split: str | None) -> None:
        """Notes the split of the row that was added last; does nothing for one that was refused, or without a split."""
        if split and len(self.splits) < len(self.inputs):
            self.splits.append(split)

    def join(self, other: "Records", split: str | None = None) -> None:
        """Adds the rows of another reader without labels, with the split that they are of, and all that it found."""
        for content, where in zip(other.inputs, other.where, strict=True):
            self.add(content, None, where)
            self.mark_split(split)
        if not split:
            self.splits += other.splits
        for name in ("problems", "skipped", "notes", "hidden"):
            getattr(self, name).extend(getattr(other, name))


def _label(written: str | None) -> str | None:
    if written is None:
        return None
    label = clean(written)
    return label if has_visible(label) else None


def find_files(pattern: str, scheme: str) -> list[str]:
    """Returns the files that a glob matches, sorted; `**` matches any folders, `~` is the home folder.

    Raises:
        UsageError: when there are none.
    """
    expanded = os.path.expanduser(pattern)
    if os.path.isdir(expanded):
        raise UsageError(f"{pattern} is a folder: give its files, such as {scheme}:{pattern.rstrip('/')}/*.{scheme}")
    found = [expanded] if os.path.lexists(expanded) else sorted(glob.glob(expanded, recursive=True))
    for path in found:
        if not os.path.exists(path):
            raise UsageError(f"{path}: the link leads nowhere: bring the file back or delete the link")
    files = [path for path in found if os.path.isfile(path) and not _made_by_system(path, expanded)]
    if not files:
        raise UsageError(f"no file matches {scheme}:{pattern} (looked in {os.getcwd()}): check the path")
    return files


def is_hidden(name: str) -> bool:
    """Returns whether a file or folder is hidden (`._a.jpg`, `.ipynb_checkpoints`) or a system's own (`Thumbs.db`)."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def _made_by_system(path: str, pattern: str) -> bool:
    """Hidden files match no pattern; a system's own do, and count where the pattern names them."""
    return any(part.lower() in SYSTEM_FILES and part not in pattern for part in path.split(os.sep))


def read_utf8(path: str, encoding: str = "") -> tuple[str, list[Problem]]:
    """Reads a text file, packed or not; a byte order mark at its start is dropped.

    Args:
        path: of the file.
        encoding: how it is encoded; "" is UTF-8.

    Returns:
        The text, with U+FFFD for what is not UTF-8, and one problem for each line that is not, placed as
        `file:line:byte` (both from 1, the byte within its line). Of another encoding, no text and the first problem.
    """
    try:
        data = unpacked(Path(path).read_bytes())
    except OSError as error:
        todo = "check that it is there and that you may read it"
        return "", [Problem(path, f"the file cannot be read ({error.strerror})", todo)]
    except ValueError as error:
        return "", [Problem(path, str(error), "replace it")]
    if fault := no_text(data, path):
        return "", [Problem(f"{path}:1:1", *fault)]
    text, faults = decode(data, encoding, path)
    return text, [Problem(f"{path}:{line}:{byte}", what, todo) for line, byte, what, todo in faults]


def lines_of(text: str) -> list[str]:
    """Returns the lines of a file that end in LF or CR LF (a CR stays), or in CR alone where there is no LF."""
    return text.split("\n" if "\n" in text else "\r")
