"""Masks: their counts, what they never touch, and that they are pure functions of (batch, seed)."""

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.data.masking.tokens import mask_tokens

SPECIAL = (0, 2, 3, 4)  # [PAD] [CLS] [SEP] [MASK]; 1 is [UNK]
IDS = {"vocabulary_size": 1000, "mask_token_id": 4, "special_token_ids": SPECIAL}
SEED = tf.constant([1, 2])


def mask(rows, seed=SEED, **settings):
    masked = mask_tokens(tf.constant(rows, tf.int32), seed, **IDS | settings)
    return {name: column.numpy() for name, column in masked.items()}


def test_shares_on_a_big_draw():
    """64,000 tokens, 16,000 chosen: 80 / 10 / 10 %, each within five standard deviations."""
    rows = np.random.default_rng(0).integers(5, 1000, (1000, 64))
    masked = mask(rows, mask_rate=0.25)
    assert masked["mask_weights"].sum() == 1000 * 16
    np.testing.assert_array_equal(masked["mask_ids"], np.take_along_axis(rows, masked["mask_positions"], 1))
    shown = np.take_along_axis(masked["token_ids"], masked["mask_positions"], 1)
    hidden, same = shown == 4, shown == masked["mask_ids"]
    count = hidden.size
    assert abs(hidden.mean() - 0.8) < 5 * np.sqrt(0.8 * 0.2 / count)
    assert abs(same.mean() - 0.1) < 5 * np.sqrt(0.1 * 0.9 / count)
    swapped = shown[~hidden & ~same]
    assert abs(len(swapped) / count - 0.1) < 5 * np.sqrt(0.1 * 0.9 / count)
    assert len(np.unique(swapped)) > 500  # drawn from all of the vocabulary


def test_only_chosen_tokens_change():
    rows = np.random.default_rng(0).integers(0, 12, (200, 20))
    masked = mask(rows)
    chosen = np.zeros(rows.shape, bool)
    for row, (positions, weights) in enumerate(zip(masked["mask_positions"], masked["mask_weights"], strict=True)):
        chosen[row, positions[weights == 1]] = True
    assert not np.isin(rows[chosen], SPECIAL).any()
    np.testing.assert_array_equal(masked["token_ids"][~chosen], rows[~chosen])
    assert (rows[chosen] == 1).any()  # [UNK] is no special token here


def test_each_place_is_as_likely():
    """Over 4,000 rows of 8 with 2 chosen, each place is chosen 1,000 times, give or take five deviations of 27."""
    masked = mask(np.full((4000, 8), 9), mask_rate=0.25)
    counts = np.bincount(masked["mask_positions"].ravel(), minlength=8)
    assert abs(counts - 1000).max() < 140


def test_the_same_batch_and_seed_give_the_same_masks():
    rows = np.random.default_rng(0).integers(5, 1000, (8, 32))
    first, again, other = mask(rows), mask(rows), mask(rows, tf.constant([1, 3]))
    for name, column in first.items():
        np.testing.assert_array_equal(again[name], column)
    assert (other["mask_positions"] != first["mask_positions"]).any()
    assert (first["mask_positions"][0] != first["mask_positions"][1]).any()


def test_short_rows_use_fewer_slots():
    """10 places at 0.3 are 3 slots. Candidates 10, 4, 1 and 0: 3, 1 (1.2 rounded), 1 (at least one) and 0 are chosen."""
    rows = [[9] * 10, [2, 9, 9, 9, 9, 3, 0, 0, 0, 0], [2, 9, 3, 0, 0, 0, 0, 0, 0, 0], [2, 3] + [0] * 8]
    masked = mask(rows, mask_rate=0.3)
    np.testing.assert_array_equal(masked["mask_weights"], [[1, 1, 1], [1, 0, 0], [1, 0, 0], [0, 0, 0]])
    assert masked["mask_positions"][2, 0] == 1
    assert 1 <= masked["mask_positions"][1, 0] <= 4
    np.testing.assert_array_equal(masked["token_ids"][3], rows[3])


@pytest.mark.parametrize("mask_rate", [0.01, 0.15, 0.95, 1.0])
def test_lengths_that_a_graph_does_not_know(mask_rate):
    """The same tokens are chosen whether or not the graph knows the length; a slot more may stand unused."""
    rows = np.random.default_rng(0).integers(0, 12, (5, 7))
    traced = tf.function(lambda ids: mask_tokens(ids, SEED, **IDS, mask_rate=mask_rate))
    traced = traced.get_concrete_function(tf.TensorSpec((None, None), tf.int32))
    found, known = traced(tf.constant(rows, tf.int32)), mask(rows, mask_rate=mask_rate)
    used = [part["mask_positions"][np.asarray(part["mask_weights"]) == 1] for part in (found, known)]
    np.testing.assert_array_equal(*used)


def test_mask_rate_is_checked():
    for wrong in (0.0, 1.1, -0.1):
        with pytest.raises(ValueError, match=rf"mask_rate must be in \(0, 1\], received {wrong}"):
            mask([[9, 9]], mask_rate=wrong)
