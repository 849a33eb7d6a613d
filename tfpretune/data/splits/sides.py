"""Where the examples of a source lie in [0, 1), which decides on the part they belong to. Imports no TensorFlow."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfpretune.data.splits.near_copies import FEWEST, LARGEST, CopyCounts, Forest, near_copies
from tfpretune.data.splits.sketches import sketch
from tfpretune.runtime.phases import phase


@dataclasses.dataclass(frozen=True, eq=False)
class Positions:
    """Where the examples of a whole source lie.

    Args:
        positions: float64 `(n,)` in [0, 1).
        copies: near copies among them.
    """

    positions: np.ndarray
    copies: CopyCounts


def hash_positions(hashes: np.ndarray) -> np.ndarray:
    """Returns the positions of hashes, uint64 `(n,)`: even in [0, 1]."""
    return hashes / 2.0**64


def leading_numbers(digests: Sequence[bytes]) -> np.ndarray:
    """Returns the first 8 bytes of each digest as a number, uint64 `(n,)`."""
    return np.frombuffer(b"".join(digest[:8] for digest in digests), ">u8").astype(np.uint64)


@phase("looking for near copies")
def find_positions(
    contents: Callable[[], Sequence[bytes]],
    *,
    texts: Sequence[str] | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
    in_order: bool = False,
) -> Positions:
    """Works out the places of all examples of a source.

    Args:
        contents: returns the digest of each content; called where there are no groups.
        texts: what near copies are looked for in; None: nowhere.
        groups: keys; examples with the same one stay together.
        in_order: positions are places in the source (of its groups, where there are any), not hashes.
    """
    digests = contents() if groups is None else [hashlib.sha256(_encoded(group)).digest() for group in groups]
    numbers = leading_numbers(digests)
    values, first, node = np.unique(numbers, return_index=True, return_inverse=True)
    if in_order:
        values = first if groups is None else np.argsort(np.argsort(first))
    copies, roots = CopyCounts(), np.arange(len(values))
    if texts is not None:
        roots, copies = _with_near_copies(texts, node, roots, grouped=groups is not None)
    least = values.copy()
    np.minimum.at(least, roots, values)
    least = least[roots][node]
    if not in_order:
        return Positions(hash_positions(least), copies)
    return Positions((least + 0.5) / (len(numbers) if groups is None else len(values)), copies)


def _encoded(group: Any) -> bytes:
    return str(group).encode("utf-8", "replace")


def _with_near_copies(
    texts: Sequence[str], node: np.ndarray, roots: np.ndarray, *, grouped: bool
) -> tuple[np.ndarray, CopyCounts]:
    """Joins the nodes (contents or groups) of near copies; groups that would be joined to too large ones stay alone."""
    rows, sketches = sketch(texts)
    found = near_copies([sketches], len(texts))
    forest = Forest(len(roots) + len(rows))
    forest.join(node[rows], len(roots) + found.groups)
    joined = forest.roots(roots)
    if not grouped:
        return joined, found.counts
    sizes = np.bincount(joined[node], minlength=len(roots))
    several = np.bincount(joined, minlength=len(roots)) > 1
    large = (several & (sizes > max(FEWEST, int(LARGEST * len(texts)))))[joined]
    links = np.unique(np.stack([found.groups, node[rows]]), axis=1)[0]  # each group of near copies once for each node
    linking = np.bincount(links, minlength=len(rows)) > 1
    lost = int((linking[found.groups] & large[node[rows]]).sum())
    counts = dataclasses.replace(found.counts, too_alike=found.counts.too_alike + lost)
    return np.where(large, roots, joined), counts


def too_alike_note(copies: CopyCounts) -> str:
    """Says that near copies may stand on two sides, and why."""
    return (
        f"{copies.too_alike:,} texts are so alike that they would be a group of more than a tenth of all (a form that is "
        "filled in?): only the nearly equal ones stay on one side of a split, so test texts may be much like training texts"
    )


def across_splits_note(copies: int) -> str:
    """Says that so many held-out examples of a source with splits of its own are like training examples."""
    return f"{copies:,} held-out examples are (nearly) training examples: a score on them measures memory in part"


def moved_note(moved: int) -> str:
    """Says that so many examples are on another side than their contents alone would put them."""
    return (
        f"{moved:,} examples stand in another part than their contents alone would put them in, so that every class is in "
        "every part in about its share; shards of prepare_text, which read no labels, have them where their contents put them"
    )
