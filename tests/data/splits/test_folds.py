"""Folds beside scikit-learn's repeated stratified k-fold, groups on one side, sets of labels."""

import numpy as np
import pytest
from sklearn.model_selection import RepeatedStratifiedKFold

from tfpretune.data.splits.folds import FOLDS, MOST_FITS, choose_folds, choose_repeats, deal_folds
from tfpretune.errors import UsageError


def dealt(labels, groups=None, *, folds=5, repeats=2, seed=0):
    members = labels if labels.ndim == 2 else np.eye(labels.max() + 1, dtype=int)[labels]
    return deal_folds(
        members, np.arange(len(labels)) if groups is None else groups, folds=folds, repeats=repeats, seed=seed
    )


@pytest.mark.parametrize("sizes", [(8, 8), (7, 9, 5), (50, 5), (11, 12, 13, 14)])
def test_each_row_is_held_out_once_a_repeat_and_classes_are_even_as_scikit_learns(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    found = dealt(labels)
    assert (found.count, found.repeats, found.fits) == (5, 2, 10)
    assert not np.array_equal(found.numbers[0], found.numbers[1])
    theirs = np.zeros((2, len(labels)), int)
    splits = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0).split(labels, labels)
    for number, (_, held) in enumerate(splits):
        theirs[number // 5, held] = number % 5
    for ours, other in zip(found.numbers, theirs, strict=True):
        counts, expected = (
            np.array([np.bincount(row[labels == c], minlength=5) for c in set(labels)]) for row in (ours, other)
        )
        np.testing.assert_array_equal(np.sort(counts, axis=1), np.sort(expected, axis=1))
        sizes_of_folds = counts.sum(axis=0)
        assert sizes_of_folds.sum() == len(labels)
        assert np.ptp(sizes_of_folds) <= 1  # theirs may differ by more


def test_the_seed_decides():
    labels = np.repeat([0, 1], 10)
    np.testing.assert_array_equal(dealt(labels, seed=3).numbers, dealt(labels, seed=3).numbers)
    assert not np.array_equal(dealt(labels, seed=3).numbers, dealt(labels, seed=4).numbers)


def test_groups_stay_together_and_labels_nearly_even():
    random = np.random.default_rng(0)
    groups = random.integers(0, 24, 60)
    labels = (groups % 3 == 0).astype(int)
    found = dealt(labels, groups * 0.01)  # any numbers
    for numbers in found.numbers:
        assert all(len(set(numbers[groups == group])) == 1 for group in set(groups))
        assert np.ptp(np.bincount(numbers[labels == 1], minlength=5)) <= max(np.bincount(groups))
    assert all(len(set(found.groups[groups == group])) == 1 for group in set(groups))


def test_each_label_of_sets_is_in_all_folds():
    random = np.random.default_rng(1)
    sets = (random.random((80, 4)) < (0.5, 0.3, 0.2, 0.1)).astype(int)
    for numbers in dealt(sets).numbers:
        counts = np.array([sets[numbers == fold].sum(0) for fold in range(5)])
        assert (np.abs(counts - sets.sum(0) / 5) < 2).all()
        assert np.ptp(np.bincount(numbers)) <= 3


def test_numbers_of_folds_and_repeats():
    assert (choose_folds("auto", 40), choose_folds("auto", 3), choose_folds(7, 8)) == (FOLDS, 3, 7)
    with pytest.raises(UsageError, match="`folds` 9: there can be 8 at most"):
        choose_folds(9, 8)
    assert [choose_repeats(5, n) for n in (16, 60, 133, 134, 199)] == [2, 2, 2, 1, 1]
    assert (choose_repeats(3, 16), choose_repeats(20, 30)) == (3, 1)
    assert all(k * choose_repeats(k, 12) <= MOST_FITS for k in range(2, 11))
