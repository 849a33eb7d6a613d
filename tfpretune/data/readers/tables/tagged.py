"""Rows with a list of words and a list of their tags, from JSON and Parquet. Imports no TensorFlow."""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfpretune.data.readers.records import Problem
from tfpretune.data.readers.tables.rows import value_or_none
from tfpretune.data.readers.tag_form import USUAL_TAGS, TagForm
from tfpretune.data.readers.tagged_records import TaggedRecords

_LOOKED_AT = 100
_INSTEAD = {"words_key": ("words",), "tags_key": ("ner_tags",)}
"""Field of `TagForm` -> columns that are taken, and said, where its default is not there."""


def add_sentences(
    rows: TaggedRecords,
    objects: Iterable[tuple[str, Mapping[str, Any]]],
    form: TagForm,
    names: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Adds a sentence for each (place, row), or notes what is wrong with it.

    Args:
        rows: what is added to.
        objects: of one file or several; the first say which columns there are.
        form: where words and tags are.
        names: of tags that are numbers, by column, where the file notes them.
    """
    objects = iter(objects)
    first = list(itertools.islice(objects, _LOOKED_AT))
    form = _found(rows, first, form)
    tag_names = form.tag_names or (names or {}).get(form.tags_key, ())
    others: dict[str, str] = {}
    tagged, numbered = not form.tags_key, ""
    for where, record in itertools.chain(first, objects):
        words = value_or_none(record, form.words_key)
        tags = value_or_none(record, form.tags_key) if form.tags_key else None
        tagged |= tags is not None
        if fault := _fault(words, tags, form):
            rows.problems.append(Problem(where, *fault))
            continue
        for key, value in record.items():
            if key != form.words_key and isinstance(value, list) and len(value) == len(words):
                others.setdefault(key, where)
        if not tag_names and not numbered and any(isinstance(tag, int) for tag in tags or ()):
            numbered = where
        named = None if tags is None else [_tag_name(tag, tag_names) for tag in tags]
        rows.add(words, named, [where] * len(words))
    if numbered:
        what = f"the tags under {form.tags_key!r} are numbers, and their names are nowhere"
        todo = "give the names in the order of the numbers: `tag_names` O B-PER I-PER …"
        rows.problems.insert(0, Problem(numbered, what, todo))
    if others and not tagged:
        what = f"no object has the key {form.tags_key!r}, and there are lists of one value per word under: {', '.join(others)}"
        todo = f"name the one with the tags: `tags_key` {next(iter(others))}"
        rows.problems.append(Problem(next(iter(others.values())), what, todo))


def _found(rows: TaggedRecords, first: Sequence[tuple[str, Mapping[str, Any]]], form: TagForm) -> TagForm:
    """Returns the form with the columns that rows have instead of the default ones."""
    keys, taken = {key for _, record in first for key in record}, dict[str, Any]()
    for field, instead in _INSTEAD.items():
        asked = getattr(form, field)
        there = [key for key in instead if key in keys]
        if asked == getattr(USUAL_TAGS, field) and asked not in keys and there:
            note = f"the {field.partition('_')[0]} are under {there[0]!r} (`{field}` names another key)"
            rows.notes += [] if note in rows.notes else [note]
            taken[field] = there[0]
    return dataclasses.replace(form, **taken)


def _fault(words: Any, tags: Any, form: TagForm) -> tuple[str, str] | None:
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        return (
            f"no list of words under {form.words_key!r}",
            "give each sentence its words, or name another key: `words_key`",
        )
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str | int) for tag in tags)):
        return f"no list of tags under {form.tags_key!r}", "give each word a tag"
    if tags is not None and len(tags) != len(words):
        shown = json.dumps(words, ensure_ascii=False)[:60]
        return f"{len(words)} words and {len(tags)} tags: {shown}", "give each word one tag"
    return None


def _tag_name(tag: str | int, tag_names: Sequence[str]) -> str:
    inside = isinstance(tag, int) and 0 <= tag < len(tag_names)
    return tag_names[tag] if inside else str(tag)  # type: ignore[index]
