"""One example for each content: what becomes of the labels of its copies. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Merged:
    """What is kept of examples with copies.

    Args:
        rows: int64, the first row of each content that is kept, in their order.
        labels: their labels; the mean where labels are numbers; None when unlabelled.
        more: their further labels by column, each that of the copy that has one, or -1.
        averaged: the first rows of contents with several numbers that differ.
        dropped: the first rows of contents with different labels, which are not kept.
    """

    rows: np.ndarray
    labels: np.ndarray | None
    more: Mapping[str, np.ndarray]
    averaged: tuple[int, ...]
    dropped: tuple[int, ...]

    def notes(self, kind: str, where: Sequence[str]) -> list[str]:
        """Says what was averaged and what was dropped, each with its first place."""
        notes = []
        if self.averaged:
            notes.append(
                f"{len(self.averaged):,} {kind}s have several numbers, whose mean counts (the first: {where[self.averaged[0]]})"
            )
        if self.dropped:
            notes.append(
                f"{len(self.dropped):,} {kind}s stand there with different labels and are left out, all their copies "
                f"(the first: {where[self.dropped[0]]})"
            )
        return notes


def merge(keys: Sequence[bytes], labels: np.ndarray | None, more: Mapping[str, np.ndarray]) -> Merged:
    """Keeps the first row of each content, unless its copies have different classes or sets. Numbers are averaged.

    Args:
        keys: one per row; copies have the same.
        labels: as `Examples.labels`.
        more: further labels by column, -1 where a row has none.
    """
    groups: dict[bytes, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    numbers = labels is not None and labels.dtype.kind == "f"
    first, own, others, averaged, dropped = [], [], [], [], []
    for members in groups.values():
        further = [_known(column, members) for column in more.values()]
        found = None if labels is None else labels[members]
        same = found is None or bool((found == found[0]).all())
        if any(len(values) > 1 for values in further) or not (same or numbers):
            dropped.append(members[0])
            continue
        if not same:
            averaged.append(members[0])
        first.append(members[0])
        own.append(None if found is None else found.mean(dtype=np.float64) if numbers else found[0])
        others.append([values.pop() if values else -1 for values in further])
    kept = np.array(first, np.int64)
    columns = np.array(others, np.int64).reshape(len(first), len(more))
    return Merged(
        kept,
        None if labels is None else np.array(own, labels.dtype).reshape(len(first), *labels.shape[1:]),
        {name: columns[:, place].astype(more[name].dtype) for place, name in enumerate(more)},
        tuple(averaged),
        tuple(dropped),
    )


def _known(column: np.ndarray, members: Sequence[int]) -> set[int]:
    return {int(label) for label in column[members] if label >= 0}
