"""A corpus cut into pieces of bounded size, whose texts are read one at a time. Imports no TensorFlow."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from tfpretune.data.readers.byte_offsets import decoded, line_number
from tfpretune.data.readers.folders.kinds import TEXT_SUFFIXES
from tfpretune.data.readers.folders.splits import files_by_split
from tfpretune.data.readers.folders.walking import walk
from tfpretune.data.readers.records import find_files
from tfpretune.data.readers.source_form import DEFAULT_TEXT
from tfpretune.data.sources.examples import open_source
from tfpretune.data.splits.near_copies import CopyCounts
from tfpretune.data.splits.rule import Part
from tfpretune.data.text.cleaning import clean
from tfpretune.errors import RunError, UsageError

LONGEST_TEXT = 1 << 26
"""Most bytes of one line or one file of a `text:FOLDER`: what a process must hold at once."""

Form = Literal["lines", "jsonl", "files"]
Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Span:
    """Bytes of a file. A line belongs to the span in which it starts."""

    path: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A part of a corpus that one process prepares at a time.

    Args:
        number: its place in the corpus, from 0.
        form: what the spans hold: a text per line, a JSON object a line, or a text per file.
        spans: where the texts lie.
        texts: the texts themselves, cleaned, of a source that is not read by span.
        positions: of `texts`, as `tfpretune.data.splits.rule` says for the whole source; () where they are still to be found.
        text_column: the key of the text in a JSON object.
        split: the split of the source, of a folder with folders train and test.
    """

    number: int
    form: Form = "lines"
    spans: tuple[Span, ...] = ()
    texts: tuple[str, ...] = ()
    positions: tuple[float, ...] = ()
    text_column: str = DEFAULT_TEXT
    split: Part | None = None


@dataclasses.dataclass(frozen=True)
class Corpus:
    """All pieces of a source, and what tells it from another one.

    Args:
        pieces: in the order of the source.
        num_files: files; 0 when the source is read whole.
        num_bytes: bytes of these files, or of the texts.
        names_and_sizes: hex sha256 of the files' names and sizes.
        times: hex sha256 of the times at which they were changed.
        license: terms of use, where the source says.
        copies: near copies in a source that is read whole; None where they are still to be counted.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import cut_corpus
        >>> _ = Path("lines.txt").write_text('''one text per line
        ... another one''')
        >>> corpus = cut_corpus("text:lines.txt", piece_bytes=20)
        >>> len(corpus.pieces), len(corpus.names_and_sizes)
        (2, 64)
    """

    pieces: tuple[Chunk, ...]
    num_files: int
    num_bytes: int
    names_and_sizes: str
    times: str
    license: str = ""
    copies: CopyCounts | None = None


def cut_corpus(spec: str, *, piece_bytes: int = 1 << 26, text_column: str = DEFAULT_TEXT) -> Corpus:
    """Cuts a source into pieces without reading it, so that it may be larger than memory.

    Args:
        spec: `text:GLOB` (a text per line), `text:FOLDER` (a text a .txt file, in subfolders too), `jsonl:GLOB`; every other
            source of `open_source` is read whole.
        piece_bytes: bytes of a piece; a file is split between lines, small files are joined.
        text_column: name of the column, key or feature with the text.

    Raises:
        UsageError: there is no such source, or it holds no texts.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import cut_corpus, read_texts
        >>> _ = Path("lines.txt").write_text('''one text per line
        ... another one''')
        >>> corpus = cut_corpus("text:lines.txt")
        >>> corpus.num_files, corpus.num_bytes, [text for piece in corpus.pieces for text in read_texts(piece)]
        (1, 29, ['one text per line', 'another one'])
    """
    scheme, _, rest = spec.partition(":")
    form: Form = "jsonl" if scheme == "jsonl" else "lines"
    if scheme == "text" and os.path.isdir(os.path.expanduser(rest)):
        form, by_split = "files", _text_files(os.path.expanduser(rest))
    elif scheme in ("text", "jsonl") and rest:
        by_split = {None: find_files(rest, scheme)}
    else:
        return _cut_texts(spec, piece_bytes, text_column)
    paths = [path for some in by_split.values() for path in some]
    facts = [os.stat(path) for path in paths]
    pieces: list[Chunk] = []
    for split, some in by_split.items():
        spans = _spans(some, [os.path.getsize(path) for path in some], piece_bytes, whole=form == "files")
        for group in _grouped(spans, lambda span: span.end - span.start, piece_bytes):
            pieces.append(Chunk(len(pieces), form, group, text_column=text_column, split=split))
    return Corpus(
        tuple(pieces),
        len(paths),
        sum(fact.st_size for fact in facts),
        _digest([(path, fact.st_size) for path, fact in zip(paths, facts, strict=True)]),
        _digest([fact.st_mtime_ns for fact in facts]),
    )


def read_texts(piece: Chunk) -> Iterator[str]:
    """Yields the cleaned texts of a piece, as `open_source` would read them; blank ones are left out.

    Raises:
        RunError: at the first place that is not UTF-8 or not JSON, as `file:line:byte`, and for a file that cannot be read.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import cut_corpus, read_texts
        >>> _ = Path("lines.txt").write_text('''one text per line
        ...
        ... another one''')
        >>> list(read_texts(cut_corpus("text:lines.txt").pieces[0]))  # blank lines are left out
        ['one text per line', 'another one']
    """
    yield from piece.texts
    read = {"lines": _read_lines, "jsonl": _read_objects, "files": _read_file}[piece.form]
    for span in piece.spans:
        try:
            yield from filter(None, read(span, piece.text_column))
        except OSError as error:
            raise RunError(f"{span.path}: cannot be read ({error.strerror}): check that it is there") from error


def _cut_texts(spec: str, piece_bytes: int, text_column: str) -> Corpus:
    examples = open_source(spec, text_column=text_column, label_column="").require_kind("text")
    placed = zip(examples.inputs, examples.places.positions.tolist(), strict=True)
    groups = _grouped(placed, lambda each: len(each[0].encode()), piece_bytes)
    pieces = tuple(
        Chunk(number, texts=tuple(text for text, _ in group), positions=tuple(position for _, position in group))
        for number, group in enumerate(groups)
    )
    size = sum(len(text.encode()) for text in examples.inputs)
    return Corpus(pieces, 0, size, _digest([size]), _digest(examples.inputs), examples.license, examples.places.copies)


def _text_files(folder: str) -> dict[Part | None, list[str]]:
    """Returns the files of each split, training first, or of no split where the folders are not train and test."""
    found = walk(folder)
    if found.problems:
        raise RunError(str(found.problems[0]))
    paths = [path for path in found.files if path.lower().endswith(TEXT_SUFFIXES)]
    if not paths:
        raise UsageError(f"no .txt file in {folder} (looked in {os.getcwd()}): check the path")
    return files_by_split(folder, paths)


def _spans(paths: Sequence[str], sizes: Sequence[int], piece_bytes: int, *, whole: bool) -> Iterator[Span]:
    for path, size in zip(paths, sizes, strict=True):
        step = max(1, size if whole else piece_bytes)
        for start in range(0, size, step):
            yield Span(path, start, min(start + step, size))


def _grouped(items: Iterator[Item], size_of: Callable[[Item], int], most: int) -> Iterator[tuple[Item, ...]]:
    group: list[Item] = []
    total = 0
    for item in items:
        size = size_of(item)
        if group and total + size > most:
            yield tuple(group)
            group, total = [], 0
        group.append(item)
        total += size
    if group:
        yield tuple(group)


def _digest(facts: Sequence[object]) -> str:
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(json.dumps(fact).encode())
    return digest.hexdigest()


def _read_lines(span: Span, _: str) -> Iterator[str]:
    for at, line in _lines(span):
        yield from clean(decoded(span.path, at, line)).split("\n")


def _read_objects(span: Span, column: str) -> Iterator[str]:
    for at, line in _lines(span):
        text = decoded(span.path, at, line).removeprefix("\ufeff")
        if text.strip():
            yield clean(_field(text, column, span.path, at))


def _field(line: str, column: str, path: str, at: int) -> str:
    try:
        record = json.loads(line)
        fault = "" if isinstance(record, dict) and isinstance(record.get(column), str) else f"no text under {column!r}"
    except (ValueError, RecursionError) as error:
        fault = f"not JSON ({error})"
    if fault:
        raise RunError(f'{path}:{line_number(path, at)}: {fault}; write one object per line: {{"{column}": "…"}}')
    return record[column]


def _read_file(span: Span, _: str) -> Iterator[str]:
    if span.end > LONGEST_TEXT:
        raise RunError(f"{span.path}: a text of more than {LONGEST_TEXT} bytes; give its lines: text:{span.path}")
    data = Path(span.path).read_bytes()
    yield clean(decoded(span.path, 0, data))


def _lines(span: Span) -> Iterator[tuple[int, bytes]]:
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
