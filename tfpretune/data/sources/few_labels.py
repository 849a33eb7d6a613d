"""Labelled examples that are too few for a validation and a test split: all are learnt from, and judged in folds."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.splits.folds import FEW, FEWEST, FoldChoice, Folds, choose_folds, choose_repeats, deal_folds
from tfpretune.data.splits.form import USUAL_SPLITS, SplitForm
from tfpretune.errors import UsageError


class Few(NamedTuple):
    """Examples to learn from in folds.

    Attributes:
        train: all of them.
        test: what the source itself holds out for tests; empty where it has no such split.
        folds: of `train`.
    """

    train: Examples
    test: Examples
    folds: Folds


def few_labels(
    examples: Examples,
    choice: FoldChoice,
    *,
    own: Mapping[str, Examples] | None = None,
    splits: SplitForm = USUAL_SPLITS,
    seed: int = 0,
    fast: bool = False,
) -> Few | None:
    """Returns examples for training in folds, or None where a validation split is cut off as ever.

    That is so with "none" or 1; and with "auto" from `FEW` labelled examples on that are not a test split of the source's
    own, where there is a validation split or source of its own, since then there is something to choose and judge by, and
    where other fractions than the usual ones are asked for. A number always gives so many folds; a validation split of the
    source's own is then learnt from, too.

    Args:
        examples: the whole source, without duplicates.
        choice: see `FoldChoice`.
        own: the parts that have sources of their own.
        splits: what was asked for.
        seed: decides the folds.
        fast: two folds of at most 64 examples, for rehearsals.

    Raises:
        UsageError: a class has too few examples to be in each fold; says what to do.
    """
    own = own or {}
    of_source = np.asarray(examples.splits) if examples.splits is not None else np.full(len(examples), "train")
    held, chosen = of_source == "test", of_source == "validation"
    enough = (~held).sum() >= FEW or chosen.any() or "validation" in own or splits.fractions != USUAL_SPLITS.fractions
    if choice in ("none", 1) or (choice == "auto" and enough):
        return None
    if "validation" in own:
        raise UsageError("`folds` and `validation_source`: folds have no validation set")
    train, test = examples.take(~held), own.get("test", examples.take(held))
    if chosen.any():
        print(f"{examples.name}: folds need no validation split, so its {chosen.sum():,} examples are learnt from, too")
    return Few(*(_sampled(train, test, seed) if fast else (train, test)), fold(train, choice, seed=seed, fast=fast))


def fold(train: Examples, choice: FoldChoice, *, seed: int = 0, fast: bool = False) -> Folds:
    """Deals examples out to folds; arguments and errors as `few_labels`.

    Classes and sets have each label evenly in all folds; numbers are dealt by their ranks, so that each fold has large and
    small ones.
    """
    groups = train.places.positions
    most = _most_folds(train, groups, choice)
    if fast:
        train = _sampled(train, train, seed)[0]
        return deal_folds(_members(train, 2), train.places.positions, folds=2, repeats=1, seed=seed)
    folds = choose_folds(choice, most)
    repeats = choose_repeats(folds, len(train))
    return deal_folds(_members(train, folds), groups, folds=folds, repeats=repeats, seed=seed)


def _sampled(train: Examples, test: Examples, seed: int) -> tuple[Examples, Examples]:
    return train.sample(64, seed=seed), test.sample(64, seed=seed)


def _most_folds(train: Examples, groups: np.ndarray, choice: FoldChoice) -> int:
    """Returns how many folds there can be, so that each has every class; refuses fewer than 3, or than are asked for."""
    found = {"": len(np.unique(groups))}
    if train.label_kind == "single":
        labels = train.known_labels
        found = {name: len(np.unique(groups[labels == c])) for c, name in enumerate(train.class_names)}
    rarest = min(found, key=lambda name: found[name])
    fewest, needed = found[rarest], FEWEST if choice == "auto" else int(choice)
    if fewest < needed:
        who = f"class {rarest!r} of {train.name}" if rarest else train.name
        todo = (
            "give fewer `folds`"
            if choice != "auto" and fewest >= 2
            else "add examples" + " or leave the class out" * bool(rarest)
        )
        copies = ", near copies of each other counted once" if train.of_kind.texts else ""
        raise UsageError(
            f"{who} has {fewest} example{'s' * (fewest != 1)}{copies}: {needed} are needed to learn from some and be tried on "
            f"others; {todo}"
        )
    return fewest


def _members(train: Examples, folds: int) -> np.ndarray:
    """Returns what is shared out evenly, 0 or 1, `(n, labels)`: the classes; of numbers strata of `folds` by rank."""
    labels = train.known_labels
    if labels.ndim == 2:
        return (labels > 0).astype(np.int64)
    if train.label_kind == "regression":
        labels = np.argsort(np.argsort(labels, kind="stable"), kind="stable") // folds
    return np.eye(int(labels.max()) + 1, dtype=np.int64)[labels]
