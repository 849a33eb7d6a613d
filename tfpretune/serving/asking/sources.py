"""The rows of a source, as a model takes them, one by one; a bad row is a row that says what is wrong."""

import dataclasses
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tfpretune.data.readers.folders.kinds import FILES
from tfpretune.data.readers.folders.walking import walk
from tfpretune.data.readers.records import Problem, find_files
from tfpretune.data.readers.source_form import DEFAULT_TEXT, SourceForm
from tfpretune.data.readers.tag_form import TagForm
from tfpretune.data.sources.naming import full_name
from tfpretune.data.sources.questions import read_questions
from tfpretune.data.sources.schemes import read_rows
from tfpretune.data.sources.tagged import read_tagged
from tfpretune.errors import UsageError
from tfpretune.serving.asking.models import Model, require_form
from tfpretune.serving.asking.pieces import STDIN, Piece, pieces
from tfpretune.serving.loading import WORDS

QUESTIONS = ("questions", "contexts")
_LINE = re.compile(r":(\d+)(?::\d+)?$")
_FOLDERS = {"images": "image", "text": "text"}


class Row(NamedTuple):
    """What one answer is asked for.

    Args:
        where: file and line, or the path of an image: says which row of the source it is.
        value: a tuple of texts, paths or arrays; or a list of words; None where there is none.
        error: what is wrong with the row; "" where nothing is.
        kept: columns of the source that go beside the answer.
    """

    where: str
    value: Any
    error: str = ""
    kept: dict[str, str | None] = {}


@dataclasses.dataclass(frozen=True)
class SentForm:
    """How a source becomes what a model takes.

    Args:
        source: as `open_examples` takes it, or a tagged source or one of questions; `csv:-`, `jsonl:-`, `text:-` and `conll:-`
            read standard input.
        form: which columns are read. Labels are not.
        keep: columns that go beside the answers.
        words: the rows are words: of texts those between white space.
        word_column: of conll, number of the words' column.
    """

    source: str
    form: SourceForm = SourceForm()
    keep: tuple[str, ...] = ()
    words: bool = False
    word_column: int = 0


def rows_of(sent: SentForm, model: Model) -> Iterator[Row]:
    """Yields the rows of a source for a model, in the order of the source.

    Raises:
        UsageError: there is no such source, or the model takes another kind of input.
    """
    sent = dataclasses.replace(
        sent, source=full_name(sent.source, json="squad" if model.names == QUESTIONS else "jsonl")
    )
    scheme, _, rest = sent.source.partition(":")
    words = sent.words or takes_words(sent, model)
    require_form(model, words=words)
    if words:
        return _word_rows(sent, scheme, rest)
    if model.names == QUESTIONS and scheme in ("squad", "demo"):
        return _question_rows(sent.source, sent.form.encoding)
    if scheme in _FOLDERS and os.path.isdir(os.path.expanduser(rest)):
        if (_FOLDERS[scheme] == "image") != model.of_files:
            raise UsageError(f"{sent.source}: the model takes {' and '.join(model.names)}")
        return _folder_rows(os.path.expanduser(rest), _FOLDERS[scheme])
    return _example_rows(sent, scheme, rest, _form_for(sent, model), files=model.of_files)


def input_rows(inputs: Sequence[str], model: Model, *, words: bool = False) -> Iterator[Row]:
    """Yields inputs as rows: texts, several an answer where the model takes several; paths of images; or words with blanks."""
    require_form(model, words=words)
    size = 1 if words else len(model.names)
    if len(inputs) % size:
        raise UsageError(f"the model takes {' and '.join(model.names)}: give {size} inputs for each answer")
    for start in range(0, len(inputs), size):
        given = tuple(inputs[start : start + size])
        where = given[0] if model.of_files else f"input:{start // size + 1}"
        yield Row(where, given[0].split() if words else given)


def takes_words(sent: SentForm, model: Model) -> bool:
    """Returns whether a source holds words for a tagger: a tagged source, or objects of a tagger that takes nothing else."""
    scheme, _, rest = sent.source.partition(":")
    tagged = scheme == "conll" or rest == "people-daily-ner"
    return tagged or (scheme in ("jsonl", "parquet") and WORDS in model.names)


def _form_for(sent: SentForm, model: Model) -> SourceForm:
    form, asked = _unlabelled(sent), model.names == QUESTIONS
    if len(model.names) == 1 and form.pair_column:
        raise UsageError(f"the model takes {model.names[0]} alone, and `pair_column` names a second text")
    if asked and form.text_column == DEFAULT_TEXT:
        form = dataclasses.replace(form, text_column="question")
    if len(model.names) > 1 and not form.pair_column:
        form = dataclasses.replace(form, pair_column="context" if asked else "text_pair")
    return form


def _unlabelled(sent: SentForm) -> SourceForm:
    return dataclasses.replace(sent.form, label_column="", more_labels=sent.keep, label_kind="")


def _example_rows(sent: SentForm, scheme: str, rest: str, form: SourceForm, *, files: bool) -> Iterator[Row]:
    said: set[str] = set()
    if scheme == "demo" or not _of_files(scheme, rest):  # its own pairs need no column
        form = dataclasses.replace(form, pair_column="") if scheme == "demo" else form
        yield from _rows_read(sent.source, form, None, files=files, said=said)
        return
    whole = files or form.encoding.lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32"))
    for piece in _pieces(scheme, rest, whole=whole):
        yield from _rows_read(f"{scheme}:{piece.path}", form, piece, files=files, said=said)


def _rows_read(spec: str, form: SourceForm, piece: Piece | None, *, files: bool, said: set[str]) -> Iterator[Row]:
    found = read_rows(spec, form)
    if files != (found.kind == "image") and len(found.inputs):
        what = "image files" if files else "texts"
        raise UsageError(f"{spec}: the model takes {what}, and the source has {found.kind}s")
    for note in found.notes:
        note = note.replace(piece.path, piece.source) if piece else note
        if note not in said:
            said.add(note)
            print(f"note: {note}", file=sys.stderr)
    seconds: Sequence[str | None] = found.seconds or [None] * len(found.inputs)
    rows = [
        Row(where, (first,) if second is None else (first, second))
        for first, second, where in zip(found.inputs, seconds, found.where, strict=True)
    ]
    if found.more_labels:
        kept = zip(*found.more_labels.values(), strict=True)
        columns = [dict(zip(found.more_labels, values, strict=True)) for values in kept]
        rows = [row._replace(kept=one) for row, one in zip(rows, columns, strict=True)]
    return _in_order(rows, found.problems, piece)


def _in_order(rows: Iterable[Row], problems: Sequence[Problem], piece: Piece | None) -> Iterator[Row]:
    """Puts the bad rows where they stand among the good ones, and names the lines of the whole file."""
    found = [*rows, *(Row(problem.where, None, f"{problem.what}; {problem.todo}") for problem in problems)]
    if piece is None:
        yield from found
        return
    for row in sorted(found, key=lambda row: int(_LINE.search(row.where)[1]) if _LINE.search(row.where) else 0):  # type: ignore[index]
        line = _LINE.search(row.where)
        place = f"{piece.source}:{piece.line_of(int(line[1]))}" if line else piece.source
        yield row._replace(where=place if row.where.startswith(piece.path) else row.where)


def _of_files(scheme: str, rest: str) -> bool:
    return scheme not in ("demo", "tfds", "images") and not os.path.isdir(os.path.expanduser(rest)) and bool(rest)


def _pieces(scheme: str, rest: str, *, whole: bool = False) -> Iterator[Piece]:
    for path in [STDIN] if rest == STDIN else find_files(rest, scheme):
        yield from pieces(path, scheme, whole=whole)


def _folder_rows(folder: str, kind: str) -> Iterator[Row]:
    """Yields the files of a folder, whatever folders they lie in."""
    found, files = walk(folder), FILES[kind]
    for problem in found.problems:
        yield Row(problem.where, None, f"{problem.what}; {problem.todo}")
    for path in found.files:
        suffix = os.path.splitext(path)[1].lower()
        if suffix in files.unreadable:
            known = " ".join(files.suffixes)
            yield Row(path, None, f"{suffix} {files.scheme} are not read; convert it to one of {known}")
        elif suffix in files.suffixes and kind == "image":
            yield Row(path, (path,))
        elif suffix in files.suffixes:
            yield from _document(path)


def _document(path: str) -> Iterator[Row]:
    from tfpretune.data.readers.records import Records, read_utf8

    rows = Records("text")
    text, problems = read_utf8(path)
    rows.problems += problems[:1]
    if not problems:
        rows.add_text(text, None, path)
    yield from (Row(path, (text,)) for text in rows.inputs)
    yield from (Row(path, None, f"{problem.what}; {problem.todo}") for problem in rows.problems)


def _question_rows(spec: str, encoding: str) -> Iterator[Row]:
    found = read_questions(spec, encoding=encoding, answers=False)
    asked = zip(found.questions, found.contexts, found.where, strict=True)
    yield from _in_order((Row(where, (one, context)) for one, context, where in asked), found.problems, None)


def _word_rows(sent: SentForm, scheme: str, rest: str) -> Iterator[Row]:
    if scheme in ("conll", "jsonl", "parquet"):
        for piece in _pieces(scheme, rest):
            yield from _words_read(f"{scheme}:{piece.path}", sent, piece)
    elif scheme == "demo" and rest == "people-daily-ner":
        yield from _words_read(sent.source, sent, None)
    elif not sent.words:
        raise UsageError(f"{sent.source}: the tagger takes words: give conll:FILES, or jsonl:FILES with lists of words")
    else:
        for row in _example_rows(sent, scheme, rest, _unlabelled(sent), files=False):
            yield row if row.value is None else row._replace(value=row.value[0].split())


def _words_read(spec: str, sent: SentForm, piece: Piece | None) -> Iterator[Row]:
    if sent.keep:
        raise UsageError(f"{spec}: no columns can be kept beside tags of words")
    found = read_tagged(spec, TagForm(sent.word_column, None, tags_key="", encoding=sent.form.encoding))
    lines = {int(line[1]) for problem in found.problems if (line := _LINE.search(problem.where))}
    rows = [
        Row(where, list(words))
        for words, where, places in zip(found.words, found.where, found.word_where, strict=True)
        if not lines or not _touched(places, lines)
    ]
    yield from _in_order(rows, found.problems, piece)


def _touched(places: Sequence[str], lines: set[int]) -> bool:
    """Returns whether a bad line stands in a sentence or right beside it: then the sentence lacks a word."""
    first, last = (int(_LINE.search(place)[1]) for place in (places[0], places[-1]))  # type: ignore[index]
    return any(first - 1 <= line <= last + 1 for line in lines)
