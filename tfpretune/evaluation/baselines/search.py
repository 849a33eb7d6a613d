"""Searching labelled examples by vectors, and the vectors that need no training."""

import dataclasses

from tfpretune.data.batches.examples import image_array
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.evaluation.baselines.linear import pixel_rows, reads_by_characters
from tfpretune.evaluation.metrics.retrieval import Vectors, retrieval_metrics, tfidf_vectors

SMALL = 32


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddingSpace:
    """Vectors of the same kind.

    Attributes:
        train: of the training examples, `(n, dim)`: the gallery that is searched.
        test: of the test examples, `(m, dim)`: the queries.
    """

    train: Vectors
    test: Vectors


def simple_space(parts: LabelledSplits, *, shape: tuple[int, int, int] | None) -> tuple[str, EmbeddingSpace]:
    """Returns what needs no training, and its name: TF-IDF of texts, the pixels of images (32 x 32 at most).

    Args:
        parts: the data.
        shape: height, width, channels of the images.
    """
    if shape is None:
        texts = parts.train.inputs
        characters = reads_by_characters(texts)
        return "TF-IDF", EmbeddingSpace(*tfidf_vectors(texts, parts.test.inputs, characters=characters))
    small = (min(shape[0], SMALL), min(shape[1], SMALL), shape[2])
    pixels = [pixel_rows(image_array(part, small)) for part in (parts.train, parts.test)]
    return "pixels", EmbeddingSpace(*pixels)


def search_metrics(space: EmbeddingSpace, parts: LabelledSplits) -> dict[str, float]:
    """Returns `retrieval_metrics` of test queries in the training examples, and `leave_one_out/…` of the test set in itself."""
    queries, gallery = parts.test.known_labels, parts.train.known_labels
    found = retrieval_metrics(space.test, queries, gallery=space.train, gallery_labels=gallery)
    alone = retrieval_metrics(space.test, queries)
    return found | {f"leave_one_out/{name}": value for name, value in alone.items()}
