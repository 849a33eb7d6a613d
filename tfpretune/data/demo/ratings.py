"""Sentences of reviews with mean ratings, in the source distribution of vaderSentiment. Imports no TensorFlow."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from tfpretune.data.demo.archives import Archive
from tfpretune.data.readers.records import Records

VADER = Archive(
    "vaderSentiment-3.3.2.tar.gz",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    "pip download vaderSentiment==3.3.2 --no-deps --no-binary :all:",
)
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
FILES = {"movie": "movieReviewSnippets_GroundTruth.txt", "amazon": "amazonReviewSnippets_GroundTruth.txt"}
NEUTRAL = 0.5
"""Mean ratings from -0.5 to 0.5 are neither positive nor negative."""


def ratings_of(kind: str) -> Callable[[Path], Records]:
    """Returns the reader of "movie" or "amazon": the label is the mean of about 20 ratings from -4 to 4."""

    def read(archive: Path) -> Records:
        rows = Records("text", label_kind="regression")
        _add(rows, archive, kind, f"demo:vader-{kind}", lambda rating: rating)
        return rows

    return read


def polarity_of(kind: str) -> Callable[[Path], Records]:
    """Returns the reader of the same texts as two classes: those rated beyond -0.5 and 0.5."""

    def read(archive: Path) -> Records:
        rows = Records("text", class_names=("neg", "pos"))
        _add(rows, archive, kind, f"demo:vader-{kind}-polar", _polarity)
        return rows

    return read


def _polarity(rating: str) -> str:
    number = float(rating)
    return "" if abs(number) <= NEUTRAL else ("pos" if number > 0 else "neg")


def _add(rows: Records, archive: Path, kind: str, name: str, label_of: Callable[[str], str]) -> None:
    with tarfile.open(archive) as outer:
        inner = io.BytesIO(_member(outer, INNER))
    with tarfile.open(fileobj=inner) as tar:
        text = _member(tar, f"hutto_ICWSM_2014/{FILES[kind]}").decode("utf-8-sig")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place, rating, sentence = line.split("\t", 2)
        if label := label_of(rating):
            rows.add_text(sentence, label, f"{name}:{number}")
            if kind == "amazon":
                rows.groups.append(place.partition("_")[0])  # "12_3" is the third sentence of review 12


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)  # read in memory, never written to a path that an archive names
    if file is None:
        raise ValueError(f"{name} is not a file")
    return file.read()
