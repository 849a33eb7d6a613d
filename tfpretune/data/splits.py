"""Which examples belong to which part. Imports no TensorFlow."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tfpretune.config import UsageError

PARTS = ("train", "validation", "test")
Part = Literal["train", "validation", "test"]


def split_by_digest(
    digests: Sequence[bytes], part: Part, fractions: tuple[float, float, float], name: str
) -> np.ndarray:
    """Returns the int64 positions of one part, chosen by the first 8 bytes of each digest, as `Examples.split` says."""
    number = _number(part, fractions)
    positions = np.frombuffer(b"".join(digest[:8] for digest in digests), ">u8") / 2.0**64  # even in [0, 1)
    bounds = (0.0, fractions[0], fractions[0] + fractions[1], 2.0)
    chosen = np.flatnonzero((positions >= bounds[number]) & (positions < bounds[number + 1]))
    if number == 2 and fractions[2] == 0:
        chosen = chosen[:0]
    _require_some(len(chosen), len(digests), part, fractions[number], name)
    return chosen


def split_in_order(size: int, part: Part, fractions: tuple[float, float, float], name: str) -> np.ndarray:
    """Returns the int64 positions of one part: the first share is the training part, the next one validation.

    Raises:
        UsageError: as `split_by_digest`.
    """
    number = _number(part, fractions)
    bounds = np.round(np.cumsum((0.0, *fractions)) * size).astype(np.int64)
    chosen = np.arange(bounds[number], bounds[number + 1])
    _require_some(len(chosen), size, part, fractions[number], name)
    return chosen


def split_groups_in_order(
    groups: np.ndarray, part: Part, fractions: tuple[float, float, float], name: str
) -> np.ndarray:
    """As `split_in_order`, but rows that follow each other and have the same group stay together; shares are of groups."""
    number = np.cumsum(np.concatenate([[False], groups[1:] != groups[:-1]]))
    chosen = split_in_order(int(number[-1]) + 1 if len(number) else 0, part, fractions, name)
    return np.flatnonzero(np.isin(number, chosen))


def rows_of_split(
    splits: Sequence[str], part: Part, fractions: tuple[float, float, float]
) -> tuple[np.ndarray, tuple[float, float, float] | None]:
    """Finds one part of a source that has splits of its own.

    Args:
        splits: a name of `PARTS` for each example.
        part: the part.
        fractions: the three shares; those of splits that the source lacks are cut from its training split.

    Returns:
        int64 positions, and the shares by which the part is cut from them; None where they are the part as it is.

    Raises:
        UsageError: as `split_by_digest`.
    """
    _number(part, fractions)
    names = np.asarray(splits)
    if part != "train" and part in splits:
        return np.flatnonzero(names == part), None
    left = [0.0 if name != "train" and name in splits else share for name, share in zip(PARTS, fractions, strict=True)]
    whole = sum(left)
    if not whole:
        raise UsageError(f"the fractions {fractions} leave nothing of the training split")
    train, validation, test = (share / whole for share in left)
    return np.flatnonzero(names == "train"), (train, validation, test)


def _number(part: str, fractions: tuple[float, float, float]) -> int:
    if part not in PARTS:
        raise UsageError(f"unknown part {part!r}: expected one of {', '.join(PARTS)}")
    if len(fractions) != 3 or min(fractions) < 0 or not abs(sum(fractions) - 1) < 1e-6:
        raise UsageError(
            f"fractions must be three shares (train, validation, test) that sum to 1, received {fractions}"
        )
    return PARTS.index(part)


def _require_some(found: int, size: int, part: str, share: float, name: str) -> None:
    if not found and share > 0:
        raise UsageError(
            f"the {part} part of {name} is empty ({size} examples, share {share:g}): give more data or other fractions"
        )
