"""How near copies of texts are found: how long it takes, how large the groups become, what the threshold lets through.

    python benchmarks/near_copies.py
    pip install --no-deps datasketch    # for its side

Of each source: the time for sketches and groups on one core, the largest group at three thresholds, and the least Jaccard
similarity of all pairs of texts that TF-IDF with a cosine above 0.9 finds alike. The last column is what datasketch takes for
the same texts, with the same runs of words, values and bands, for the sketches and the queries. Writes OUT_DIR/near_copies.md.
"""

import dataclasses
import importlib.util
import time
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from tfpretune.data.sources.examples import open_source
from tfpretune.data.splits import near_copies as groups
from tfpretune.data.splits.sketches import FEWEST_WORDS, RUN, VALUES, sketch
from tfpretune.data.text.cleaning import normal_form
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.settings import launch

THRESHOLDS = (0.25, 0.3, groups.NEAR)
COSINE = 0.9
ROWS = 500  # of the cosines at once


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/near_copies"
    """Folder for near_copies.md."""
    sources: tuple[str, ...] = ("demo:bbc", "demo:reviews-zh", "demo:people-daily")
    """Texts."""
    most: int = 0
    """Take at most so many texts of a source; 0 takes all."""
    fast: bool = False
    """300 texts a source, for tests."""


def main(run: Config) -> Table:
    """One line a source."""
    rows: list[list[Cell]] = []
    for source in run.sources:
        examples = open_source(source).without_duplicates()
        most = 300 if run.fast else run.most
        texts = [str(text) for text in (examples.sample(most) if most else examples).inputs]
        start = time.process_time()
        _, sketches = sketch(texts)
        found = groups.near_copies([sketches], len(texts))
        seconds = time.process_time() - start
        line: list[Cell] = [source, len(texts), seconds, found.counts.texts, *largest(sketches)]
        rows.append([*line, least_alike(texts), seconds_of_datasketch(texts)])
    table = Table(
        "Near copies",
        ("", "texts", "CPU s", "in groups", *(f"largest at {each:g}" for each in THRESHOLDS))
        + (f"least Jaccard, cosine > {COSINE:g}", "datasketch, CPU s"),
        rows,
    )
    Path(run.out_dir).mkdir(parents=True, exist_ok=True)
    Path(run.out_dir, "near_copies.md").write_text(table.markdown(), "utf-8")
    print(table.markdown())
    return table


def largest(sketches: np.ndarray) -> list[int]:
    """Texts of the largest group that chains of pairs above each threshold make: every text beside every other."""
    different = np.unique(sketches, axis=0)
    forests = [groups.Forest(len(different)) for _ in THRESHOLDS]
    for row in range(len(different) - 1):
        shares = (different[row + 1 :] == different[row]).mean(axis=1)
        for forest, threshold in zip(forests, THRESHOLDS, strict=True):
            near = np.flatnonzero(shares >= threshold) + row + 1
            forest.join(np.full(len(near), row), near)
    every = np.arange(len(different))
    return [int(np.bincount(forest.roots(every)).max(initial=0)) for forest in forests]


def least_alike(texts: list[str]) -> float | None:
    """The least exact Jaccard similarity of the pairs with a high TF-IDF cosine; None where there is no such pair."""
    long = [text for text in texts if len(runs_of(text)) > FEWEST_WORDS - RUN]
    vectors = TfidfVectorizer(tokenizer=words_of, token_pattern=None).fit_transform(long)
    found: list[float] = []
    for start in range(0, len(long), ROWS):
        cosines = (vectors[start : start + ROWS] @ vectors.T).tocoo()
        alike = (cosines.data > COSINE) & (cosines.row + start < cosines.col)
        for one, other in zip(cosines.row[alike] + start, cosines.col[alike], strict=True):
            mine, its = runs_of(long[one]), runs_of(long[other])
            found.append(len(mine & its) / len(mine | its))
    return min(found, default=None)


def seconds_of_datasketch(texts: list[str]) -> float | None:
    """CPU seconds of datasketch for sketches, the index and a query for each text; None where it is not installed."""
    if importlib.util.find_spec("datasketch") is None:
        return None
    import datasketch

    start = time.process_time()
    index = datasketch.MinHashLSH(num_perm=VALUES, params=(VALUES // 3, 3))
    sketches = []
    for number, text in enumerate(texts):
        if len(runs := runs_of(text)) > FEWEST_WORDS - RUN:
            own = datasketch.MinHash(num_perm=VALUES)
            own.update_batch([run.encode() for run in runs])
            sketches.append(own)
            index.insert(str(number), own)
    for own in sketches:
        index.query(own)
    return time.process_time() - start


def runs_of(text: str) -> set[str]:
    """The runs of three words."""
    words = words_of(text)
    return {" ".join(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}


def words_of(text: str) -> list[str]:
    """Letters and digits in a row; of Chinese each character is one."""
    spaced = "".join(f" {c} " if "\u4e00" <= c <= "\u9fff" else c if c.isalnum() else " " for c in normal_form(text))
    return spaced.split()


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
