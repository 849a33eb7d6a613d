"""Several sources in one batch: exact shares, and still a pure function of the step."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.data.batches.mixing import Mixed, batch_fractions, progress
from tfpretune.data.batches.step_indexed import StepIndexed


def make_source(first, rows, batch_size, *, labels=True, seed=0, transform=None):
    columns = {"x": np.arange(first, first + rows, dtype=np.float32)}
    if labels:
        columns["labels"] = np.arange(rows, dtype=np.int32)
    return StepIndexed(columns, batch_size, seed=seed, transform=transform)


def make_mix(**settings):
    """Rows 0..9 with labels, rows 100..106 without: four and two in a batch."""
    sources = [make_source(0, 10, 4, seed=1), make_source(100, 7, 2, labels=False, seed=2)]
    return Mixed(sources, **{"fill": {"labels": -1}} | settings)


def as_lists(dataset):
    return [{name: column.numpy().tolist() for name, column in batch.items()} for batch in dataset]


@pytest.mark.parametrize(
    ("sizes", "temperature", "expected"),
    [
        ([900, 100], 1.0, (9, 1)),
        ([900, 100], math.inf, (5, 5)),
        ([900, 100], 2.0, (8, 2)),  # 30 : 10 is 7.5 : 2.5, and of equal remainders the first source gets the row
        ([700, 200, 100], 1.0, (7, 2, 1)),
        ([10**6, 1, 1], 1.0, (8, 1, 1)),  # one at least
        ([1, 1, 1], 1.0, (4, 3, 3)),
    ],
)
def test_shares_by_hand(sizes, temperature, expected):
    assert batch_fractions(sizes, 10, temperature=temperature) == expected


def test_shares_always_fill_the_batch():
    generator = np.random.default_rng(0)
    for _ in range(200):
        sizes = generator.integers(1, 10_000, generator.integers(1, 9)).tolist()
        shares = batch_fractions(sizes, 16, temperature=float(generator.uniform(0.5, 20)))
        assert (sum(shares), min(shares) >= 1) == (16, True)


def test_every_batch_has_its_shares():
    for batch in as_lists(make_mix().from_step(0, 9)):
        assert batch["domains"] == [0, 1, 0, 0, 1, 0]  # dealt out evenly
        assert [value >= 100 for value in batch["x"]] == [False, True, False, False, True, False]
        labels = [value if value < 100 else -1 for value in batch["x"]]
        assert batch["labels"] == labels


def test_each_source_keeps_its_own_passes():
    """Ten rows four at a time: 5 steps are 2 passes; seven rows two at a time: 7 steps are 2."""
    batches = as_lists(make_mix().from_step(0, 35))
    for number, rows, steps in ((0, range(10), 5), (1, range(100, 107), 7)):
        seen = [
            x for batch in batches[:steps] for x, d in zip(batch["x"], batch["domains"], strict=True) if d == number
        ]
        assert sorted(seen) == sorted([*rows, *rows])


def test_a_batch_is_the_same_wherever_the_run_starts():
    def noise(batch, seed):
        return batch | {"x": batch["x"] + tf.random.stateless_normal(tf.shape(batch["x"]), seed)}

    own = make_source(0, 10, 4, seed=1, transform=noise)
    mix = Mixed([own, make_source(100, 7, 2, seed=2)], transform=progress(9), seed=5)
    whole = as_lists(mix.from_step(0, 9))
    assert as_lists(mix.from_step(6, 3)) == whole[6:]
    assert as_lists(mix.from_step(6).take(1)) == whole[6:7]
    assert whole[0]["x"] != whole[5]["x"]
    assert (mix.batch_size, mix.num_rows, mix.steps_per_epoch) == (6, 17, 3)


def test_progress_by_hand():
    batches = as_lists(make_mix(transform=progress(4)).from_step(0, 6))
    assert [batch["progress"] for batch in batches] == [[share] * 6 for share in (0, 0.25, 0.5, 0.75, 1, 1)]


def test_in_order_gives_every_row_once():
    batches = as_lists(make_mix(transform=progress(100)).in_order(4))
    assert [x for batch in batches for x in batch["x"]] == [*range(10), *range(100, 107)]
    assert [len(batch["x"]) for batch in batches] == [4, 4, 2, 4, 3]
    assert [batch["domains"] for batch in batches] == [[0] * 4, [0] * 4, [0] * 2, [1] * 4, [1] * 3]
    np.testing.assert_allclose([batch["progress"][0] for batch in batches], [0.0, 0.01, 0.02, 0.03, 0.04])
    assert make_mix().in_order().cardinality() == 4


def test_row_numbers_and_columns_count_over_all_sources():
    """What a message about a bad row names, and what the check of the ranges reads."""
    mix = make_mix()
    batch = as_lists(mix.from_step(3, 1))[0]
    rows = mix.rows(3)
    assert [x if x < 100 else x - 90 for x in batch["x"]] == rows.tolist()
    assert mix.columns["x"].read(rows).tolist() == batch["x"]
    assert mix.columns["labels"].read(rows).tolist() == batch["labels"]
    assert len(mix.columns["labels"]) == 17


def test_sources_that_do_not_go_together():
    with pytest.raises(ValueError, match=r"source 1 lacks the column 'labels'.*give fill\['labels'\]"):
        make_mix(fill={})
    with pytest.raises(ValueError, match="have a column 'x' already"):
        make_mix(column="x")
    other = StepIndexed({"x": np.zeros((3, 2), np.float32)}, 2)
    with pytest.raises(ValueError, match="'x' must have the same type and shape in every source"):
        Mixed([make_source(0, 3, 2, labels=False), other])
    with pytest.raises(ValueError, match="at least one source"):
        Mixed([])
    with pytest.raises(ValueError, match="a batch_size of at least one row a source"):
        batch_fractions([5, 5, 5], 2)
    with pytest.raises(ValueError, match="total_steps must be at least 1"):
        progress(0)
