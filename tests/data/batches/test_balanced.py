"""Class-balanced batches: what is in them, and that they depend on the seed and the step alone."""

import numpy as np
import pytest

from tfpretune.data.batches.balanced import ClassBalanced, class_balanced
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import UsageError

LABELS = np.array([7] * 9 + [2] * 4 + [5] * 30 + [0] * 3, np.int32)
COLUMNS = {"x": np.arange(46), "labels": LABELS}


def make(batch_size=8, per_class=4, seed=3):
    return ClassBalanced(COLUMNS, batch_size, per_class=per_class, seed=seed, transform=lambda b, s: b | {"seed": s})


def test_a_batch_holds_groups_of_one_class_each():
    for batch in make().from_step(0, 40):
        groups = batch["labels"].numpy().reshape(2, 4)
        assert (groups == groups[:, :1]).all()
        np.testing.assert_array_equal(batch["labels"], LABELS[batch["x"].numpy()])


def test_all_classes_come_equally_often_and_all_their_examples():
    """20 passes over 4 classes: 20 groups of 4 each. Of 9 examples a pass takes 8, of 4 all, of 3 one twice."""
    batches = make()
    rows = np.concatenate([batches.rows(step) for step in range(40)]).reshape(80, 4)
    kinds = LABELS[rows[:, 0]]
    assert {kind: int((kinds == kind).sum()) for kind in (7, 2, 5, 0)} == {7: 20, 2: 20, 5: 20, 0: 20}
    for start in range(0, 80, 4):
        assert sorted(kinds[start : start + 4].tolist()) == [0, 2, 5, 7]
    assert len({tuple(kinds[start : start + 4].tolist()) for start in range(0, 80, 4)}) > 5
    for pair in rows[kinds == 7].reshape(10, 8):
        assert len(set(pair.tolist())) == 8
    assert set(rows[kinds == 7].ravel().tolist()) == set(range(9))
    assert all(len(set(group.tolist())) == 4 for group in rows[kinds == 2])
    assert len({tuple(group.tolist()) for group in rows[kinds == 2]}) > 10
    assert set(rows[kinds == 5].ravel().tolist()) == set(range(13, 43))
    assert {len(set(group.tolist())) for group in rows[kinds == 0]} == {3}


def test_a_batch_is_the_same_wherever_the_run_starts():
    whole = [batch["x"].numpy().tolist() for batch in make().from_step(0, 12)]
    assert [batch["x"].numpy().tolist() for batch in make().from_step(7, 5)] == whole[7:]
    assert make().rows(9).tolist() == whole[9]
    assert [batch["x"].numpy().tolist() for batch in make(seed=4).from_step(0, 12)] != whole
    assert [batch["seed"].numpy().tolist() for batch in make().from_step(5, 2)] == [[3, 5], [3, 6]]


def test_plain_batches_become_balanced_ones():
    plain = StepIndexed(COLUMNS, 8, seed=3)
    assert class_balanced(plain, 0) is plain
    assert class_balanced(plain, 4).rows(5).tolist() == make().rows(5).tolist()
    in_order = np.concatenate([batch["x"].numpy() for batch in class_balanced(plain, 4).in_order()])
    np.testing.assert_array_equal(in_order, np.arange(46))


@pytest.mark.parametrize("per_class", [1, 3, 16])
def test_sizes_that_do_not_fit_are_refused(per_class):
    with pytest.raises(UsageError, match=f"divide `batch_size` 8, received {per_class}"):
        make(per_class=per_class)
