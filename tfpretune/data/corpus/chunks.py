"""A corpus cut into pieces of bounded size, whose texts are read one at a time. Imports no TensorFlow."""

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

from tfpretune.data.corpus.spans import READ, Span, lines_in, record_of
from tfpretune.data.readers.byte_offsets import decoded
from tfpretune.data.readers.encodings import ends_lines_with_lf
from tfpretune.data.readers.folders.kinds import FILES
from tfpretune.data.readers.folders.sifting import left_out_note, sift
from tfpretune.data.readers.folders.splits import files_by_split
from tfpretune.data.readers.folders.walking import walk
from tfpretune.data.readers.packed_files import is_packed
from tfpretune.data.readers.records import Records, find_files
from tfpretune.data.readers.source_form import USUAL_FORM, SourceForm
from tfpretune.data.readers.tables.columns import has_value, resolve
from tfpretune.data.sources.examples import open_examples
from tfpretune.data.sources.naming import full_name
from tfpretune.data.splits.near_copies import CopyCounts
from tfpretune.data.splits.rule import Part
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.telling import tell

Form = Literal["lines", "jsonl", "files"]
Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A part of a corpus that one process prepares at a time.

    Args:
        number: its place in the corpus, from 0.
        form: what the spans hold: a text per line, a JSON object a line, or a text per file.
        spans: where the texts lie.
        texts: the texts themselves, cleaned, of a source that is not read by span.
        positions: of `texts`, as `tfpretune.data.splits.rule` says for the whole source; () where they are still to be found.
        read_as: the keys of the text in a JSON object, and the encoding of the files.
        split: the split of the source, of a folder with folders train and test.
    """

    number: int
    form: Form = "lines"
    spans: tuple[Span, ...] = ()
    texts: tuple[str, ...] = ()
    positions: tuple[float, ...] = ()
    read_as: SourceForm = USUAL_FORM
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


def cut_corpus(spec: str, form: SourceForm = USUAL_FORM, *, piece_bytes: int = 1 << 26) -> Corpus:
    """Cuts a source into pieces without reading it, so that it may be larger than memory. What cannot be cut is read, and said.

    Args:
        spec: `text:GLOB` (a text per line), `text:FOLDER` (a text a .txt file, in subfolders too), `jsonl:GLOB`; every other
            source of `open_source` is read whole, and so are files that are packed, lists of JSON objects, and encodings whose
            lines cannot be found by bytes (UTF-16).
        form: how it is read: the columns with the text, the encoding.
        piece_bytes: bytes of a piece; a file is split between lines, small files are joined.

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
    spec = full_name(spec)
    scheme, _, rest = spec.partition(":")
    held: Form = "jsonl" if scheme in ("json", "jsonl") else "lines"
    if scheme == "text" and os.path.isdir(os.path.expanduser(rest)):
        held, by_split = "files", _text_files(os.path.expanduser(rest))
    elif scheme in ("text", "json", "jsonl") and rest:
        by_split = {None: find_files(rest, scheme)}
    else:
        if scheme in ("csv", "parquet"):
            tell(f"{spec}: all of it is read into memory; as one JSON object a line it would be read piece by piece")
        return _cut_texts(spec, form, piece_bytes)
    paths = [path for some in by_split.values() for path in some]
    if reason := _whole(paths, held, form.encoding):
        tell(f"{spec}: all of it is read into memory: {reason}")
        return _cut_texts(spec, form, piece_bytes)
    form = _with_columns(spec, paths, form) if held == "jsonl" else form
    facts = [os.stat(path) for path in paths]
    pieces: list[Chunk] = []
    for split, some in by_split.items():
        spans = _spans(some, [os.path.getsize(path) for path in some], piece_bytes, whole=held == "files")
        for group in _grouped(spans, lambda span: span.end - span.start, piece_bytes):
            pieces.append(Chunk(len(pieces), held, group, read_as=form, split=split))
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
    for span in piece.spans:
        try:
            yield from filter(None, READ[piece.form](span, piece.read_as))
        except OSError as error:
            raise RunError(f"{span.path}: cannot be read ({error.strerror}): check that it is there") from error


def _whole(paths: Sequence[str], held: Form, encoding: str) -> str:
    """Says why files cannot be cut between lines; "" where they can."""
    packed = next((path for path in paths if is_packed(path)), None)
    if packed:
        return f"{packed} is packed; unpacked it would be read piece by piece"
    if held != "files" and not ends_lines_with_lf(encoding):
        return f"lines of {encoding} cannot be found by bytes; as UTF-8 it would be read piece by piece"
    if held == "jsonl" and (path := next(filter(_begins_list, paths), None)):
        return f"{path} is one list; as one object a line it would be read piece by piece"
    return ""


def _begins_list(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    except OSError:
        return False  # named where it is read


def _with_columns(spec: str, paths: Sequence[str], form: SourceForm) -> SourceForm:
    """Returns the form with the keys that the first object has; see `tables.columns.resolve`."""
    rows, form = Records("text"), dataclasses.replace(form, label_column="")
    for path in paths:
        if line := next((text for _, text in lines_in(Span(path, 0, os.path.getsize(path))) if text.strip()), b""):
            record = record_of(decoded(path, 0, line, form.encoding), path, 0, form)
            found = resolve(rows, list(record), form, where=path, has=functools.partial(has_value, record))
            for note in rows.notes:
                tell(f"{spec}: {note}")
            return found
    return form


def _cut_texts(spec: str, form: SourceForm, piece_bytes: int) -> Corpus:
    examples = open_examples(spec, dataclasses.replace(form, label_column="")).require_kind("text")
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
    files = sift(found.files, FILES["text"])
    for problem in (*found.problems, *files.problems):
        raise RunError(str(problem))
    if not files.wanted:
        raise UsageError(f"no .txt file in {folder} (looked in {os.getcwd()}): check the path")
    for note in left_out_note(found.hidden, files.others):
        print(f"{folder}: {note}")
    return files_by_split(folder, files.wanted)


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
