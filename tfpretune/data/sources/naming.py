"""What a path without a scheme is: reviews.csv is csv:reviews.csv. Imports no TensorFlow."""

import glob
import itertools
import os
import re
from collections.abc import Iterator

from tfpretune.data.readers.folders.kinds import FILES, IMAGE_SUFFIXES
from tfpretune.data.readers.packed_files import no_text, without_packed_suffix
from tfpretune.data.readers.records import is_hidden
from tfpretune.errors import UsageError
from tfpretune.runtime.telling import tell

SUFFIXES = {
    "csv": (".csv", ".tsv", ".tab"),
    "jsonl": (".jsonl", ".ndjson", ".jl"),
    "parquet": (".parquet", ".pq"),
    "conll": (".conll", ".conllu", ".conll2003", ".bio", ".iob", ".iob2", ".bioes", ".bmes"),
    "text": FILES["text"].suffixes,
    "images": IMAGE_SUFFIXES,
}
"""Scheme -> endings of files that it reads."""
_NO_FILES: tuple[str, ...] = (
    ".zip",
    ".xlsx",
    ".xls",
    ".pkl",
    ".pickle",
    ".db",
    ".sqlite",
    ".sqlite3",
    ".h5",
    ".hdf5",
    ".npy",
    ".npz",
    ".arrow",
)
_NO_FILES += (".feather", ".orc", ".avro", ".7z", ".rar", ".tar", ".tgz", ".docx", ".doc", ".pdf", ".pt", ".rds")
FILES_OF_FOLDERS = ("images", "text")
_TAG = re.compile("O|[BIESLUMW]-.+")
_LOOKED_AT = 2000
"""Entries of a folder, or lines of a file, that are looked at."""


def full_name(spec: str, *, text: str = "text", json: str = "jsonl") -> str:
    """Returns a source with its scheme. A path without one has that of its ending, a folder that of the files in it.

    Args:
        spec: a source, or a path.
        text: the scheme of .txt files.
        json: the scheme of a .json file that is one object.

    Raises:
        UsageError: the path can be of several schemes, or is a file that none reads.
    """
    path = os.path.expanduser(spec)
    if ":" in spec and not os.path.exists(path):
        return spec
    if os.path.isdir(path):
        return _folder(spec, path)
    name = without_packed_suffix(spec.lower())
    scheme = next((scheme for scheme, ends in SUFFIXES.items() if scheme != "images" and name.endswith(ends)), "")
    if scheme == "text" and text == "text" and os.path.isfile(path) and _has_tags(path):
        raise UsageError(
            f"{spec} may hold words with tags, one a line, or a text a line: give conll:{spec} or text:{spec}"
        )
    if scheme:
        return f"{text if scheme == 'text' else scheme}:{spec}"
    if name.endswith(".json"):
        return f"{json if _one_object(path) else 'jsonl'}:{spec}"
    if os.path.isfile(path):
        raise UsageError(_file_question(spec, path))
    if name.endswith(_NO_FILES) and not glob.glob(path):
        raise UsageError(f"no file {spec} (looked in {os.getcwd()}): check the path")
    return spec


def _folder(spec: str, path: str) -> str:
    if os.path.isfile(os.path.join(path, "dataset_info.json")) and os.path.isfile(os.path.join(path, "features.json")):
        return f"tfds:{spec}"
    kinds: dict[str, int] = {}
    for name in itertools.islice(_files(path), _LOOKED_AT):
        plain = without_packed_suffix(name.lower())
        scheme = next((scheme for scheme, ends in SUFFIXES.items() if plain.endswith(ends)), "")
        if scheme:
            kinds[scheme] = kinds.get(scheme, 0) + 1
    if len(kinds) == 1 and (only := next(iter(kinds))) in (*FILES_OF_FOLDERS, "parquet"):
        tell(f"{spec} is read as {only}:{spec}")
        return f"{only}:{spec}"
    tables = [
        f"{scheme}:{os.path.join(spec, '*' + SUFFIXES[scheme][0])}"
        for scheme in kinds
        if scheme not in FILES_OF_FOLDERS
    ]
    forms = " or ".join([f"images:{spec}", f"text:{spec}", *tables])
    raise UsageError(f"unknown source {spec!r}, did you mean {forms}? It is a folder: say what it holds")


def _files(path: str, depth: int = 3) -> Iterator[str]:
    """Yields the names of the files of a folder, and of those in it, as far as they can be read."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if is_hidden(entry.name):
            continue
        if entry.is_dir() and depth:
            yield from _files(entry.path, depth - 1)
        else:
            yield entry.name


def _one_object(path: str) -> bool:
    """Returns whether a .json file is one object over several lines, or of SQuAD's form; a list or a line each is a table."""
    try:
        with open(path, "rb") as file:
            start = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return False
    return start.startswith(b"{") and (b'"data"' in start[:64] or b'"version"' in start[:64])


def _has_tags(path: str) -> bool:
    """Returns whether a .txt file is cut into columns as CoNLL files are, with tags of entities or O in the last one."""
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [line.split() for line in itertools.islice(file, _LOOKED_AT)]
    words = [fields for fields in lines if fields and fields[0] != "-DOCSTART-"]
    tags = sum(_TAG.fullmatch(fields[-1]) is not None for fields in words)
    return len({len(fields) for fields in words}) == 1 and len(words) < len(lines) and tags == len(words) > 0


def _file_question(spec: str, path: str) -> str:
    with open(path, "rb") as file:
        head = file.read(4096)
    if head.startswith(b"PAR1"):
        return f"{spec} is a Parquet file: give parquet:{spec}"
    if fault := no_text(head, spec):
        return f"{spec}: {fault[0]}; {fault[1]}"
    return (
        f"{spec}: the name does not say what the file holds: give csv:{spec}, jsonl:{spec}, text:{spec} or conll:{spec}"
    )
