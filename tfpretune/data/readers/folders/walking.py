"""The files of a folder, as every reader of folders sees them: hidden ones left out, links followed. Imports no TensorFlow."""

import dataclasses
import errno
import os

from tfpretune.data.readers.records import Problem, is_hidden


@dataclasses.dataclass
class Walk:
    """What lies in a folder and the folders below it.

    Args:
        files: paths of all files, sorted.
        folders: paths of all folders, sorted.
        hidden: paths of what was passed over: hidden files and folders, and those that systems make.
        problems: links that lead nowhere or in a circle, folders that cannot be read, names that are no text.
    """

    files: list[str] = dataclasses.field(default_factory=list)
    folders: list[str] = dataclasses.field(default_factory=list)
    hidden: list[str] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)


def walk(folder: str) -> Walk:
    """Goes through a folder and all folders below it, through links as well."""
    found = Walk()
    _walk(found, folder, ())
    found.files.sort()
    found.folders.sort()
    return found


def _walk(found: Walk, folder: str, above: tuple[str, ...]) -> None:
    real = os.path.realpath(folder)
    if real in above:
        what = "the link leads back to a folder that it lies in"
        found.problems.append(Problem(folder, what, "delete the link"))
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        what = f"the folder cannot be read ({error.strerror})"
        found.problems.append(Problem(folder, what, "check that you may read it"))
        return
    for entry in entries:
        kind = _kind(entry)
        if is_hidden(entry.name):
            found.hidden.append(entry.path)
        elif kind and not _is_text(entry.name):
            todo = "rename it (convmv renames all names of a folder)"
            found.problems.append(Problem(entry.path, "the name is not UTF-8", todo))
        elif kind == "folder":
            found.folders.append(entry.path)
            _walk(found, entry.path, (*above, real))
        elif kind == "file":
            found.files.append(entry.path)
        elif kind:
            what = f"the link leads {kind}"
            found.problems.append(Problem(entry.path, what, "bring the file back or delete the link"))


def folders_in(folder: str) -> list[str]:
    """Returns the names of the folders right in a folder, sorted, without hidden ones; [] where it cannot be read."""
    try:
        entries = list(os.scandir(folder))
    except OSError:  # `walk` names it
        return []
    return sorted(entry.name for entry in entries if not is_hidden(entry.name) and _kind(entry) == "folder")


def _is_text(name: str) -> bool:
    """Whether a name can be written to messages and files: Python keeps bytes that are no UTF-8 as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _kind(entry: os.DirEntry[str]) -> str:
    """Returns "folder", "file", where a broken link leads, or "" for what is none of these."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
    except OSError as error:  # a link to itself
        return f"in a circle ({error.strerror})" if error.errno == errno.ELOOP else f"nowhere ({error.strerror})"
    return f"nowhere ({os.readlink(entry.path)} is not there)" if entry.is_symlink() else ""
