"""Examples of one source that stand in another one, too, exactly or nearly. Imports no TensorFlow."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfpretune.data.splits.near_copies import near_copies
from tfpretune.data.splits.sketches import sketch


@dataclasses.dataclass(frozen=True, eq=False)
class Compared:
    """What tells whether two examples are the same.

    Args:
        digests: of each content.
        texts: what near copies are looked for in; None: nowhere.
        groups: keys; examples of a group stay together. None: there are none.
    """

    digests: Sequence[bytes]
    texts: Sequence[str] | None = None
    groups: Sequence[Any] | np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Leaks:
    """Which examples stand in another source, too, each counted once. All are bool `(n,)`.

    Args:
        equal: the same content.
        near: nearly the same text.
        grouped: another content of a group that is there.
    """

    equal: np.ndarray
    near: np.ndarray
    grouped: np.ndarray

    @property
    def any(self) -> np.ndarray:
        """All of them."""
        return self.equal | self.near | self.grouped

    def note(self, kind: str, other: str) -> str:
        """Says how many are left out, and why."""
        counts = [
            f"{int(found.sum()):,} {what}"
            for found, what in (
                (self.equal, "are there, too"),
                (self.near, "are nearly the same as one there"),
                (self.grouped, "are of a group that is there"),
            )
            if found.any()
        ]
        return f"{int(self.any.sum()):,} {kind}s are left out because of {other}: {', '.join(counts)}"


def find_leaks(mine: Compared, other: Compared) -> Leaks:
    """Finds which examples stand in another source; texts are compared as `near_copies` does."""
    there = set(other.digests)
    equal = np.array([digest in there for digest in mine.digests], bool)
    near = np.zeros(len(equal), bool)
    if mine.texts is not None and other.texts is not None:
        near[_near(mine.texts, other.texts)] = True
    grouped = np.zeros(len(equal), bool)
    if mine.groups is not None and other.groups is not None:
        grouped = np.isin(np.asarray(mine.groups, str), np.asarray(other.groups, str))
    near &= ~equal
    return Leaks(equal, near, grouped & ~equal & ~near)


def _near(texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Returns the rows of the texts that are near copies of others, or chained to one by near copies."""
    (rows, sketches), (_, other_sketches) = sketch(texts), sketch(others)
    groups = near_copies([sketches, other_sketches], len(texts) + len(others)).groups
    return rows[np.isin(groups[: len(rows)], groups[len(rows) :])]
