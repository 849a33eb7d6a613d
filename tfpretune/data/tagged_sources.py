"""open_tagged: tagged sentences from CoNLL files, JSON lines and demos. Imports no TensorFlow."""

import json
from collections.abc import Sequence

import numpy as np

from tfpretune.config import RunError, UsageError
from tfpretune.data.demo import read_demo
from tfpretune.data.rows import Problem, Rows, find_files, read_utf8
from tfpretune.data.tables import read_objects
from tfpretune.data.tagged import OUTSIDE, TaggedExamples, is_bio, order_tags, repaired, tag_fault
from tfpretune.data.tagged_rows import TaggedRows

IOB1 = "correct it, or let it be B- (repair): files in IOB1, as CoNLL-2003's, mean it so"


def open_tagged(
    spec: str,
    *,
    word_column: int = 0,
    tag_column: int = -1,
    words_key: str = "tokens",
    tags_key: str = "tags",
    tag_names: Sequence[str] = (),
    repair: bool = False,
    joiner: str = " ",
) -> TaggedExamples:
    """Opens a source of tagged sentences and checks all of it.

    Args:
        spec: one of
            `conll:GLOB`, one word and its tag a line, an empty line between sentences (CoNLL-2003, or two columns; "-DOCSTART-"
            lines are skipped);
            `jsonl:GLOB`, one object a line with a list of words and one of tags (names, or indices into `tag_names`);
            `demo:people-daily-ner`.
        word_column: number of the column with the word, from 0; from the end where negative (conll).
        tag_column: the same for the tag.
        words_key: the key of the words (jsonl).
        tags_key: the key of the tags (jsonl); "" reads none.
        tag_names: the tags that are allowed, in the order of their indices. Without it those that are found: O, B-LOC, I-LOC, …
        repair: let an I-X that cannot follow be B-X, which also reads IOB1 files. Without it such a tag is an error.
        joiner: what stands between words in running text: "" for files with one Chinese character a line.

    Raises:
        UsageError: there is no such source.
        RunError: at the first bad place in it; `tfpretune check SPEC` names them all.
    """
    rows = read_tagged(
        spec,
        word_column=word_column,
        tag_column=tag_column,
        words_key=words_key,
        tags_key=tags_key,
        tag_names=tag_names,
        joiner=joiner,
    )
    tags, names = index_tags(rows, tag_names, repair=repair)
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}")
    if not rows.words:
        raise RunError(f"{spec}: there are no sentences: nothing to learn from")
    return TaggedExamples(rows.words, tags, names, rows.where, spec, rows.licence, rows.joiner, rows.in_order)


def read_tagged(
    spec: str,
    *,
    word_column: int = 0,
    tag_column: int = -1,
    words_key: str = "tokens",
    tags_key: str = "tags",
    tag_names: Sequence[str] = (),
    joiner: str = " ",
) -> TaggedRows:
    """Reads a source with all its problems; `open_tagged` and the check both start here."""
    scheme, _, rest = spec.partition(":")
    if scheme == "demo" and rest:
        found: TaggedRows = read_demo(rest, kind="tagged")
        return found
    rows = TaggedRows(joiner=joiner)
    if scheme == "conll" and rest:
        for path in find_files(rest, scheme):
            _read_conll(rows, path, word_column, tag_column)
    elif scheme == "jsonl" and rest:
        _read_objects(rows, find_files(rest, scheme), words_key, tags_key, tag_names)
    else:
        raise UsageError(f"{spec!r} is no tagged source: expected conll:FILES, jsonl:FILES or demo:people-daily-ner")
    return rows


def index_tags(
    rows: TaggedRows, tag_names: Sequence[str] = (), *, repair: bool = False
) -> tuple[list[np.ndarray] | None, tuple[str, ...]]:
    """Turns tags into indices. Missing, unknown and impossible ones are added to `rows.problems` and get the index 0.

    Returns:
        int32 `(words,)` a sentence and the tag names, or (None, ()) when no sentence has tags.
    """
    found = {tag for tags in rows.tags for tag in tags or ()}
    if not found:
        return None, ()
    names = tuple(tag_names) or order_tags(found)
    bio = is_bio(names)
    index = {name: number for number, name in enumerate(names)}
    indexed = []
    for tags, where, word_where in zip(rows.tags, rows.where, rows.word_where, strict=True):
        if tags is None:
            rows.problems.append(Problem(where, "the tags are missing", "give each sentence tags, as the others have"))
        tags = repaired(tags or ()) if bio and repair else tags or []
        rows.problems += _faults(tags, word_where, names, bio)
        indexed.append(np.array([index.get(tag, 0) for tag in tags], np.int32))
    return indexed, names


def _faults(tags: Sequence[str], where: Sequence[str], names: Sequence[str], bio: bool) -> list[Problem]:
    problems: list[Problem] = []
    before = OUTSIDE
    if set(tags) <= {OUTSIDE} & set(names):
        return problems
    for tag, place in zip(tags, where, strict=True):
        if tag not in names:
            shown = f"{', '.join(names[:12])}{', …' if len(names) > 12 else ''}"
            problems.append(Problem(place, f"the tag {tag!r} is unknown", f"expected one of {shown}"))
        elif bio and (fault := tag_fault(tag, before)):
            problems.append(Problem(place, fault, IOB1))
        before = tag
    return problems


def _read_conll(rows: TaggedRows, path: str, word_column: int, tag_column: int) -> None:
    text, problems = read_utf8(path)
    rows.problems += problems
    sentence: list[tuple[str, str, str]] = []
    width = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        fields = line.split()
        if not fields or fields[0] == "-DOCSTART-":
            if sentence:
                rows.add(*zip(*sentence, strict=True))
            sentence = []
            continue
        where = f"{path}:{number}"
        width = width or len(fields)
        least = max(word_column + 1, -word_column, tag_column + 1, -tag_column, 2)
        if len(fields) != width or width < least:
            what = f"the line has {len(fields)} columns, expected {max(width, least)}"
            rows.problems.append(
                Problem(where, what, "write a word and its tag a line, and an empty line between sentences")
            )
            continue
        sentence.append((fields[word_column], fields[tag_column], where))


def _read_objects(
    rows: TaggedRows, paths: Sequence[str], words_key: str, tags_key: str, tag_names: Sequence[str]
) -> None:
    lines = Rows("text")  # notes what is no JSON
    for where, record in read_objects(lines, paths, words_key):
        words, tags = record.get(words_key), record.get(tags_key) if tags_key else None
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            lines.problems.append(
                Problem(where, f"no list of words under {words_key!r}", "give each sentence its words")
            )
            continue
        if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str | int) for tag in tags)):
            lines.problems.append(Problem(where, f"no list of tags under {tags_key!r}", "give each word a tag"))
            continue
        if tags is not None and len(tags) != len(words):
            what = f"{len(words)} words and {len(tags)} tags: {json.dumps(words, ensure_ascii=False)[:60]}"
            lines.problems.append(Problem(where, what, "give each word one tag"))
            continue
        rows.add(words, None if tags is None else [_tag_name(tag, tag_names) for tag in tags], [where] * len(words))
    rows.problems += lines.problems


def _tag_name(tag: str | int, tag_names: Sequence[str]) -> str:
    inside = isinstance(tag, int) and 0 <= tag < len(tag_names)
    return tag_names[tag] if inside else str(tag)  # type: ignore[index]
