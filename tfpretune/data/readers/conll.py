"""CoNLL files: one word and its tag a line, an empty line between sentences. Imports no TensorFlow."""

import collections
import re
from collections.abc import Callable, Iterator, Sequence

from tfpretune.data.readers.records import Problem, lines_of, read_utf8
from tfpretune.data.readers.tag_form import TagForm
from tfpretune.data.readers.tagged_records import TaggedRecords
from tfpretune.errors import UsageError

TODO = "write a word and its tag a line, with tabs between columns where words hold spaces, and an empty line between sentences"
_ENTITY_TAG = re.compile("[oO]|[BIESLUMWbieslumw][-_].+")
_NO_WORD = re.compile("[0-9]+[-.][0-9]+")

Fields = Callable[[str], list[str]]


def read_conll(rows: TaggedRecords, path: str, form: TagForm) -> int:
    """Adds the sentences of a file to rows, and its bad lines to their problems.

    Columns are separated by tabs if most lines have one and tabs and blanks do not give all the same number of columns;
    otherwise by tabs and blanks. A line before a sentence that begins with "#" is a comment, unless it has the columns and a
    tag of a word.

    Args:
        rows: what is added to.
        path: of the file.
        form: the columns of words and tags, the encoding.

    Returns:
        The number of comment lines.

    Raises:
        UsageError: words and tags are to be read from one column.
    """
    word_column, tag_column = form.word_column, form.tag_column
    text, problems = read_utf8(path, form.encoding)
    rows.problems += problems
    lines = [line.rstrip(" \t\r") for line in lines_of(text)]
    words = [line for line, sure in _marked(lines) if sure]
    fields = _fields(words or lines)
    widths = collections.Counter(len(fields(line)) for line in words)
    if by_tabs_too(words):
        todo = "separate all columns by tabs, or all by blanks"
        rows.problems.append(Problem(path, "the columns can be cut in two ways, at tabs alone or at blanks, too", todo))
    width = widths.most_common(1)[0][0] if widths else 0
    columns = [word_column] if tag_column is None else [word_column, tag_column]
    least = max(len(columns), *(max(column + 1, -column) for column in columns))
    if tag_column is not None and width >= least and word_column % width == tag_column % width:
        raise UsageError(
            f"{path}: words in column {word_column} and tags in column {tag_column} are one column of {width}: "
            "name two columns, from 0, or from the end where negative"
        )
    cut = [fields(line) for line in words] if width >= least else []
    tags = {_tag_in(found, tag_column) for found in cut if len(found) == width}
    sentence: list[tuple[str, str, str]] = []
    comments, counted = 0, False
    for number, line in enumerate([*lines, ""], 1):
        found = fields(line)
        if _is_border(line):
            if sentence:
                counted |= _is_count([word for word, _, _ in sentence])
                texts, own, where = zip(*sentence, strict=True)
                rows.add(texts, None if tag_column is None else own, where)
            sentence = []
        elif line.startswith("#") and not sentence and not _is_word(found, width, tag_column, tags):
            comments += 1
        elif len(found) != width or width < least:
            what = f"the line has {len(found)} columns, expected {max(width, least)}"
            rows.problems.append(Problem(f"{path}:{number}", what, TODO))
        elif not (width == 10 and _NO_WORD.fullmatch(found[0])):  # CoNLL-U's "1-2" spans words, "1.1" is none
            sentence.append((found[word_column], _tag_in(found, tag_column), f"{path}:{number}"))
    if counted:
        todo = "name the columns: in CoNLL-U `word_column` 1 `tag_column` 3"
        rows.problems.append(Problem(path, f"column {word_column} counts the words: it does not hold them", todo))
    return comments


def _marked(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yields the lines of sentences, and whether each is a word for sure: a "#" at the start of a sentence is not."""
    inside = False
    for line in lines:
        if _is_border(line):
            inside = False
            continue
        inside |= not line.startswith("#")
        yield line, inside


def _is_border(line: str) -> bool:
    return not line.strip() or line.startswith("-DOCSTART-")


def _tag_in(fields: Sequence[str], tag_column: int | None) -> str:
    return "" if tag_column is None else fields[tag_column]


def _is_word(fields: Sequence[str], width: int, tag_column: int | None, tags: set[str]) -> bool:
    if tag_column is None:
        return len(fields) == width == 1
    if len(fields) != width or not -width <= tag_column < width:
        return False
    tag = fields[tag_column]
    entity = _ENTITY_TAG.fullmatch(tag) is not None
    return tag in tags or (entity and (not tags or any(tag[1:] == each[1:] or tag in "oO" for each in tags)))


def _is_count(words: Sequence[str]) -> bool:
    return len(words) > 2 and list(words) == [str(number) for number in range(1, len(words) + 1)]


def by_tabs_too(lines: Sequence[str]) -> bool:
    """Returns whether tabs alone, and tabs and blanks, both cut all lines into the same number of columns, but not into one."""
    cut = [{len(split(line)) for line in lines} for split in (_by_tabs, _by_blanks)]
    return all(len(widths) == 1 for widths in cut) and cut[0] != cut[1] and cut[0] != {1}


def _fields(lines: Sequence[str]) -> Fields:
    """Returns how a line is cut into columns."""
    by_blanks = len({len(_by_blanks(line)) for line in lines}) == 1
    tabs = sum("\t" in line for line in lines)
    return _by_tabs if not by_blanks and 2 * tabs > len(lines) else _by_blanks


def _by_tabs(line: str) -> list[str]:
    return [field.strip(" ") for field in line.split("\t")]


def _by_blanks(line: str) -> list[str]:
    """Cuts at tabs and blanks alone: a no-break space belongs to its word."""
    return re.split("[ \t]+", line.strip(" \t"))
