"""One pass over all of a tagged source: every bad line and every tag that cannot be. Imports no TensorFlow."""

import collections

from tfpretune.data.checks.copies import copy_notes, shared_notes
from tfpretune.data.checks.result import CheckResult
from tfpretune.data.examples.tagged import TaggedExamples, is_bio
from tfpretune.data.readers.records import Problem
from tfpretune.data.readers.tag_form import USUAL_TAGS, TagForm
from tfpretune.data.sources.tagged import index_tags, read_tagged


def check_tagged(spec: str, form: TagForm = USUAL_TAGS, *, against: str = "") -> CheckResult:
    """Goes over all of a tagged source.

    Args:
        spec: the source, as for `open_tagged`.
        form: how it is read.
        against: a second source, such as the test set, that must share no sentence with the first.

    Returns:
        The histogram counts entities by type, or words by tag where the tags are no BIO tags.
    """

    def read(source: str) -> tuple[list[Problem], TaggedExamples]:
        rows = read_tagged(source, form)
        tags, names = index_tags(rows, form)
        if any(tags is None for tags in rows.tags):
            tags = None
        notes = tuple(rows.notes)
        found = TaggedExamples(rows.words, tags, names, rows.where, source, joiner=rows.joiner, notes=notes)
        return rows.problems, found

    problems, examples = read(spec)
    if not len(examples):
        problems.append(Problem(spec, "there are no sentences", "nothing can be learnt from it: give another source"))
    keys = [" ".join(words).casefold() for words in examples.words]
    shared: list[str] = []
    if against:
        other = read(against)[1]
        shared = shared_notes(examples.texts(), examples.where, other.texts(), other.where, against)
        places = {" ".join(words).casefold(): where for words, where in zip(other.words, other.where, strict=True)}
        problems += [
            Problem(where, f"the same sentence is in {against} too, at {places[key]}", "remove it from one of the two")
            for key, where in zip(keys, examples.where, strict=True)
            if key in places
        ]
    words = sum(map(len, examples.words))
    longest = max(map(len, examples.words), default=0)
    notes = (
        f"{words:,} words, {longest:,} in the longest sentence",
        *examples.notes,
        *copy_notes(examples.places.copies),
        *shared,
    )
    counts = {"examples": len(examples), "unique": len(set(keys)), "duplicates": len(examples) - len(set(keys))}
    counts |= examples.near_copies()
    return CheckResult(spec, tuple(problems), notes, _histogram(examples), counts)


def _histogram(examples: TaggedExamples) -> dict[str, int]:
    if examples.tags is None:
        return {}
    bio = is_bio(examples.tag_names)
    tally = collections.Counter(tag for tags in examples.tag_lists() for tag in tags)
    return {name[2:] if bio else name: tally[name] for name in examples.tag_names if not bio or name.startswith("B-")}
