"""Files in folders: texts by line or by file, and images; the folder of a file is its class. Imports no TensorFlow."""

import dataclasses
import os
from collections.abc import Sequence

from tfpretune.data.readers.folders.doubtful import doubtful_folders, first_folders, unlabelled_folders, unwrapped
from tfpretune.data.readers.folders.kinds import FILES
from tfpretune.data.readers.folders.sifting import left_out_note, sift, suffix_of
from tfpretune.data.readers.folders.splits import splits_note, splits_of
from tfpretune.data.readers.folders.walking import walk
from tfpretune.data.readers.records import Problem, Records, has_controls, read_utf8
from tfpretune.data.splits.rule import Part
from tfpretune.data.text.cleaning import clean, split_long_lines
from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True)
class _File:
    path: str
    label: str | None
    split: Part | None = None


def read_text_lines(paths: Sequence[str], *, encoding: str = "") -> Records:
    """Reads text files without labels: each line that is not blank is an example; too long ones become several."""
    rows = Records("text")
    for path in paths:
        text, problems = read_utf8(path, encoding)
        rows.problems += problems
        bad_lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
        for number, line in enumerate(text.split("\n"), 1):
            where = f"{path}:{number}"
            if where in bad_lines:
                continue
            pieces = clean(line).split("\n")
            rows.long_lines += split_long_lines(line)[1]
            for piece in filter(None, pieces):
                rows.add(piece, None, where)
    return rows


def read_text_folder(folder: str, *, labels: bool = True, encoding: str = "") -> Records:
    """Reads a folder of .txt files, one document per file.

    Args:
        folder: class subfolders, if there are any, are the labels; folders train, val and test are splits.
        labels: without, all files of all folders are read and have none.
        encoding: of the files; "" is UTF-8.
    """
    rows = Records("text")
    for file in _files(rows, folder, "text", labels):
        text, problems = read_utf8(file.path, encoding)
        rows.problems += problems
        if not problems:
            rows.add_text(text, file.label, file.path)
            rows.mark_split(file.split)
    return rows


def read_image_folder(folder: str, *, labels: bool = True) -> Records:
    """Lists the images of a folder; arguments as for `read_text_folder`."""
    rows = Records("image")
    for file in _files(rows, folder, "image", labels):
        if os.path.getsize(file.path):
            rows.add(file.path, file.label, file.path)
            rows.mark_split(file.split)
        else:
            rows.problems.append(Problem(file.path, "the file is empty", "replace or remove it"))
    return rows


def _files(rows: Records, folder: str, what: str, labels: bool) -> list[_File]:
    """Returns the wanted files with their classes and splits, and notes the others in `rows`."""
    root = os.path.expanduser(folder).rstrip(os.sep) or os.sep
    if not os.path.isdir(root):
        raise UsageError(f"no folder {folder} (looked in {os.getcwd()}): check the path")
    found = walk(root)
    rows.problems += found.problems
    rows.hidden += found.hidden
    paths, tops = _sift(rows, root, found.files, what), _inner(root, found.folders)
    by_top = first_folders(root, paths)
    splits = splits_of([name for name in tops if by_top.get(name)])
    if splits is None:
        rows.problems += doubtful_folders(root, by_top, labels=labels)
        return _class_files(rows, root, tops, paths, what, labels)
    if "train" not in splits.values():
        what_is = f"the folders {', '.join(splits)} are splits, and there is no train"
        rows.problems.append(Problem(root, what_is, "add a folder train, or give one of them by itself"))
    rows.problems += [
        Problem(path, f"the {what} lies beside the folders of the splits", "move it into one of them")
        for path in by_top.get("", [])
    ]
    inside = {}
    for name, split in splits.items():
        top = unwrapped(os.path.join(root, name), by_top[name]) if labels else os.path.join(root, name)
        if top != os.path.join(root, name):
            rows.notes.append(f"{name} holds one folder, {os.path.basename(top)}: the folders in it are the classes")
        files = _class_files(rows, top, _inner(top, found.folders), by_top[name], what, labels)
        inside[name] = [dataclasses.replace(file, split=split) for file in files]
    return _comparable(rows, root, inside, splits, what)


def _comparable(
    rows: Records, root: str, found: dict[str, list[_File]], splits: dict[str, Part], what: str
) -> list[_File]:
    """Leaves out splits without classes where training has some, and names classes that training does not have."""
    classes = {file.label for name, part in splits.items() if part == "train" for file in found[name]}
    kept = dict(splits)
    lacking: list[str] = []
    for name, part in splits.items():
        own = {file.label for file in found[name]}
        if part == "train" or not classes:
            continue
        if own == {None} and None not in classes:
            del kept[name]
            rows.notes.append(f"{name} has no class folders: its {len(found[name]):,} files are not read")
        elif absent := sorted(classes - own - {None}, key=str):
            lacking.append(
                f"{name} has no {what} of the class {', '.join(map(str, absent[:3]))}{', …' if len(absent) > 3 else ''}"
            )
        todo = "add training examples of it, or correct the name of the folder"
        rows.problems += [
            Problem(os.path.join(root, name, label or ""), f"the class {label!r} is not in train", todo)
            for label in sorted(own - classes - {None}, key=str)
        ]
    rows.notes[:0] = [splits_note(kept), *lacking]
    return [file for name in kept for file in found[name]]


def _class_files(
    rows: Records, root: str, classes: list[str], paths: list[str], what: str, labels: bool
) -> list[_File]:
    """Returns the files of a folder with the folders right below it as their classes, if there are any."""
    if not labels or not classes:
        return [_File(path, None) for path in paths]
    by_class = first_folders(root, paths)
    rows.problems += [
        Problem(
            os.path.join(root, name), "the name of the class holds a line break or another control", "rename the folder"
        )
        for name in classes
        if has_controls(name)
    ]
    rows.problems += unlabelled_folders(root, classes, what)
    for name in classes:
        if name not in by_class:
            fault = f"the class folder has no {what}s ({' '.join(FILES[what].suffixes)})"
            rows.problems.append(Problem(os.path.join(root, name), fault, "fill it or remove it"))
    nested = [os.path.dirname(os.path.relpath(path, root)) for path in paths]
    if nested := [folder for folder in nested if os.sep in folder]:
        shown = ", ".join(list(dict.fromkeys(nested))[:3])
        rows.notes.append(f"class folders hold folders of their own ({shown}): the top folder is the class")
    todo = "move it into a class folder (what needs no labels, such as pre-training, reads it as it is)"
    rows.problems += [
        Problem(path, f"the {what} lies beside the class folders and has no class", todo)
        for path in by_class.get("", [])
    ]
    return [_File(path, name) for name in classes for path in by_class.get(name, [])]


def _inner(root: str, folders: list[str]) -> list[str]:
    """Returns the names of those folders that lie right in `root`."""
    return [os.path.basename(folder) for folder in folders if os.path.dirname(folder) == root.rstrip(os.sep)]


def _sift(rows: Records, root: str, paths: list[str], what: str) -> list[str]:
    """Returns the files that are read, and says what is left out."""
    kind, found = FILES[what], sift(paths, FILES[what])
    known = " ".join(kind.suffixes)
    rows.problems += found.problems
    rows.skipped += [Problem(path, f"skipped: not one of {known}", "convert it or remove it") for path in found.others]
    rows.notes += left_out_note(rows.hidden, found.others)
    if found.others and not found.wanted and not found.problems:
        suffixes = ", ".join(sorted({suffix_of(path) or "no suffix" for path in found.others})[:4])
        fault = f"none of its {len(paths):,} files is one of {known} (there are: {suffixes})"
        rows.problems.append(Problem(root, fault, "convert them, or give another folder"))
    return found.wanted
