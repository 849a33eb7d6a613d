"""Which examples belong to which part: one rule for all forms of examples, in memory and in shards. Imports no TensorFlow.

Every example of a source has a position in [0, 1): its hash, or, in sources that are cut in order, its place. Examples that
must stay together have one position: the least one among equal contents, a group, near copies. Positions are those in the
whole source, so they stay the same for the examples that are left after duplicates are dropped or some are drawn.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np

from tfpretune.data.splits.sides import Places, across_splits_note, too_alike_note
from tfpretune.errors import UsageError

PARTS = ("train", "validation", "test")
Part = Literal["train", "validation", "test"]
Shares = tuple[float, float, float]
CONTENTS, LABELS = "contents", "labels"
"""What `Splittable.fingerprint` tells apart."""
RULE = 2
"""Counted up when the same source comes to be split otherwise. 2: near copies stay together, shards follow the same rule."""


@dataclasses.dataclass(frozen=True, eq=False)
class Origin:
    """Rows of a whole source."""

    whole: "Splittable"
    rows: np.ndarray

    def take(self, rows: np.ndarray) -> "Origin":
        """Returns some of these rows."""
        return Origin(self.whole, self.rows[rows])


class Splittable:
    """What all forms of examples share: where they come from, and how they are split and drawn."""

    name: str
    origin: Origin | None
    splits: Sequence[str] | None = None

    def __len__(self) -> int:
        raise NotImplementedError

    def take(self, indices: Any) -> Self:
        """Returns the examples at these positions, in this order."""
        raise NotImplementedError

    def _places(self) -> Places:
        """Works out the places of a whole source; see `find_places`."""
        raise NotImplementedError

    @functools.cached_property
    def places(self) -> Places:
        """The positions of these examples, and the near copies in the whole source that they come from."""
        if self.origin is not None:
            whole = self.origin.whole.places
            return Places(whole.positions[self.origin.rows], whole.copies)
        return self._places()

    def _origin_of(self, rows: np.ndarray) -> Origin:
        return self.origin.take(rows) if self.origin is not None else Origin(self, rows)

    def split(self, part: Part, fractions: Shares = (0.8, 0.1, 0.1)) -> Self:
        """Returns one part of the examples.

        Which part an example belongs to is decided by the source that it was opened from: by a hash of its content, or of its
        group where there are groups; where the source is `in_order`, its first share is the training part, the next one
        validation. Equal contents, examples of a group and near copies (`near_copies`) are on one side: in a source that is
        in order on that of the first of them. Rows that are added later move no others but near copies of theirs.

        Args:
            part: "train", "validation" or "test".
            fractions: the shares of the three parts, each in [0, 1], together 1. Sizes come out near them, not exact.

        Raises:
            UsageError: for an unknown part, for fractions that are no shares, and for a part that came out empty.
        """
        return self.take(self.split_rows(part, fractions))

    def split_rows(self, part: Part, fractions: Shares) -> np.ndarray:
        """Returns the int64 positions among these examples of those that `split` returns; raises as it does."""
        number = _number(part, fractions)
        if part == "train" and self.places.copies.too_alike:
            print(f"note: {self.name}: {too_alike_note(self.places.copies)}", flush=True)
        if part == "train" and (copies := len(self.copies_of_training())):
            print(f"note: {self.name}: {across_splits_note(copies)}", flush=True)
        chosen = np.flatnonzero(self._sides(fractions) == number + 1)
        if not len(chosen) and fractions[number] > 0:
            size, share = len(self), fractions[number]
            raise UsageError(
                f"the {part} part of {self.name} is empty ({size} examples, share {share:g}): "
                "give more data or other fractions"
            )
        return chosen

    def _sides(self, fractions: Shares) -> np.ndarray:
        """Returns the part of each example as `sides_of` does; examples of the source's own splits keep to them."""
        positions = self.places.positions
        if self.splits is None:
            return sides_of(positions, fractions)
        own, sides = np.asarray(self.splits), np.zeros(len(self), np.uint8)
        present = set(self.splits)
        for split in present:
            rows = np.flatnonzero(own == split)
            sides[rows] = sides_of(positions[rows], shares_within(split, present, fractions))
        return sides

    def copies_of_training(self) -> np.ndarray:
        """Returns the positions of examples that the source's own splits hold out and that are (nearly) training examples."""
        if self.splits is None:
            return np.zeros(0, np.int64)
        train, positions = np.asarray(self.splits) == "train", self.places.positions
        return np.flatnonzero(~train & np.isin(positions, positions[train]))

    def near_copies(self) -> dict[str, int]:
        """Counts the near copies in the whole source, for reports; they stay on one side but of the source's own splits."""
        whole = self if self.origin is None else self.origin.whole
        across = {} if whole.splits is None else {"near_copies_across_splits": len(whole.copies_of_training())}
        return whole.places.copies.facts() | across

    def fingerprint(self) -> dict[str, str]:
        """Returns short texts that change with the contents, or the labels, or the order of the examples, not with their place.

        A run that goes on must find the same; see `tfpretune.training.loop.fingerprint`.
        """
        contents, labels = self._contents_and_labels()
        found = {CONTENTS: f"{len(self):,}, sha256 {_digest_of(contents)}"}
        return found if labels is None else found | {LABELS: f"sha256 {_digest_of(labels)}"}

    def _contents_and_labels(self) -> tuple[Iterable[bytes], Iterable[bytes] | None]:
        """Returns each content in bytes, and each label, or None where there are none."""
        raise NotImplementedError

    def sample(self, most: int, seed: int = 0) -> Self:
        """Returns at most `most` examples, drawn without replacement, in the order of the source."""
        if len(self) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False)))


def _digest_of(items: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(len(item).to_bytes(8, "little") + item)
    return digest.hexdigest()[:16]


def in_bytes(*texts: str) -> bytes:
    """Returns texts in bytes, each with its length, so that no two lists of texts give the same."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(len(each).to_bytes(8, "little") + each for each in encoded)


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
    """Returns the shares of the parts within one split of a source that has splits of its own.

    Args:
        split: the split that the source puts examples into, a name of `PARTS`; None: the source has no splits.
        present: the splits that the source has. Parts that it lacks are cut from its training split.
        fractions: the shares of the three parts in a source without splits.

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


def _number(part: str, fractions: Shares) -> int:
    if part not in PARTS:
        raise UsageError(f"unknown part {part!r}: expected one of {', '.join(PARTS)}")
    if len(fractions) != 3 or min(fractions) < 0 or not abs(sum(fractions) - 1) < 1e-6:
        raise UsageError(
            f"fractions must be three shares (train, validation, test) that sum to 1, received {fractions}"
        )
    return PARTS.index(part)
