"""Which examples belong to which part: one rule for all forms of examples, in memory and in shards. Imports no TensorFlow.

Every example of a source has a position in [0, 1): its hash, or, in sources that are cut in order, its place. Examples that
must stay together have one position: the least one among equal contents, a group, near copies. Positions are those in the
whole source, so they stay the same for the examples that are left after duplicates are dropped or some are drawn.
"""

from collections.abc import Collection
from typing import Literal

import numpy as np

from tfpretune.errors import UsageError

PARTS = ("train", "validation", "test")
Part = Literal["train", "validation", "test"]
Shares = tuple[float, float, float]
CONTENTS, LABELS = "contents", "labels"
"""What `ExampleSet.fingerprint` tells apart."""
RULE = 3
"""Counted up when the same source comes to be split otherwise. 2: near copies stay together, shards follow the same rule. 3: a
class of few examples is in every part; a column `split` and the splits of tfds are read."""
WITHOUT_COPIES, WITH_COPIES, BY_CLASS = 1, 2, 3
"""The rules: what is written without one is of the first."""


def sides_of(positions: np.ndarray, shares: Shares) -> np.ndarray:
    """Splits by position.

    Args:
        positions: float64 `(n,)`.
        shares: of train, validation and test.

    Returns:
        uint8 `(n,)`: 1 train, 2 validation, 3 test; 0 for what falls outside of all.
    """
    sides = 1 + (positions >= shares[0]).astype(np.uint8) + (positions >= shares[0] + shares[1])
    return np.where((sides == 3) & (shares[2] == 0), 0, sides).astype(np.uint8)


def shares_within(split: str | None, present: Collection[str | None], fractions: Shares) -> Shares:
    """Returns the fractions of the parts within one split of a source that has splits of its own.

    Args:
        split: the split that the source puts examples into, a name of `PARTS`; None: the source has no splits.
        present: the splits that the source has. Parts that it lacks are cut from its training split.
        fractions: the fractions of the three parts in a source without splits.

    Raises:
        UsageError: the fractions leave nothing for the training split.
    """
    if split is None:
        return fractions
    if split == "train":
        own = [
            share if name == "train" or name not in present else 0.0
            for name, share in zip(PARTS, fractions, strict=True)
        ]
    else:
        own = [float(name == split) for name in PARTS]
    whole = sum(own)
    if not whole:
        raise UsageError(f"the fractions {fractions} leave nothing of the training split")
    train, validation, test = (share / whole for share in own)
    return train, validation, test


def part_number(part: str, fractions: Shares) -> int:
    """Returns the number of a part in `PARTS`.

    Raises:
        UsageError: it is none of them, or the fractions are not fractions.
    """
    if part not in PARTS:
        raise UsageError(f"unknown split {part!r}: expected one of {', '.join(PARTS)}")
    if len(fractions) != 3 or min(fractions) < 0 or not abs(sum(fractions) - 1) < 1e-6:
        raise UsageError(
            f"fractions must be three fractions (train, validation, test) that sum to 1, received {fractions}"
        )
    return PARTS.index(part)
