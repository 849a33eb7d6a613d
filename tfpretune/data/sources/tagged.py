"""open_tagged: tagged sentences from CoNLL files, JSON lines and demos. Imports no TensorFlow."""

from collections.abc import Sequence

import numpy as np

from tfpretune.data.demo.catalogue import read_demo
from tfpretune.data.examples.tagged import TaggedExamples, order_tags
from tfpretune.data.readers.conll import read_conll
from tfpretune.data.readers.folders.splits import split_files_note
from tfpretune.data.readers.records import Problem, Records, find_files
from tfpretune.data.readers.tables.objects import read_objects
from tfpretune.data.readers.tables.parquet import features_of, names_of, open_parquet, parquet_rows
from tfpretune.data.readers.tables.tagged import add_sentences
from tfpretune.data.readers.tag_form import USUAL_TAGS, TagForm
from tfpretune.data.readers.tag_schemes import (
    OUTSIDE,
    Scheme,
    described,
    faults,
    find_scheme,
    to_bio,
    twins,
    unreadable,
)
from tfpretune.data.readers.tagged_records import TaggedRecords
from tfpretune.data.sources.naming import full_name
from tfpretune.data.sources.schemes import parquet_files
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.phases import phase
from tfpretune.runtime.telling import tell

IOB1 = "correct it, or let it be B- (`repair`)"
NO_TAGS = ("", "nan", "none", "null")


@phase("reading the sentences")
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
    encoding: str = "",
) -> TaggedExamples:
    """Opens a source of tagged sentences and checks all of it.

    Args:
        spec: one of
            `conll:GLOB`, one word and its tag a line, an empty line between sentences (CoNLL-2003, or two columns; "-DOCSTART-"
            lines and comments, "# …" before a sentence, are skipped);
            `jsonl:GLOB` or `parquet:GLOB`, rows with a list of words and one of tags (names, or indices into `tag_names`, which
            Parquet files of Hugging Face's `datasets` hold);
            `demo:people-daily-ner`.
        word_column: as for `TagForm`.
        tag_column: as for `TagForm`.
        words_key: as for `TagForm`.
        tags_key: as for `TagForm`.
        tag_names: as for `TagForm`.
        repair: as for `TagForm`.
        joiner: as for `TagForm`.
        encoding: as for `TagForm`.

    Returns:
        The sentences, their tags in BIO where they are tags of entities.

    Raises:
        UsageError: there is no such source.
        RunError: at the first bad place in it; `tfpretune check SPEC` names them all.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import open_tagged
        >>> _ = Path("names.conll").write_text('''Ada B-PER
        ... sleeps O
        ...
        ... Paris B-LOC
        ... too O''')
        >>> examples = open_tagged("conll:names.conll")
        >>> examples.words, examples.tag_names
        ([('Ada', 'sleeps'), ('Paris', 'too')], ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER'))
    """
    form = TagForm(
        word_column=word_column,
        tag_column=tag_column,
        words_key=words_key,
        tags_key=tags_key,
        tag_names=tuple(tag_names),
        repair=repair,
        joiner=joiner,
        encoding=encoding,
    )
    rows = read_tagged(spec, form)
    tags, names = index_tags(rows, form)
    if rows.problems:
        raise RunError(f"{rows.problems[0]}; for all problems run: tfpretune check {spec}")
    if not rows.words:
        raise RunError(f"{spec}: there are no sentences: nothing to learn from")
    for note in rows.notes:
        tell(f"{spec}: {note}")
    return TaggedExamples(
        rows.words, tags, names, rows.where, spec, rows.license, rows.joiner, rows.in_order, tuple(rows.notes)
    )


def read_tagged(spec: str, form: TagForm = USUAL_TAGS) -> TaggedRecords:
    """Reads a source with all its problems; `open_tagged` and the check both start here."""
    scheme, _, rest = full_name(spec, text="conll").partition(":")
    if scheme == "demo" and rest:
        found: TaggedRecords = read_demo(rest, kind="tagged")
        return found
    rows = TaggedRecords(joiner=form.joiner)
    if scheme == "conll" and rest:
        paths = find_files(rest, scheme)
        comments = sum(read_conll(rows, path, form) for path in paths)
        rows.notes += [f"{comments:,} comment lines (#) are left out"] if comments else []
    elif scheme in ("json", "jsonl") and rest:
        paths = find_files(rest, scheme)
        lines = Records("text")  # notes what is no JSON
        add_sentences(rows, read_objects(lines, paths, form.words_key, encoding=form.encoding), form)
        rows.problems = [*lines.problems, *rows.problems]
    elif scheme == "parquet" and rest:
        paths = parquet_files(rest)
        for path in paths:
            if (file := open_parquet(rows, path)) is not None:
                features = features_of(file)
                names = {column: names_of(features, column) for column in features}
                add_sentences(rows, parquet_rows(file, path), form, names)
    else:
        raise UsageError(
            f"{spec!r} is not a tagged source: expected conll:FILES, jsonl:FILES, parquet:FILES or demo:people-daily-ner"
        )
    rows.notes += split_files_note(paths, scheme)
    return rows


def index_tags(rows: TaggedRecords, form: TagForm = USUAL_TAGS) -> tuple[list[np.ndarray] | None, tuple[str, ...]]:
    """Turns tags into indices, tags of entities into BIO. Missing, unknown and impossible ones are added to `rows.problems`.

    Returns:
        int32 `(words,)` a sentence and the tag names, or (None, ()) when no sentence has tags.
    """
    tag_names, repair = form.tag_names, form.repair
    sentences = [tags or [] for tags in rows.tags]
    found = {tag for tags in sentences for tag in tags}
    if not found:
        return None, ()
    for tags, where in zip(rows.tags, rows.where, strict=True):
        if tags is None:
            rows.problems.append(Problem(where, "the tags are missing", "give each sentence tags, as the others have"))
    scheme = find_scheme(sentences, tag_names)
    rows.notes += described(scheme)
    for tags, places in zip(sentences, rows.word_where, strict=True):
        rows.problems += _faults(tags, places, tag_names, scheme, repair=repair)
    names = order_tags(found)
    if scheme.entities:
        rows.problems += [] if tag_names else _twin_types(rows, scheme)
        if repair or rows.problems or not scheme.plain:
            sentences = [to_bio(tags, scheme) for tags in sentences]
        found = {tag for tags in sentences for tag in tags}
        names = order_tags({OUTSIDE, *(f"B-{kind}" for kind in scheme.kinds)})
    if tag_names and scheme.plain:
        names = (*tag_names, *sorted(found - set(tag_names)))
    if len(names) < 2:
        rows.problems.append(Problem(rows.where[0], f"all tags are {names[0]!r}", "give words with other tags, too"))
    index = {name: number for number, name in enumerate(names)}
    return [np.array([index[tag] for tag in tags], np.int32) for tags in sentences], names


def _faults(
    tags: Sequence[str], where: Sequence[str], names: Sequence[str], scheme: Scheme, *, repair: bool
) -> list[Problem]:
    problems: list[Problem] = []
    if set(tags) <= {OUTSIDE} & {*names, *scheme.parsed}:
        return problems
    for tag, place in zip(tags, where, strict=True):
        if names and tag not in names:
            shown = f"{', '.join(names[:12])}{', …' if len(names) > 12 else ''}"
            problems.append(Problem(place, f"the tag {tag!r} is unknown", f"expected one of {shown}"))
        elif scheme.entities and tag not in scheme.parsed:
            problems.append(
                Problem(place, unreadable(tag, scheme), f"correct it: expected tags such as {scheme.sample}")
            )
        elif not scheme.entities and tag.casefold() in NO_TAGS:
            problems.append(Problem(place, f"the tag {tag!r} looks like a missing one", "give the word a tag"))
    if not scheme.entities or repair:
        return problems
    todo = IOB1 if scheme.letters <= {"B", "I"} else "correct it, or read it as it can be (`repair`)"
    return problems + [Problem(where[place], what, todo) for place, what in faults(tags, scheme)]


def _twin_types(rows: TaggedRecords, scheme: Scheme) -> list[Problem]:
    """Names the types of entities that stand there in more than one spelling, at the first place of the later one."""
    first: dict[str, str] = {}
    for tags, where in zip(rows.tags, rows.word_where, strict=True):
        for tag, place in zip(tags or (), where, strict=True):
            if tag != OUTSIDE:
                first.setdefault(scheme.parsed.get(tag, ("", ""))[1], place)
    first.pop("", None)
    return [
        Problem(first[kind], f"the type {kind!r} and the {other!r} of {first[other]} look like one", "write both alike")
        for kind, other in twins(first).items()
    ]
