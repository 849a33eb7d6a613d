"""What `check` says about sources that are split into train, validation and test. Imports no TensorFlow."""

from collections.abc import Mapping, Sequence

from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.records import Problem


def shared_contents(examples: Examples, groups: Mapping[bytes, Sequence[int]]) -> list[Problem]:
    """Names every content that is in two splits of one source.

    Args:
        examples: of the source.
        groups: the rows of each content.
    """
    if examples.splits is None:
        return []
    todo = "delete one of the two, or the score measures memory"
    problems = []
    for rows in groups.values():
        first = rows[0]
        for row in rows[1:]:
            if examples.splits[row] != examples.splits[first]:
                what = f"the same {examples.kind} is in {examples.splits[first]} too, at {examples.where[first]}"
                problems.append(Problem(examples.where[row], what, todo))
    return problems


def shared_with(examples: Examples, other: Examples) -> list[Problem]:
    """Names every content that is in both, and the classes that are in one alone."""
    places = dict(zip(other.keys(), other.where, strict=True))
    todo = "remove it from one of the two, or the score measures memory"
    problems = [
        Problem(where, f"the same {examples.kind} is in {other.name} too, at {places[key]}", todo)
        for key, where in zip(examples.keys(), examples.where, strict=True)
        if key in places
    ]
    if examples.labels is None or other.labels is None:
        return problems
    alone = set(examples.class_names) ^ set(other.class_names)
    if alone:
        what = f"classes that are not in both sources: {', '.join(sorted(alone))}"
        problems.append(
            Problem(f"{examples.name} and {other.name}", what, "use the same classes, or name them with class_names")
        )
    return problems
