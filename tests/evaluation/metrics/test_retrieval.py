import numpy as np
import pytest
import sklearn.metrics

from tfpretune.evaluation.metrics import retrieval
from tfpretune.evaluation.metrics.retrieval import nearest, retrieval_metrics, tfidf_vectors


def at(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def test_by_hand():
    """On a circle, nearest first. 0 (a): 20b 50a 180b -> rank 2, AP 1/2. 20 (b): 0a 50a 180b -> 3, 1/3.
    50 (a): 20b 0a 180b -> 2, 1/2. 180 (b): 50a 20b 0a -> 2, 1/2.
    """
    figures = retrieval_metrics(7 * at(0, 20, 50, 180), np.array([0, 1, 0, 1]), cutoffs=(1, 2, 3))
    expected = {"recall@1": 0, "recall@2": 3 / 4, "recall@3": 1, "mrr": (3 / 2 + 1 / 3) / 4, "map": (3 / 2 + 1 / 3) / 4}
    assert figures == pytest.approx(expected | {"queries": 4})


def test_average_precision_with_several_to_find():
    """Ranks 1 and 3 of the query's class: (1/1 + 2/3) / 2."""
    figures = retrieval_metrics(
        at(0), np.array([0]), gallery=at(10, 20, 30), gallery_labels=np.array([0, 1, 0]), cutoffs=(1,)
    )
    assert figures == pytest.approx({"recall@1": 1, "mrr": 1, "map": 5 / 6, "queries": 1})


def test_map_is_scikit_learns_and_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(30, 4)), rng.normal(size=(50, 4))
    labels, others = rng.integers(0, 3, 30), rng.integers(0, 3, 50)
    figures = retrieval_metrics(queries, labels, gallery=gallery, gallery_labels=others)
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (queries, gallery)]
    nearness = unit[0] @ unit[1].T
    precisions = [
        sklearn.metrics.average_precision_score(others == label, row)
        for label, row in zip(labels, nearness, strict=True)
    ]
    assert figures["map"] == pytest.approx(np.mean(precisions))
    monkeypatch.setattr(retrieval, "CHUNK", 7)
    assert retrieval_metrics(queries, labels, gallery=gallery, gallery_labels=others) == pytest.approx(figures)


def test_queries_alone_in_their_class_do_not_count():
    figures = retrieval_metrics(at(0, 10, 20), np.array([0, 0, 1]), cutoffs=(1,))
    assert (figures["queries"], figures["recall@1"]) == (2, 1)
    with pytest.raises(ValueError, match="no query has another example of its class"):
        retrieval_metrics(at(0, 10), np.array([0, 1]))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"received \(2, 2\) and 3"):
        retrieval_metrics(at(0, 10), np.zeros(3, int))
    with pytest.raises(ValueError, match="expected finite embeddings"):
        retrieval_metrics(np.full((2, 2), np.nan), np.zeros(2, int))
    with pytest.raises(ValueError, match="gallery and gallery_labels go together"):
        retrieval_metrics(at(0, 10), np.zeros(2, int), gallery=at(0))


def test_counted_words_give_what_the_same_numbers_in_full_give():
    """Sparse vectors, one of them of zeros, searched in themselves and in others."""
    train, test = tfidf_vectors(["a b", "b c c", "d"], ["b", "x", "c d"], characters=True)
    labels = np.array([0, 1, 1])
    for queries, settings in (
        (train, {}),
        (test, {"gallery": train, "gallery_labels": labels}),
    ):
        full = {name: value.toarray() if name == "gallery" else value for name, value in settings.items()}
        expected = retrieval_metrics(queries.toarray(), labels, **full)
        assert retrieval_metrics(queries, labels, **settings) == pytest.approx(expected)
    order, cosines = nearest(test, train, most=2)
    expected_order, expected_cosines = nearest(test.toarray(), train.toarray(), most=2)
    np.testing.assert_array_equal(order, expected_order)
    np.testing.assert_allclose(cosines, expected_cosines)
