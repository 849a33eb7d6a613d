"""One pass over all of a source whose form is that of one task: tagged words, questions, images with masks."""

import collections

import numpy as np

from tfpretune.data.checks.copies import copy_notes, shared_notes
from tfpretune.data.checks.images import decode_all
from tfpretune.data.checks.result import CheckResult
from tfpretune.data.checks.splits import shared_contents
from tfpretune.data.checks.tagged import check_tagged
from tfpretune.data.demo.catalogue import DEMOS
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.masks.folders import find_mask_folders
from tfpretune.data.readers.masks.form import USUAL_MASKS, MaskForm
from tfpretune.data.readers.records import Problem
from tfpretune.data.readers.source_form import DEFAULT_TEXT
from tfpretune.data.readers.tables.questions import is_flat
from tfpretune.data.readers.tag_form import USUAL_TAGS, TagForm
from tfpretune.data.sources.first_row import first_row
from tfpretune.data.sources.masks import read_masks
from tfpretune.data.sources.questions import add_spec_problems, read_questions
from tfpretune.data.splits.sides import find_positions
from tfpretune.data.text.cleaning import text_key


def check_task(
    spec: str, *, against: str = "", tags: TagForm = USUAL_TAGS, masks: MaskForm = USUAL_MASKS, encoding: str = ""
) -> CheckResult | None:
    """Checks a source if it can only be of one task.

    Args:
        spec: the source.
        against: a second source of the same form that must share no sentence, context or image with the first.
        tags: how tagged words are read.
        masks: how images with masks are read.
        encoding: of files of text.

    Returns:
        What was found; None for a source of labelled or unlabelled examples.
    """
    task = task_of(spec, encoding)
    if task == "tagged":
        return check_tagged(spec, tags, against=against)
    if task == "questions":
        return check_questions(spec, against=against, encoding=encoding)
    if task == "masks":
        return check_masks(spec, masks, against=against)
    return None


def task_of(spec: str, encoding: str = "") -> str:
    """Returns what a source holds: "tagged" words, "questions", images with "masks", or "labelled" (or unlabelled) examples."""
    scheme, _, rest = spec.partition(":")
    kind = DEMOS[rest].kind if scheme == "demo" and rest in DEMOS else ""
    first = first_row(scheme, rest, encoding) if scheme in ("json", "jsonl", "parquet") else {}
    words = any(isinstance(first.get(key), list) for key in ("tokens", "words")) and DEFAULT_TEXT not in first
    if scheme == "conll" or kind == "tagged" or words:
        return "tagged"
    if scheme == "squad" or kind == "questions" or is_flat(first):
        return "questions"
    return "masks" if kind == "masks" or (scheme == "images" and find_mask_folders(rest)) else "labelled"


def check_questions(spec: str, *, against: str = "", encoding: str = "") -> CheckResult:
    """Goes over all questions; the histogram tells how many have an answer."""
    rows = read_questions(spec, encoding=encoding)
    add_spec_problems(rows, spec)
    problems = list(rows.problems)
    contexts = [text_key(context) for context in rows.contexts]
    notes: list[str] = []
    if against:
        other = read_questions(against, encoding=encoding)
        places = {text_key(context): where for context, where in zip(other.contexts, other.where, strict=True)}
        problems += _shared(contexts, rows.where, places, "context", against)
        notes += shared_notes(rows.contexts, rows.where, other.contexts, other.where, against)
    keys = {(context, text_key(question)) for context, question in zip(contexts, rows.questions, strict=True)}
    copies = find_positions(lambda: contexts, texts=rows.contexts).copies
    notes += copy_notes(copies)
    if rows.contexts:
        lengths = [len(context) for context in rows.contexts]
        notes.append(f"contexts have {int(np.median(lengths)):,} characters in the median, {max(lengths):,} at most")
    else:
        problems.append(Problem(spec, "there are no usable questions", "give another source"))
    answered = sum(map(bool, rows.answers))
    histogram = {"answer": answered, "no answer": len(rows.answers) - answered}
    if answered < len(rows.answers):
        notes.append("a model says that there is no answer where it is trained with `may_lack`")
    return CheckResult(
        spec, tuple(problems), tuple(notes), histogram, _counts(len(rows.questions), len(keys)) | copies.facts()
    )


def check_masks(spec: str, form: MaskForm = USUAL_MASKS, *, against: str = "") -> CheckResult:
    """Goes over all images and masks and decodes both; the histogram counts the images that show each class."""
    rows = read_masks(spec, form)
    problems, notes = list(rows.problems), list(rows.notes)
    in_files = not isinstance(rows.images, np.ndarray)
    if in_files:
        faults, image_notes = decode_all(rows.images, todo="replace it")
        problems += faults
        notes += image_notes
    images = Examples("image", rows.images, None, (), rows.where, spec, splits=rows.splits or None)
    keys = images.keys()
    groups: dict[bytes, list[int]] = collections.defaultdict(list)
    for row, key in enumerate(keys):
        groups[key].append(row)
    problems += shared_contents(images, groups)
    if against:
        other = read_masks(against, form)
        other_keys = Examples("image", other.images, None, (), other.where, against).keys()
        problems += _shared(keys, rows.where, dict(zip(other_keys, other.where, strict=True)), "image", against)
    tally: collections.Counter[int] = collections.Counter()
    for classes in rows.pixels if in_files else (np.unique(mask).tolist() for mask in rows.masks):
        tally.update(list(classes))
    notes += [f"class {name!r} is in no image" for number, name in enumerate(rows.class_names) if not tally[number]]
    histogram = {name: tally[number] for number, name in enumerate(rows.class_names)}
    return CheckResult(spec, tuple(problems), tuple(notes), histogram, _counts(len(rows.where), len(groups)))


def _shared(keys: list[bytes], where: list[str], places: dict[bytes, str], what: str, against: str) -> list[Problem]:
    todo = "remove it from one of the two, or the score measures memory"
    return [
        Problem(place, f"the same {what} is in {against} too, at {places[key]}", todo)
        for key, place in zip(keys, where, strict=True)
        if key in places
    ]


def _counts(examples: int, unique: int) -> dict[str, int]:
    return {"examples": examples, "unique": unique, "duplicates": examples - unique}
