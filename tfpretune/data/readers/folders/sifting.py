"""Which files of a folder are read, which would have to be converted, and which are left out. Imports no TensorFlow."""

import collections
import dataclasses
import os
from collections.abc import Sequence

from tfpretune.data.readers.folders.kinds import FileKind
from tfpretune.data.readers.records import Problem

_SHOWN = 4


@dataclasses.dataclass
class Sifted:
    """The files of a folder, by what becomes of them.

    Args:
        wanted: paths of those that are read, in their order.
        others: paths of those of other kinds, which are left out.
        problems: one for each kind that is meant and cannot be read; files that may not be read.
    """

    wanted: list[str] = dataclasses.field(default_factory=list)
    others: list[str] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)


def sift(paths: Sequence[str], kind: FileKind) -> Sifted:
    """Sorts files by their suffixes, in upper or lower case, into those of one kind and others."""
    found, unread = Sifted(), dict[str, list[str]]()
    for path in paths:
        suffix = suffix_of(path)
        if suffix in kind.unreadable:
            unread.setdefault(suffix, []).append(path)
        elif suffix not in kind.suffixes:
            found.others.append(path)
        elif os.access(path, os.R_OK):
            found.wanted.append(path)
        else:
            found.problems.append(Problem(path, "the file cannot be read", "check that you may read it"))
    for suffix, files in unread.items():
        what, how = kind.unreadable[suffix]
        count = f"{what}{', ' if what else ''}{len(files):,} file{'s' if len(files) > 1 else ''}"
        todo = f"convert it to one of {' '.join(kind.suffixes)}, such as: {how}"
        found.problems.append(Problem(files[0], f"{suffix} {kind.scheme} are not read ({count})", todo))
    return found


def left_out_note(hidden: Sequence[str], others: Sequence[str]) -> list[str]:
    """Returns a line about what is left out of a folder, or nothing.

    Args:
        hidden: paths of hidden files and folders.
        others: paths of files of other kinds.
    """
    parts = [f"{len(hidden):,} hidden"] if hidden else []
    if others:
        counts = collections.Counter(map(suffix_of, others))
        suffixes = sorted(counts, key=lambda suffix: (-counts[suffix], not suffix, suffix))
        shown = ", ".join(suffix or "no suffix" for suffix in suffixes[:_SHOWN])
        parts.append(f"{len(others):,} of other kinds ({shown}{', …' if len(suffixes) > _SHOWN else ''})")
    if not parts:
        return []
    count, folders = len(hidden) + len(others), any(os.path.isdir(path) for path in hidden)
    what = ("files and folders" if folders else "files") if count > 1 else ("folder" if folders else "file")
    return [f"left out: {count:,} {what}: {', '.join(parts)}"]


def suffix_of(path: str) -> str:
    """Returns the last suffix of a path in lower case, with its dot."""
    return os.path.splitext(path)[1].lower()
