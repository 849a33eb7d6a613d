"""Folds for few labels: which examples are held out together, with each label shared out evenly. Imports no TensorFlow."""

import dataclasses
from typing import Literal

import numpy as np

from tfpretune.errors import UsageError

FoldChoice = Literal["auto", "none"] | int
"""auto: folds where there are few labels; none or 1: never; K: K folds."""
FEW = 200
"""Below so many labelled examples, a tenth of them is too few to choose and to judge by: of 20 test examples an accuracy of 0.8
has a 95 % interval of 0.58 to 0.92."""
FOLDS, MOST_FITS, PREDICTIONS = 5, 10, 200
"""The usual number of folds; the most models that they take; out-of-fold predictions that repeats are to come up to."""
FEWEST = 3
"""Examples that a class must have, near copies of each other not counted, so that each fold learns from two of them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Folds:
    """Repeated k-fold: in each repeat each example is held out once.

    Args:
        numbers: int64 `(repeats, n)`, the fold in which each example is held out.
        groups: int64 `(n,)`, the same for examples that are always on one side.
    """

    numbers: np.ndarray
    groups: np.ndarray

    @property
    def count(self) -> int:
        """Folds of a repeat."""
        return int(self.numbers.max()) + 1

    @property
    def repeats(self) -> int:
        """How often all examples are dealt out anew."""
        return len(self.numbers)

    @property
    def fits(self) -> int:
        """Models that are trained, without the final one."""
        return self.count * self.repeats

    @property
    def said(self) -> str:
        """Such as "5 x 2 folds"."""
        return f"{self.count} x {self.repeats} folds"


def choose_folds(choice: FoldChoice, most: int) -> int:
    """Returns the number of folds.

    Args:
        choice: "auto" for the usual number.
        most: how many there can be.

    Raises:
        UsageError: more are asked for than there can be.
    """
    if choice in ("auto", "none"):
        return min(FOLDS, most)
    if int(choice) > most:
        raise UsageError(f"`folds` {choice}: there can be {most} at most, one for each example of the rarest class")
    return int(choice)


def choose_repeats(folds: int, examples: int) -> int:
    """Returns the repeats that give about `PREDICTIONS` predictions and take no more than `MOST_FITS` models; one at least."""
    return max(1, min(round(PREDICTIONS / examples), MOST_FITS // folds))


def deal_folds(members: np.ndarray, groups: np.ndarray, *, folds: int, repeats: int, seed: int) -> Folds:
    """Deals examples out to folds, each repeat anew.

    Args:
        members: 0 or 1, `(n, labels)`: what is to be shared out evenly; see `stratified_folds`.
        groups: `(n,)`; examples with the same one stay together.
        folds: at least 2, and no more than there are groups.
        repeats: at least 1.
        seed: decides the draws.
    """
    _, group = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(seed)
    dealt = [stratified_folds(members, group, folds=folds, generator=generator) for _ in range(repeats)]
    return Folds(np.stack(dealt), group)


def stratified_folds(
    members: np.ndarray, groups: np.ndarray, *, folds: int, generator: np.random.Generator
) -> np.ndarray:
    """Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, algorithm 1), of groups instead of examples.

    The rarest label is dealt first: each group that has it goes to the fold that still wants most of this label, among
    those to the one with the most room, among those by lot; large groups go before small ones. Of examples with one label
    each that are groups of their own, the counts of each label in two folds differ by one at most, and so do their sizes.

    Args:
        members: 0 or 1, `(n, labels)`.
        groups: int `(n,)`, from 0 on, without gaps.
        folds: how many.
        generator: of the lots.

    Returns:
        int64 `(n,)`, in [0, folds).
    """
    sizes = np.bincount(groups)
    counts = np.zeros((len(sizes), members.shape[1]))
    np.add.at(counts, groups, members)
    order = generator.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    wanted, room = np.tile(counts.sum(0) / folds, (folds, 1)), np.full(folds, len(groups) / folds)
    fold_of = np.full(len(sizes), -1)
    while (fold_of < 0).any():
        left = counts[fold_of < 0].sum(0)
        there = np.flatnonzero(left > 0)
        label = there[np.argmin(left[there])] if len(there) else None
        dealt = order[fold_of[order] < 0]
        for each in dealt if label is None else dealt[counts[dealt, label] > 0]:
            wish = room if label is None else wanted[:, label]
            best = np.lexsort((generator.random(folds), room, wish))[-1]
            fold_of[each] = best
            wanted[best] -= counts[each]
            room[best] -= sizes[each]
    return fold_of[groups]
