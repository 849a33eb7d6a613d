"""Figures of embeddings: does an example find others of its class among its nearest?"""

from collections.abc import Sequence

import numpy as np

CHUNK = 256


def retrieval_metrics(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    gallery: np.ndarray | None = None,
    gallery_labels: np.ndarray | None = None,
    cutoffs: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """Figures of searching by cosine similarity; of equally near ones the first in the gallery comes first.

    Args:
        embeddings: floats `(n, dim)`, one a query.
        labels: ints `(n,)`.
        gallery: floats `(m, dim)`, what is searched. Without it each query searches all the others.
        gallery_labels: ints `(m,)`, with `gallery`.
        cutoffs: the k of recall at k.

    Returns:
        `recall@K`, the share of the queries that have one of their class among the K nearest (Musgrave et al. 2020, section
        2); `mrr`, the mean of 1 / rank of the first of their class; `map`, the mean average precision over the whole
        ranking; `queries`, those that have one of their class to find: the others do not count.

    Raises:
        ValueError: shapes that do not match, vectors that are not finite, or nothing to find.
    """
    alone = gallery is None
    others, other_labels = (embeddings, labels) if gallery is None else (gallery, gallery_labels)
    queries, targets = _unit(embeddings, labels), _unit(others, other_labels)
    labels, other_labels = np.asarray(labels), np.asarray(other_labels)
    ranks, precisions = [], []
    for start in range(0, len(queries), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(queries)))
        nearness = queries[rows] @ targets.T
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


def _unit(embeddings: np.ndarray | None, labels: np.ndarray | None) -> np.ndarray:
    """Returns float64 vectors of length 1; a vector of zeros stays one."""
    if embeddings is None or labels is None:
        raise ValueError("gallery and gallery_labels go together")
    vectors = np.asarray(embeddings, np.float64)
    if vectors.ndim != 2 or len(vectors) != len(labels):
        raise ValueError(f"expected embeddings (n, dim) with n labels, received {vectors.shape} and {len(labels)}")
    if not np.isfinite(vectors).all():
        raise ValueError("expected finite embeddings, received nan or inf")
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
