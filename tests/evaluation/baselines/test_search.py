"""Searching with embeddings, worked by hand."""

import numpy as np
import pytest

from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.evaluation.baselines.search import EmbeddingSpace, search_metrics, simple_space
from tfpretune.evaluation.report.search import show_nearest


def test_searching_by_hand():
    """Cosines: the query along x finds the a at 0 degrees, then the b at 45; the other is of class b and finds the b."""
    train = Examples("text", ["on x", "between"], np.array([0, 1], np.int32), ("a", "b"), ["1", "2"], "toy")
    test = Examples("text", ["query", "other"], np.array([1, 1], np.int32), ("a", "b"), ["3", "4"], "toy")
    parts = LabelledSplits(train, test, test)
    space = EmbeddingSpace(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 0.0], [0.0, 1.0]]))
    found = search_metrics(space, parts)
    assert found["recall@1"] == 0.5
    assert found["mrr"] == found["map"] == 0.75
    assert found["leave_one_out/recall@1"] == 1.0
    table, pictures = show_nearest(space, parts, queries=2, most=1)
    assert pictures == []
    assert [row[:2] for row in table.rows] == [["[b] query", "[a] on x"], ["[b] other", "[b] between"]]
    assert [row[2] for row in table.rows] == pytest.approx([1.0, 0.5**0.5])


def test_words_and_pixels_need_no_training():
    train = Examples("text", ["one two", "three"], np.array([0, 1], np.int32), ("a", "b"), ["1", "2"], "toy")
    parts = LabelledSplits(train, train, train.take([0, 0, 1, 1]))
    name, space = simple_space(parts, shape=None)
    assert (name, search_metrics(space, parts)["map"]) == ("TF-IDF", 1.0)
    pixels = Examples("image", np.full((2, 64, 40, 1), 51, np.uint8), train.labels, ("a", "b"), ["1", "2"], "toy")
    name, space = simple_space(LabelledSplits(pixels, pixels, pixels), shape=(64, 40, 1))
    assert (name, space.train.shape, float(space.train.max())) == ("pixels", (2, 32 * 32), 0.2)
