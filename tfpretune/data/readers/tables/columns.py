"""Which columns of a table are read: those that are asked for, or the one that can be meant. Imports no TensorFlow."""

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfpretune.data.readers.records import Records
from tfpretune.data.readers.source_form import DEFAULT_LABEL, DEFAULT_SPLIT, DEFAULT_TEXT, SourceForm
from tfpretune.errors import UsageError

TEXT_NAMES = frozenset(
    (
        "text",
        "texts",
        "sentence",
        "review",
        "reviews",
        "review_text",
        "reviewtext",
        "content",
        "body",
        "comment",
        "document",
    )
    + ("tweet", "message", "utterance", "文本", "内容", "正文", "评论", "句子")
)
"""Names in small letters of columns that can only be the text, where one of them alone is there."""
LABEL_NAMES = frozenset(
    ("label", "labels", "category", "class", "target", "sentiment", "topic", "intent", "标签", "类别", "分类")
)
"""The same for the label."""
LIKELY = {
    "text_column": ("title", "description", "headline", "question", "article", "summary", "query", "phrase")
    + ("sentence1", "premise", "question1", "text1", "text_a"),
    "label_column": ("stars", "rating", "score", "genre", "tag", "tags", "type", "answer", "y", "polarity", "emotion"),
    "pair_column": ("sentence2", "hypothesis", "question2", "text2", "text_b", "pair"),
    "image_column": ("image", "path", "file", "filename", "file_name", "image_path", "img", "url"),
}
"""Field of `SourceForm` -> names that are guessed where another one is asked for in vain."""
MOST_NAMES = 20
"""So many columns are listed."""

Find = Callable[[str], bool]
"""Whether there is a column of this name."""


def resolve(
    rows: Records, names: Sequence[str], form: SourceForm, *, where: str, has: Find | None = None
) -> SourceForm:
    """Returns the form with the columns that a table has: a default that is not there gives way to the one that can be meant.

    Args:
        rows: what was taken without having been asked for is noted there, once.
        names: the columns, or the keys of the first objects.
        form: what is asked for.
        where: the place of the names, for messages.
        has: whether there is a column; among `names` where it is not given.

    Raises:
        UsageError: a column that is asked for is not there, or a default is not there and none or several could be meant.
    """
    form = _with_sides(names, form, where, has)
    form = _with_label(rows, names, _with_text(rows, names, dataclasses.replace(form, **rows.taken), has), where, has)
    texts = () if form.image_column else form.text_columns
    needed = [("text_column", name) for name in texts]
    needed += [("image_column", form.image_column), ("pair_column", form.pair_column)]
    needed += [
        ("label_column", name)
        for name in (*form.needed_labels, form.label_column if form.label_column in names else "")
    ]
    for field, name in needed:
        if name:
            require(names, name, field, where, has)
    if form.label_column and (has or names.__contains__)(form.label_column):
        rows.label_column = form.label_column
    return form


def require(names: Sequence[str], name: str, field: str, where: str, there: Find | None = None) -> None:
    """Raises UsageError unless a column is there, once: lists the columns and guesses."""
    doubled = there is None and names.count(name) > 1
    if not doubled and (there or names.__contains__)(name):
        return
    what = (
        "more than one column named" if doubled else ("no column named" if there is None else "no object has the key")
    )
    shown = ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")
    has = f"the {'header has' if there is None else 'keys are'}: {shown or 'none'}"
    alone = ", and what separates the columns with `delimiter`" if there is None and len(names) == 1 else ""
    raise UsageError(f"{where}: {what} {name!r}, {has}; {near(names, name, field)}name one with `{field}`{alone}")


def near(names: Sequence[str], name: str, field: str) -> str:
    """Returns "did you mean 'Review'? " for the column that is most likely meant."""
    free = [each for each in names if each != name]
    folded = {each.casefold(): each for each in reversed(free)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    usual = {*LIKELY.get(field, ()), *{"text_column": TEXT_NAMES, "label_column": LABEL_NAMES}.get(field, ())}
    guesses = [folded[key] for key in found] or [each for each in free if _plain(each) in usual]
    return f"did you mean {guesses[0]!r}? " if guesses else ""


def value_at(record: Mapping[str, Any], name: str) -> Any:
    """Returns a value by its key, or by a way of keys and numbers in lists: "data.body", "answers.0.text".

    Raises:
        KeyError: there is none.
    """
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise KeyError(name)
    return value


def value_or_none(record: Mapping[str, Any], name: str) -> Any:
    """Returns what is under a name, None where nothing is."""
    try:
        return value_at(record, name)
    except KeyError:
        return None


def has_value(record: Mapping[str, Any], name: str) -> bool:
    """Returns whether `value_at` finds something."""
    try:
        value_at(record, name)
    except KeyError:
        return False
    return True


def unlabelled_note(where: str, names: Sequence[str], form: SourceForm) -> list[str]:
    """Says where a label was looked for in vain, though there are other columns."""
    used = (*form.text_columns, form.pair_column, form.image_column, *form.more_labels)
    others = [name for name in names if name not in used]
    if not form.label_column or not others:
        return []
    shown = f"{', '.join(others[:10])}{', …' if len(others) > 10 else ''}"
    return [
        f"{where} has no {form.label_column!r}, so no labels; of these one may be named with `label_column`: {shown}"
    ]


def _with_text(rows: Records, names: Sequence[str], form: SourceForm, has: Find | None) -> SourceForm:
    if form.image_column or form.text_column != DEFAULT_TEXT or (has or names.__contains__)(DEFAULT_TEXT):
        return form
    used = (form.label_column, form.pair_column, *form.more_labels)
    found = [name for name in names if _plain(name) in TEXT_NAMES and name not in used]
    if len(found) != 1:
        return form
    rows.taken["text_column"] = found[0]
    rows.notes.append(f"the texts are the column {found[0]!r} (`text_column` names another)")
    return dataclasses.replace(form, text_column=found[0])


def _with_label(rows: Records, names: Sequence[str], form: SourceForm, where: str, has: Find | None) -> SourceForm:
    if form.label_column != DEFAULT_LABEL or form.more_labels or (has or names.__contains__)(DEFAULT_LABEL):
        return form
    used = (*form.text_columns, form.pair_column, form.image_column)
    found = [name for name in names if _plain(name) in LABEL_NAMES and name not in used]
    if len(found) != 1:
        rows.notes += unlabelled_note(where.removesuffix(":1"), names, form)
        return form
    rows.taken["label_column"] = found[0]
    rows.notes.append(f"the labels are the column {found[0]!r} (`label_column` names another)")
    return dataclasses.replace(form, label_column=found[0])


def _with_sides(names: Sequence[str], form: SourceForm, where: str, has: Find | None) -> SourceForm:
    """Returns the form with the columns of splits and groups that are there."""
    split = form.split_column
    if split == DEFAULT_SPLIT and not (has or names.__contains__)(split):
        split = ""
    for field, name in (("split_column", split), ("group_column", form.group_column)):
        if name:
            require(names, name, field, where, has)
    return dataclasses.replace(form, split_column=split)


def _plain(name: str) -> str:
    return name.strip().casefold()
