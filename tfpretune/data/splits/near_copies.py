"""Groups of texts that are nearly the same, from their sketches (MinHash with banding, Leskovec et al., "Mining of Massive
Datasets", chapter 3). Imports no TensorFlow.

The groups do not depend on the order of the texts. Memory grows by some 40 bytes per text; the sketches may lie on disk.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from tfpretune.data.splits.sketches import VALUES

NEAR = 0.35
"""Two texts are near copies from this Jaccard similarity of their runs on: of two of the same length about half is common."""
NEARER = 0.9
"""The same for the texts of a group that has become too large."""
LARGEST = 0.1
"""A group with a larger fraction of all texts holds more than copies: a form letter, say, filled in again and again."""
FEWEST = 10
"""Up to so many texts no group is too large."""

_BANDS = {NEAR: 3, NEARER: 15}  # values of a band: of pairs just above the threshold 1 in 40 at most agrees in none
_NEIGHBOURS = 8  # each text is compared with so many others that agree in a band
_AT_ONCE = 1 << 10  # sketches that are read at once
_KEYS_BYTES = 1 << 22  # of the keys that are held at once
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclasses.dataclass(frozen=True, eq=False)
class NearCopies:
    """What `near_copies` found.

    Args:
        groups: int64 `(n,)`, the same number for the sketches of a group.
        counts: what there is to say of them.
    """

    groups: np.ndarray
    counts: "CopyCounts"


@dataclasses.dataclass(frozen=True)
class CopyCounts:
    """How many texts are near copies of others.

    Args:
        groups: of two or more different texts.
        texts: in these groups.
        too_alike: texts in groups that were too large; of these only those from `NEARER` on stay together.
    """

    groups: int = 0
    texts: int = 0
    too_alike: int = 0

    def facts(self) -> dict[str, int]:
        """Returns the counts under the names that reports give them."""
        found = {"near_copies": self.texts, "near_copy_groups": self.groups}
        return found | ({"near_copies_too_alike": self.too_alike} if self.too_alike else {})


def near_copies(sketches: Sequence[np.ndarray], total: int) -> NearCopies:
    """Groups texts by their sketches.

    Texts are in a group if a chain of near copies leads from one to the other. A group that is larger than a tenth of all
    texts (and than `FEWEST`) is taken apart: with the threshold `NEARER`, and what is too large then into its texts.

    Args:
        sketches: uint16 `(n_i, 255)` each, in memory or mapped from a file; they are numbered through.
        total: of all texts, with those that are too short for a sketch; decides what is too large.
    """
    table = _Table(sketches)
    if not len(table):
        return NearCopies(np.zeros(0, np.int64), CopyCounts())
    digests = table.hashes(np.arange(len(table)), [slice(0, VALUES)])[0]
    _, different, number = np.unique(
        digests, return_index=True, return_inverse=True
    )  # sorted: in an order of their own
    roots = _connected(table, different, NEAR)
    most = max(FEWEST, int(LARGEST * total))
    large = np.flatnonzero(_is_large(roots, most))
    if len(large):
        again = _connected(table, different[large], NEARER)
        roots[large] = large[np.where(_is_large(again, most), np.arange(len(large)), again)]
    sizes = np.bincount(roots)
    return NearCopies(roots[number], CopyCounts(int((sizes > 1).sum()), int(sizes[sizes > 1].sum()), len(large)))


def _is_large(roots: np.ndarray, most: int) -> np.ndarray:
    return np.bincount(roots)[roots] > most


class Forest:
    """Disjoint sets of the numbers 0 to size - 1; the root of a set is its least number (Galler and Fischer 1964)."""

    def __init__(self, size: int):
        self.parents = np.arange(size)

    def roots(self, members: np.ndarray) -> np.ndarray:
        """Returns the roots of these members."""
        found = self.parents[members]
        while not np.array_equal(up := self.parents[found], found):
            found = up
        self.parents[members] = found
        return found

    def join(self, firsts: np.ndarray, seconds: np.ndarray) -> None:
        """Joins the sets of each two members."""
        while len(firsts):
            one, other = self.roots(firsts), self.roots(seconds)
            apart = one != other
            firsts, seconds = firsts[apart], seconds[apart]
            np.minimum.at(self.parents, np.maximum(one, other)[apart], np.minimum(one, other)[apart])


class _Table:
    """The sketches of several arrays, numbered through."""

    def __init__(self, arrays: Sequence[np.ndarray]):
        self.arrays = [array for array in arrays if len(array)]
        self.starts = np.cumsum([0, *map(len, self.arrays)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), VALUES), np.uint16)
        owners = np.searchsorted(self.starts, rows, side="right") - 1
        for owner in np.unique(owners):
            here = owners == owner
            found[here] = self.arrays[owner][rows[here] - self.starts[owner]]
        return found

    def hashes(self, rows: np.ndarray, bands: Sequence[slice]) -> np.ndarray:
        """Returns a hash of the values in each band, uint64 `(bands, rows)`."""
        found = np.empty((len(bands), len(rows)), np.uint64)
        order = np.argsort(rows)  # as they lie on the disk
        for start in range(0, len(rows), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            values = self.take(rows[some])
            for number, band in enumerate(bands):
                weights = np.cumprod(np.full(band.stop - band.start, _ODD), dtype=np.uint64)
                found[number, some] = values[:, band].astype(np.uint64) @ weights
        return found


def _connected(table: _Table, rows: np.ndarray, threshold: float) -> np.ndarray:
    """Returns for each row the least position among these rows to which a chain of near copies leads."""
    forest, width = Forest(len(rows)), _BANDS[threshold]
    bands = [slice(start, start + width) for start in range(0, VALUES - width + 1, width)]
    step = max(2, _KEYS_BYTES // (8 * len(rows)))
    for start in range(0, len(bands), step):
        keys = table.hashes(rows, bands[start : start + step])
        for number, key in enumerate(keys):
            for firsts, seconds in _neighbours(key, keys[number - 1]):
                apart = forest.roots(firsts) != forest.roots(seconds)
                _join_near(forest, table, rows, firsts[apart], seconds[apart], threshold)
    return forest.roots(np.arange(len(rows)))


def _neighbours(key: np.ndarray, other: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields positions with the same key: each with the next one, with the one after it, ….

    Of many with the same key those stand together that have the same `other` one, too.
    """
    order = np.argsort(key)
    same = key[order[1:]] == key[order[:-1]]
    order = order[np.concatenate([same, [False]]) | np.concatenate([[False], same])]
    order = order[np.lexsort((order, other[order], key[order]))]
    for distance in range(1, _NEIGHBOURS + 1):
        firsts, seconds = order[:-distance], order[distance:]
        equal = key[firsts] == key[seconds]
        if not equal.any():
            return
        yield firsts[equal], seconds[equal]


def _join_near(
    forest: Forest, table: _Table, rows: np.ndarray, firsts: np.ndarray, seconds: np.ndarray, threshold: float
) -> None:
    for start in range(0, len(firsts), _AT_ONCE):
        some, others = firsts[start : start + _AT_ONCE], seconds[start : start + _AT_ONCE]
        alike = (table.take(rows[some]) == table.take(rows[others])).mean(axis=1) >= threshold
        forest.join(some[alike], others[alike])
