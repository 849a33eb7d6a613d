"""Tables and pictures of searching labelled examples by vectors."""

from collections.abc import Mapping

import numpy as np

from tfpretune.data.batches.examples import image_array
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.evaluation.baselines.search import SMALL, EmbeddingSpace
from tfpretune.evaluation.metrics.retrieval import nearest
from tfpretune.evaluation.report.kinds import SHOWN
from tfpretune.evaluation.report.pictures import Pictures
from tfpretune.evaluation.report.tables import Cell, Table

FIGURES = ("recall@1", "recall@5", "recall@10", "mrr", "map")
COLUMNS = ("", "recall@1", "recall@5", "recall@10", "MRR", "mAP")
SHOWN_TEXT = 120


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
    space: EmbeddingSpace, parts: LabelledSplits, *, queries: int = 6, most: int = 5
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
