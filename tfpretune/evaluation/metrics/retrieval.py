"""Figures of embeddings: does an example find others of its class among its nearest?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

CHUNK = 256
Vectors = Any
"""Rows of floats `(n, dim)`: an array of NumPy's, or a sparse matrix of SciPy's, which has no types."""


def retrieval_metrics(
    embeddings: Vectors,
    labels: np.ndarray,
    *,
    gallery: Vectors | None = None,
    gallery_labels: np.ndarray | None = None,
    cutoffs: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """Figures of searching by cosine similarity; of equally near ones the first in the gallery comes first.

    Args:
        embeddings: floats `(n, dim)`, one a query; NumPy's or, for words that are counted, a sparse matrix of SciPy's.
        labels: ints `(n,)`.
        gallery: floats `(m, dim)`, what is searched. Without it each query searches all the others.
        gallery_labels: ints `(m,)`, with `gallery`.
        cutoffs: the k of recall at k.

    Returns:
        `recall@K`, the fraction of the queries that have one of their class among the K nearest (Musgrave et al. 2020, section
        2); `mrr`, the mean of 1 / rank of the first of their class; `map`, the mean average precision over the whole
        ranking; `queries`, those that have one of their class to find: the others do not count.

    Raises:
        ValueError: shapes that do not match, vectors that are not finite, or nothing to find.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import retrieval_metrics
        >>> vectors, labels = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), np.array([0, 0, 1])
        >>> retrieval_metrics(vectors, labels, cutoffs=(1,))  # the third has none of its class to find
        {'recall@1': 1.0, 'mrr': 1.0, 'map': 1.0, 'queries': 2...}
    """
    alone = gallery is None
    others, other_labels = (embeddings, labels) if gallery is None else (gallery, gallery_labels)
    queries, targets = _unit(embeddings, labels), _unit(others, other_labels)
    labels, other_labels = np.asarray(labels), np.asarray(other_labels)
    ranks, precisions = [], []
    for start in range(0, len(labels), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(labels)))
        nearness = _nearness(queries[rows], targets)
        if alone:
            nearness[np.arange(len(rows)), rows] = -np.inf  # last, and cut off below
        order = np.argsort(-nearness, axis=1, kind="stable")
        hits = other_labels[order] == labels[rows, None]
        hits = hits[:, :-1] if alone else hits
        hits = hits[hits.any(axis=1)]
        ranks.append(hits.argmax(axis=1) + 1)
        at = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
        precisions.append((at * hits).sum(axis=1) / hits.sum(axis=1))
    first = np.concatenate(ranks)
    if not len(first):
        raise ValueError("no query has another example of its class to find")
    figures = {f"recall@{cutoff}": float((first <= cutoff).mean()) for cutoff in cutoffs}
    figures |= {"mrr": float((1 / first).mean()), "map": float(np.concatenate(precisions).mean())}
    return figures | {"queries": float(len(first))}


def nearest(queries: Vectors, gallery: Vectors, *, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each query the rows of the gallery by falling cosine, int64 `(n, most)`, and the cosines."""
    cosines = _nearness(_unit(queries, range(queries.shape[0])), _unit(gallery, range(gallery.shape[0])))
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
    return order, np.take_along_axis(cosines, order, axis=1)


def tfidf_vectors(
    train_texts: Sequence[str], test_texts: Sequence[str], *, characters: bool
) -> tuple[Vectors, Vectors]:
    """Counts words as `tfidf_baseline` does: what an embedding of texts has to beat.

    Args:
        train_texts: n texts, which decide what is counted and how much it weighs.
        test_texts: m texts.
        characters: True for runs of 1 to 3 characters (Chinese), False for runs of 1 to 2 words.

    Returns:
        Sparse vectors of both.
    """
    analyzer, longest = ("char", 3) if characters else ("word", 2)
    vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=(1, longest), sublinear_tf=True)
    return vectorizer.fit_transform(train_texts).tocsr(), vectorizer.transform(test_texts).tocsr()


def _nearness(queries: Vectors, targets: Vectors) -> np.ndarray:
    found = queries @ targets.T
    return found.toarray() if scipy.sparse.issparse(found) else found


def _unit(embeddings: Vectors | None, labels: Sequence[int] | np.ndarray | None) -> Vectors:
    """Returns float64 vectors of length 1; a vector of zeros stays one."""
    if embeddings is None or labels is None:
        raise ValueError("gallery and gallery_labels go together")
    if scipy.sparse.issparse(embeddings):
        return normalize(embeddings.astype(np.float64))
    vectors = np.asarray(embeddings, np.float64)
    if vectors.ndim != 2 or len(vectors) != len(labels):
        raise ValueError(f"expected embeddings (n, dim) with n labels, received {vectors.shape} and {len(labels)}")
    if not np.isfinite(vectors).all():
        raise ValueError("expected finite embeddings, received nan or inf")
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
