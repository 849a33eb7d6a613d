"""Parts that hold every class."""

import collections

import numpy as np
import pytest

from tfpretune.data.examples.examples import PARTS, Examples
from tfpretune.data.splits.rule import sides_of
from tfpretune.data.splits.strata import Members, members_of, stratified_sides

SHARES = (0.8, 0.1, 0.1)


def counts_of(labels, sides):
    """Returns class -> (train, validation, test)."""
    found = collections.defaultdict(lambda: [0, 0, 0])
    for label, side in zip(labels, sides, strict=True):
        found[label][side - 1] += 1
    return {label: tuple(counts) for label, counts in found.items()}


def examples_of(labels, *, name="word", **more):
    labels = np.array(labels, np.int32)
    classes = tuple(map(str, range(labels.max() + 1)))
    texts = [f"{name} {row}" for row in range(len(labels))]
    return Examples("text", texts, labels, classes, [str(row) for row in range(len(labels))], "toys", **more)


def test_by_hand():
    """Four of a class with positions that all lie in training: the highest is for the test, the next one for validation."""
    positions = np.array([0.3, 0.7, 0.1, 0.5])
    assert stratified_sides(positions, SHARES, members_of(np.zeros(4, int))).tolist() == [1, 3, 1, 2]
    crowded = np.array([0.99, 0.95, 0.93, 0.91])
    assert stratified_sides(crowded, SHARES, members_of(np.zeros(4, int))).tolist() == [3, 2, 1, 1]


@pytest.mark.parametrize("size", [3, 4, 7, 10, 19, 60, 400])
@pytest.mark.parametrize("shares", [SHARES, (0.5, 0.25, 0.25), (0.9, 0.1, 0.0)])
def test_every_part_has_about_its_share(size, shares):
    for seed in range(30):
        positions = np.random.default_rng(seed).random(size)
        sides = stratified_sides(positions, shares, members_of(np.zeros(size, int)))
        counts = np.bincount(sides, minlength=4)[1:]
        assert counts.sum() == size
        for count, share in zip(counts[1:], shares[1:], strict=True):
            least = max(1, int(share * size / 2)) if share else 0
            assert least <= count <= max(least, int(1.5 * share * size))
        assert counts[0] >= 1


def test_a_class_of_one_or_two_is_trained_on():
    for seed in range(50):
        positions = np.random.default_rng(seed).random(203)
        labels = np.array([*[0] * 200, 1, 2, 2])
        found = counts_of(labels, stratified_sides(positions, SHARES, members_of(labels)))
        assert found[1] == (1, 0, 0)
        assert found[2][0] >= 1


def test_where_all_classes_are_of_one_they_stay_where_they_are():
    positions = np.random.default_rng(0).random(100)
    assert (
        stratified_sides(positions, SHARES, members_of(np.arange(100))).tolist() == sides_of(positions, SHARES).tolist()
    )


def test_large_classes_stay_where_their_hash_puts_them():
    positions, labels = np.random.default_rng(0).random(4000), np.arange(4000) % 4
    np.testing.assert_array_equal(stratified_sides(positions, SHARES, members_of(labels)), sides_of(positions, SHARES))


def test_what_is_added_moves_few_others():
    labels = np.arange(120) % 6  # 20 of a class
    before, after = (examples_of([*labels, *more]).sides(SHARES) for more in ([], [0, 1, 2]))
    moved = before != after[:120]
    assert moved.sum() <= 6
    assert set(labels[moved]) <= {0, 1, 2}


def test_units_stay_together_and_the_rarest_class_goes_first():
    """Groups with two classes: the rare one is in every part, and no group is on two sides."""
    groups = np.repeat(np.arange(60), 3)
    labels = np.where(np.arange(180) % 3 == 0, (groups < 5).astype(int), 0)
    examples = examples_of(labels, groups=groups)
    sides = examples.sides(SHARES)
    for group in range(60):
        assert len(set(sides[groups == group])) == 1
    assert min(counts_of(labels, sides)[1]) >= 1


def test_sets_of_classes_and_rows_without_any():
    sets = np.zeros((200, 3), np.int32)
    sets[:150, 0] = 1
    sets[100:106, 1] = 1
    sets[103:106, 2] = 1
    positions = np.random.default_rng(1).random(200)
    sides = stratified_sides(positions, SHARES, members_of(sets))
    for column in range(3):
        assert set(sides[sets[:, column] == 1]) == {1, 2, 3}
    none = sets.sum(1) == 0
    np.testing.assert_array_equal(sides[none], sides_of(positions, SHARES)[none])


def test_members_of_some_rows():
    members = Members(np.array([0, 2, 2, 5]), np.array([7, 8, 9, 7])).take(np.array([2, 5]))
    assert (members.rows.tolist(), members.classes.tolist()) == ([0, 0, 1], [8, 9, 7])


def test_the_earlier_rule_is_kept_and_the_order_of_a_newspaper_too(capsys):
    examples = examples_of([0, 1] * 8)
    assert sum(len(examples.split(part)) for part in PARTS) == 16
    assert (
        "stand in another part than their contents alone would put them in, so that every class is in every part"
        in capsys.readouterr().out
    )
    expected = sides_of(examples.places.positions, SHARES)
    np.testing.assert_array_equal(examples.sides(SHARES, rule=2), expected)
    assert (examples.sides(SHARES) != expected).any()
    ordered = examples_of([0, 1] * 8, in_order=True)
    assert ordered.sides(SHARES).tolist() == sorted(ordered.sides(SHARES))


def test_what_is_left_of_a_source_keeps_the_sides_of_the_whole():
    examples = examples_of([0, 1, 2] * 9)
    sides = dict(zip(examples.where, examples.sides(SHARES), strict=True))
    for some in (examples.sample(9, seed=1), examples.take(examples.labels == 1)):
        assert [sides[where] for where in some.where] == some.sides(SHARES).tolist()
