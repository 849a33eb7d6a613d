"""Batches by number: the order is a pure function of the seed and the step."""

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.training import make_strategy

ROWS = {"x": np.arange(10, dtype=np.int32), "y": 100 + np.arange(10, dtype=np.int32)}


def add_seed(batch, seed):
    return batch | {"seed": seed}


def values(dataset, name="x"):
    return [batch[name].numpy().tolist() for batch in dataset]


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 25])
def test_a_batch_is_the_same_wherever_the_run_starts(batch_size):
    batches = StepIndexed(ROWS, batch_size, seed=7, transform=add_seed)
    whole = batches.from_step(0, 9)
    for name in ("x", "seed"):
        assert values(batches.from_step(5, 4), name) == values(whole, name)[5:]
    assert values(batches.from_step(5).take(1)) == values(whole)[5:6]


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 257])
def test_each_pass_is_another_permutation(rows):
    batches = StepIndexed({"x": np.arange(rows)}, 2, seed=3)
    seen = np.concatenate(values(batches.from_step(0, 2 * rows)))
    passes = seen.reshape(4, rows)
    for one in passes:
        np.testing.assert_array_equal(np.sort(one), np.arange(rows))
    if rows == 257:
        assert (passes[0] != passes[1]).mean() > 0.9
        assert (passes[0] != np.arange(rows)).mean() > 0.9


@pytest.mark.parametrize(("rows", "passes"), [(5, 500), (100, 500)])
def test_every_row_stands_in_every_place(rows, passes):
    """Pearson's statistic over places and rows is 1 a degree of freedom, (rows - 1)^2 of them, give or take 5 deviations.

    TensorFlow's own index_shuffle fails: keyed by the epoch it leaves one row in one place in two thirds of the passes.
    """
    batches = StepIndexed({"x": np.arange(rows)}, rows * 10, seed=0)
    seen = np.concatenate(values(batches.from_step(0, passes // 10))).reshape(passes, rows)
    counts = np.stack([np.bincount(place, minlength=rows) for place in seen.T])
    expected = passes / rows
    statistic = np.sum((counts - expected) ** 2 / expected) / (rows - 1) ** 2
    assert abs(statistic - 1) < 5 * np.sqrt(2) / (rows - 1)
    assert len({one.tobytes() for one in seen}) > (100 if rows == 5 else 499)  # of 120 orders of 5 rows


def test_arrays_are_copied_once(monkeypatch):
    copied, constant = [], tf.constant

    @tf.autograph.experimental.do_not_convert
    def counted(value, *args, **kwargs):
        if isinstance(value, np.ndarray):
            copied.append(value.shape)
        return constant(value, *args, **kwargs)

    monkeypatch.setattr(tf, "constant", counted)
    batches = StepIndexed(ROWS, 4, seed=1)
    first = values(batches.from_step(0, 3))
    assert copied == [(10,), (10,)]
    assert values(batches.from_step(0, 3)) == first
    batches.in_order()
    assert copied == [(10,), (10,)]


@pytest.mark.parametrize("replicas", [1, 2])
def test_what_is_kept_belongs_to_no_graph(replicas):
    batches = StepIndexed(ROWS, 4, seed=1)

    @tf.function
    def total():
        return batches.from_step(0, 3).reduce(0, lambda total, batch: total + tf.reduce_sum(batch["x"]))

    with make_strategy(replicas).scope():
        found = int(total())
    assert found == np.sum(values(batches.from_step(0, 3)))


def test_columns_stay_together():
    for batch in StepIndexed(ROWS, 4, seed=1).from_step(0, 5):
        np.testing.assert_array_equal(batch["y"], batch["x"] + 100)


def test_seeds_differ():
    """Another seed gives another order, and each step gives the transform another seed."""
    orders = {str(values(StepIndexed(ROWS, 10, seed=seed).from_step(0, 1))) for seed in (0, 1, 256, -1)}
    assert len(orders) == 4
    seeds = values(StepIndexed(ROWS, 4, seed=2**31 + 5, transform=add_seed).from_step(3, 2), "seed")
    assert seeds == [[5, 3], [5, 4]]


@pytest.mark.parametrize("size", [None, 1, 4, 10, 99])
def test_in_order_sees_each_row_once(size):
    batches = StepIndexed(ROWS, 3, seed=4, transform=add_seed)
    dataset = batches.in_order(size)
    assert np.concatenate(values(dataset)).tolist() == list(range(10))
    assert int(dataset.cardinality()) == len(values(dataset)) == -(-10 // (size or 3))
    assert values(dataset, "seed") == values(batches.in_order(size), "seed")


def test_cardinality_is_known():
    """Of unknown cardinality `fit` runs one step on no data."""
    batches = StepIndexed(ROWS, 3)
    assert int(batches.from_step(5, 4).cardinality()) == 4
    assert int(batches.from_step().cardinality()) == 2**48
    assert batches.steps_per_epoch == 4
    assert StepIndexed(ROWS, 5).steps_per_epoch == 2


def test_load_works_on_single_rows_in_the_same_order():
    def load(row):
        return row | {"x": row["x"] * 10, "size": tf.size(row["x"])}

    plain, loaded = StepIndexed(ROWS, 3, seed=5), StepIndexed(ROWS, 3, seed=5, load=load, transform=add_seed)
    np.testing.assert_array_equal(values(loaded.from_step(2, 4)), 10 * np.array(values(plain.from_step(2, 4))))
    assert values(loaded.in_order()) == [[0, 10, 20], [30, 40, 50], [60, 70, 80], [90]]
    assert values(loaded.in_order(), "size")[0] == [1, 1, 1]
    assert values(loaded.from_step(2, 2), "seed") == [[5, 2], [5, 3]]


def test_replicas_see_the_same_rows():
    strategy = make_strategy(2)
    batches = StepIndexed(ROWS, 3, seed=5)
    parts = strategy.experimental_distribute_dataset(batches.from_step(2, 4))
    found = [np.concatenate(strategy.experimental_local_results(part["x"])).tolist() for part in parts]
    assert found == values(batches.from_step(2, 4))


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="same number of rows, received {'x': 2, 'y': 3}"):
        StepIndexed({"x": np.zeros(2), "y": np.zeros(3)}, 1)
    with pytest.raises(ValueError, match="no rows: nothing to train on"):
        StepIndexed({"x": np.zeros(0)}, 1)
    with pytest.raises(ValueError, match="batch_size must be at least 1, received 0"):
        StepIndexed(ROWS, 0)
    with pytest.raises(ValueError, match="at least one column"):
        StepIndexed({}, 1)
