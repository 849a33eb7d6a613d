"""Near copies within a source, and between two, for the pass before step 1. Imports no TensorFlow."""

from collections.abc import Sequence

import numpy as np

from tfpretune.data.splits.near_copies import CopyCounts, near_copies
from tfpretune.data.splits.sides import too_alike_note
from tfpretune.data.splits.sketches import sketch


def copy_notes(copies: CopyCounts, *, own_splits: bool = False) -> list[str]:
    """Says how many texts of a source are near copies of others.

    Args:
        copies: what was counted.
        own_splits: the source has splits of its own, which are kept as they are.
    """
    notes = []
    if copies.texts:
        several, each = ("", "") if copies.groups == 1 else ("s", ", each")
        kept = "" if own_splits else f"{each} kept on one side of a split"
        notes.append(f"{copies.texts:,} texts are near copies of others, in {copies.groups:,} group{several}{kept}")
    return [*notes, too_alike_note(copies)] if copies.too_alike else notes


def shared_notes(
    texts: Sequence[str], where: Sequence[str], others: Sequence[str], other_where: Sequence[str], against: str
) -> list[str]:
    """Says how many texts are near copies of texts in another source, and names the first.

    Args:
        texts: of the source.
        where: their places.
        others: the texts of the other source; equal ones are not counted, `check` names each of them.
        other_where: their places.
        against: the other source.
    """
    (rows, sketches), (other_rows, other_sketches) = sketch(texts), sketch(others)
    found = near_copies([sketches, other_sketches], len(texts) + len(others)).groups
    groups, other_groups = found[: len(rows)], found[len(rows) :]
    first = dict(zip(other_groups[::-1].tolist(), other_rows[::-1].tolist(), strict=True))
    equal = np.isin(_packed(sketches), _packed(other_sketches))
    near = [
        (row, first[group])
        for row, group, same in zip(rows, groups.tolist(), equal, strict=True)
        if not same and group in first
    ]
    if not near:
        return []
    row, other = near[0]
    return [
        f"{len(near):,} texts are near copies of texts in {against}, such as {where[row]} of {other_where[other]}: a score on "
        "them measures memory in part"
    ]


def _packed(sketches: np.ndarray) -> np.ndarray:
    """Returns each sketch as one value that can be compared."""
    return np.ascontiguousarray(sketches).view(f"S{2 * sketches.shape[1]}").ravel()
