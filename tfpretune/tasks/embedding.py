"""What a run that makes embeddings measures, compares itself with and shows."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.examples import image_array
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledParts
from tfpretune.evaluation.baselines.linear import pixel_rows, reads_by_characters
from tfpretune.evaluation.metrics.retrieval import Vectors, nearest, retrieval_metrics, tfidf_vectors
from tfpretune.evaluation.report.kinds import SHOWN
from tfpretune.evaluation.report.pictures import Pictures
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.objectives import Supervised

FIGURES = ("recall@1", "recall@5", "recall@10", "mrr", "map")
COLUMNS = ("", "recall@1", "recall@5", "recall@10", "MRR", "mAP")
SMALL = 32
SHOWN_TEXT = 120


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """Vectors of the same kind.

    Attributes:
        train: of the training examples, `(n, dim)`: the gallery that is searched.
        test: of the test examples, `(m, dim)`: the queries.
    """

    train: Vectors
    test: Vectors


def embedding_predictor(model: Supervised) -> Callable[[tf.data.Dataset], np.ndarray]:
    """Returns a function from batches to unit vectors `(rows, size)`, with the weights that the model has when called."""
    call = tf.function(
        lambda inputs: model.target.activate(tf.cast(model(inputs, training=False), tf.float32)), reduce_retracing=True
    )
    return lambda batches: np.concatenate([call(model.pick_inputs(batch)).numpy() for batch in batches])


def simple_space(parts: LabelledParts, *, shape: tuple[int, int, int] | None) -> tuple[str, Space]:
    """Returns what needs no training, and its name: TF-IDF of texts, the pixels of images (32 x 32 at most).

    Args:
        parts: the data.
        shape: height, width, channels of the images.
    """
    if shape is None:
        texts = parts.train.inputs
        characters = reads_by_characters(texts)
        return "TF-IDF", Space(*tfidf_vectors(texts, parts.test.inputs, characters=characters))
    small = (min(shape[0], SMALL), min(shape[1], SMALL), shape[2])
    pixels = [pixel_rows(image_array(part, small)) for part in (parts.train, parts.test)]
    return "pixels", Space(*pixels)


def search_metrics(space: Space, parts: LabelledParts) -> dict[str, float]:
    """Returns `retrieval_metrics` of test queries in the training examples, and `leave_one_out/…` of the test set in itself."""
    queries, gallery = parts.test.known_labels, parts.train.known_labels
    found = retrieval_metrics(space.test, queries, gallery=space.train, gallery_labels=gallery)
    alone = retrieval_metrics(space.test, queries)
    return found | {f"leave_one_out/{name}": value for name, value in alone.items()}


def search_tables(found: Mapping[str, Mapping[str, float]]) -> list[Table]:
    """Returns one table for each way of searching, with a row for each kind of vectors."""
    titles = {
        "": "Test queries, searched in the training examples",
        "leave_one_out/": "The test set, searched in itself",
    }
    return [
        Table(title, COLUMNS, [[name, *(figures[start + key] for key in FIGURES)] for name, figures in found.items()])
        for start, title in titles.items()
    ]


def show_nearest(
    space: Space, parts: LabelledParts, *, queries: int = 6, most: int = 5
) -> tuple[Table, list[Pictures]]:
    """Returns a few test examples and what is nearest to them among the training examples: a table; of images pictures, too.

    Args:
        space: of the trained model.
        parts: the data.
        queries: how many, spread over the test set.
        most: how many neighbours.
    """
    train, test = parts.train, parts.test
    rows = np.unique(np.linspace(0, len(test) - 1, queries).astype(int))
    order, cosines = nearest(space.test[rows], space.train, most=most)
    cells: list[list[Cell]] = []
    for row, neighbours, near in zip(rows, order, cosines, strict=True):
        for number, cosine in zip(neighbours, near, strict=True):
            asked, found = (_shown(part, int(place)) for part, place in ((test, row), (train, number)))
            cells.append([asked, found, float(cosine)])
    table = Table("Nearest training examples", ("test query", "found", "cosine"), cells)
    if not SHOWN[test.kind].picture:
        return table, []
    sides = (SMALL * 2, SMALL * 2, 3) if not isinstance(test.inputs, np.ndarray) else test.inputs.shape[1:]
    strips = {
        f"{test.class_names[test.known_labels[row]]}, row {row}": np.concatenate(
            [image_array(test.take([row]), sides), image_array(train.take(neighbours), sides)]
        )
        for row, neighbours in zip(rows, order, strict=True)
    }
    return table, [Pictures("Test images, and their nearest training images", strips)]


def _shown(examples: Examples, row: int) -> str:
    name = examples.class_names[examples.known_labels[row]]
    what = examples.where[row] if SHOWN[examples.kind].picture else examples.inputs[row]
    return f"[{name}] {what[:SHOWN_TEXT]}{' …' if len(what) > SHOWN_TEXT else ''}"
