"""What `check` says about sources that are split into train, validation and test. Imports no TensorFlow."""

from collections.abc import Mapping, Sequence

from tfpretune.data.examples import Examples
from tfpretune.data.rows import Problem


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
