"""Parts that hold every class: what position alone leaves to chance where classes are small. Imports no TensorFlow.

A unit is what stays together: equal contents, a group, near copies; it has one position. Of the units of a class each held-out
part has at least half of its share, one at least where the class has three, and at most one and a half of its share; one is
left to train on. Where the rule by position has given a part fewer, the units that are nearest to it come over, and where more,
the nearest leave. The one unit of a class is for training, unless there are many such classes (`MANY`): those stay where they
are. In a class of hundreds this hardly ever moves one, so that what is added to a source moves few others.
"""

import dataclasses

import numpy as np

from tfpretune.data.splits.rule import Shares, sides_of

TRAIN, VALIDATION, TEST = 1, 2, 3
MANY = 20
"""More classes of one unit than this, and than a tenth of all units, are no odd ones: held-out parts need some of them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Members:
    """Which examples have which classes; an example may have none, or several.

    Args:
        rows: int64 `(m,)`, examples.
        classes: int64 `(m,)`, a class of each.
    """

    rows: np.ndarray
    classes: np.ndarray

    def take(self, rows: np.ndarray) -> "Members":
        """Returns the members among these examples, numbered as they stand there; `rows` holds each once."""
        size = 1 + max(self.rows.max(initial=-1), rows.max(initial=-1))
        places = np.full(size, -1, np.int64)
        places[rows] = np.arange(len(rows))
        found = places[self.rows]
        return Members(found[found >= 0], self.classes[found >= 0])


def members_of(*columns: np.ndarray | None) -> Members | None:
    """Returns the classes of all columns of labels, each with classes of its own; None where no column holds classes.

    Args:
        columns: `(n,)` indices, -1 for none, or `(n, classes)` of 0 and 1. Numbers (float) and None are passed over.
    """
    found, start = [], 0
    for labels in columns:
        if labels is None or labels.dtype.kind != "i":
            continue
        rows = np.argwhere(labels > 0) if labels.ndim == 2 else np.argwhere(labels >= 0)
        classes = rows[:, 1] if labels.ndim == 2 else labels[rows[:, 0]]
        found.append(np.stack([rows[:, 0], start + classes.astype(np.int64)]))
        start += labels.shape[1] if labels.ndim == 2 else 1 + int(labels.max(initial=-1))
    return Members(*np.concatenate(found, axis=1)) if found else None


def stratified_sides(positions: np.ndarray, shares: Shares, members: Members) -> np.ndarray:
    """Splits by position and class; see the module. The rarest class goes first, and what it has settled stays.

    Args:
        positions: float64 `(n,)`.
        shares: of train, validation and test.
        members: the classes of the examples.

    Returns:
        As `sides_of`.
    """
    units, unit_of = np.unique(positions, return_inverse=True)
    sides = sides_of(units, shares)
    if len(members.rows) and shares[0] > 0 and shares[0] < 1:
        pairs = np.unique(np.stack([members.classes, unit_of[members.rows]]), axis=1)
        _, starts, sizes = np.unique(pairs[0], return_index=True, return_counts=True)
        settled = np.zeros(len(units), bool)
        alone = np.count_nonzero(sizes == 1)
        least = 2 if alone > max(MANY, len(units) / 10) else 1
        for place in np.lexsort((starts, sizes)):
            if sizes[place] < least:
                continue
            mine = pairs[1, starts[place] : starts[place] + sizes[place]]
            sides[mine] = _evened(sides[mine], settled[mine], shares)
            settled[mine] = True
    return sides[unit_of]


def _evened(sides: np.ndarray, settled: np.ndarray, shares: Shares) -> np.ndarray:
    """Returns the sides of the units of one class, in the order of their positions, with the least moves that even them."""
    sides, count = sides.copy(), len(sides)
    for part, givers in ((TEST, (VALIDATION, TRAIN)), (VALIDATION, (TRAIN,))):
        wanted = shares[part - 1] * count
        least = max(1, int(wanted / 2)) if count >= 3 and wanted else 0
        most = max(least, int(1.5 * wanted), count == 2)
        have = int((sides == part).sum())
        for giver in givers:
            near = np.flatnonzero((sides == giver) & ~settled)[::-1]  # the highest positions are the nearest
            moved = near[: max(0, least - have)]
            sides[moved] = part
            have += len(moved)
        spare = np.flatnonzero((sides == part) & ~settled)[: max(0, have - most)]
        sides[spare] = part - 1 if shares[part - 2] else TRAIN
    free = np.flatnonzero(~settled)
    if len(free) and not (sides == TRAIN).any():
        sides[free[0]] = TRAIN
    return sides
