"""Files in folders: texts by line or by file, and images; the folder of a file is its class. Imports no TensorFlow."""

import os
from collections.abc import Sequence

from tfpretune.config import UsageError
from tfpretune.data.rows import Problem, Rows, read_utf8
from tfpretune.data.text import clean, split_long_lines

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
TEXT_SUFFIXES = (".txt",)
_UNREADABLE_IMAGES = (
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
    ".jxl",
    ".jp2",
    ".psd",
    ".svg",
    ".ico",
    ".ppm",
    ".pgm",
    ".tga",
)
_SYSTEM_FILES = ("thumbs.db", "desktop.ini", "__macosx")


def read_text_lines(paths: Sequence[str]) -> Rows:
    """Reads text files without labels: each line that is not blank is an example; too long ones become several."""
    rows = Rows("text")
    for path in paths:
        text, problems = read_utf8(path)
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


def read_text_folder(folder: str) -> Rows:
    """Reads a folder of .txt files, one document a file; class subfolders, if there are any, are the labels."""
    rows = Rows("text")
    for path, label in _files(rows, folder, TEXT_SUFFIXES, "text"):
        text, problems = read_utf8(path)
        rows.problems += problems
        if not problems:
            rows.add_text(text, label, path)
    return rows


def read_image_folder(folder: str) -> Rows:
    """Lists the images of a folder; class subfolders, if there are any, are the labels."""
    rows = Rows("image")
    for path, label in _files(rows, folder, IMAGE_SUFFIXES, "image"):
        if os.path.getsize(path):
            rows.add(path, label, path)
        else:
            rows.problems.append(Problem(path, "the file is empty", "replace or remove it"))
    return rows


def _files(rows: Rows, folder: str, suffixes: tuple[str, ...], what: str) -> list[tuple[str, str | None]]:
    """Returns (path, class) of the wanted files, and notes the others in `rows`."""
    root = os.path.expanduser(folder)
    if not os.path.isdir(root):
        raise UsageError(f"no folder {folder} (looked in {os.getcwd()}): check the path")
    entries = sorted(entry.name for entry in os.scandir(root) if not _hidden(entry.name))
    classes = [name for name in entries if os.path.isdir(os.path.join(root, name))]
    loose = _sift(rows, [os.path.join(root, name) for name in entries if name not in classes], suffixes)
    found: list[tuple[str, str | None]] = []
    for name in classes:
        top = os.path.join(root, name)
        paths = _sift(rows, [os.path.join(at, file) for at, _, files in os.walk(top) for file in files], suffixes)
        if not paths:
            problem = Problem(top, f"the class folder has no {what}s ({' '.join(suffixes)})", "fill it or remove it")
            rows.problems.append(problem)
        found += [(path, name) for path in paths]
    if not classes:
        return [(path, None) for path in loose]
    todo = "move it into a class folder or remove it"
    rows.problems += [
        Problem(path, f"the {what} lies beside the class folders and has no class", todo) for path in loose
    ]
    return found


def _sift(rows: Rows, paths: list[str], suffixes: tuple[str, ...]) -> list[str]:
    wanted = []
    for path in sorted(paths):
        suffix = os.path.splitext(path)[1].lower()
        if suffix in suffixes:
            wanted.append(path)
        elif suffixes is IMAGE_SUFFIXES and suffix in _UNREADABLE_IMAGES:
            problem = Problem(path, f"{suffix} images are not read", f"convert it to one of {' '.join(suffixes)}")
            rows.problems.append(problem)
        elif not any(_hidden(part) for part in (os.path.basename(path), os.path.basename(os.path.dirname(path)))):
            rows.skipped.append(Problem(path, f"skipped: not one of {' '.join(suffixes)}", "convert it or remove it"))
    return wanted


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES
