"""How fast `tfpretune predict --source` answers, beside a loop that asks for one row at a time.

    python benchmarks/predicting.py

A text model ("mini", 128 tokens) on the texts of demo:reviews-zh, written as a CSV file, and an image model ("cnn-small") on
the digits of demo:mnist5k, written as PNG files. Random weights, which take the same time as trained ones. Both sides read the
files, write all answers and find the export open; the median of the rounds counts. Writes the table to OUT_DIR/predicting.md.
"""

import csv
import dataclasses
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image

from tfpretune.backbones.by_name import make_image_backbone, make_text_backbone
from tfpretune.backbones.text.text_encoder import TextEncoderTokenizer
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.text.tokens import train_wordpiece
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.finetune import classifier
from tfpretune.serving import export
from tfpretune.serving.asking import many
from tfpretune.serving.asking.models import FolderModel, read_file
from tfpretune.serving.asking.results import Results
from tfpretune.serving.asking.sources import SentForm, rows_of
from tfpretune.settings import launch

COLUMNS = ("", "rows", "one at a time, rows/s", "batches of 32, rows/s", "times faster", "times less processor time")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/predicting"
    """Folder for predicting.md."""
    rows: int = 2000
    """Rows of each source."""
    rounds: int = 3
    """How often each side is measured, in turn."""


def main(run: Config) -> Table:
    """Both models, both sides in turn."""
    rows: list[list[Cell]] = []
    for name, make in (("reviews-zh, mini, 128 tokens", _texts), ("mnist5k, cnn-small, PNG files", _digits)):
        with tempfile.TemporaryDirectory() as folder:
            served, source = make(Path(folder), run.rows)
            sides = [_one_by_one, _in_batches]
            for side in sides:  # traces and the system's copy of the files
                side(served, source, Path(folder, "first.jsonl"), 64)
            found = np.array(
                [
                    [side(served, source, Path(folder, "all.jsonl"), run.rows) for side in sides]
                    for _ in range(run.rounds)
                ]
            )
        (slow, slow_cpu), (quick, quick_cpu) = np.median(found, axis=0)
        speeds: list[Cell] = [f"{run.rows / seconds:,.0f}" for seconds in (slow, quick)]
        rows.append([name, run.rows, *speeds, f"{slow / quick:.1f}", f"{slow_cpu / quick_cpu:.1f}"])
    table = Table(
        "Answers to all rows of a source", COLUMNS, rows, note=f"Median of {run.rounds} rounds, sides in turn."
    )
    Path(run.out_dir).mkdir(parents=True, exist_ok=True)
    Path(run.out_dir, "predicting.md").write_text(table.markdown(), "utf-8")
    print(table.markdown())
    return table


def _texts(folder: Path, count: int) -> tuple[FolderModel, str]:
    texts = open_source("demo:reviews-zh").inputs[:count]
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    tokenizer = TextEncoderTokenizer(train_wordpiece(texts, 8000), lowercase=True)
    sizes = {"vocabulary_size": tokenizer.vocabulary_size(), "sequence_length": 128}
    model = classifier(make_text_backbone("mini", **sizes), 2)
    made = export(
        model,
        folder,
        name="texts",
        class_names=("a", "b"),
        tokenizer=tokenizer,
        sequence_length=128,
        examples=texts[:3],
    )
    return FolderModel(made), f"csv:{folder}/texts.csv"


def _digits(folder: Path, count: int) -> tuple[FolderModel, str]:
    images = open_source("demo:mnist5k").inputs[:count]
    (folder / "digits").mkdir()
    for number, image in enumerate(images):
        PIL.Image.fromarray(image[..., 0]).save(folder / f"digits/{number:05d}.png")
    model = classifier(make_image_backbone("cnn-small", image_shape=(28, 28, 1)), 10)
    return FolderModel(export(model, folder, name="digits", class_names=list("0123456789"))), f"images:{folder}/digits"


def _in_batches(served: FolderModel, source: str, out: Path, count: int) -> tuple[float, float]:
    start = _clocks()
    rows = rows_of(SentForm(source, SourceForm()), served)
    first = itertools.islice(rows, count)
    with Results(out, overwrite=True) as results:
        many.ask_all(served, first, results)
    return _since(start)


def _one_by_one(served: FolderModel, source: str, out: Path, count: int) -> tuple[float, float]:
    """The loop that one would write: read, ask, write."""
    start = _clocks()
    with out.open("w", encoding="utf-8") as file:
        for value in itertools.islice(_plain_inputs(source), count):
            (answer,) = served.ask([value])
            file.write(json.dumps(answer, ensure_ascii=False) + "\n")
    return _since(start)


def _plain_inputs(source: str) -> Iterator[tuple[str | bytes]]:
    scheme, _, place = source.partition(":")
    if scheme == "images":
        yield from ((read_file(str(path)),) for path in sorted(Path(place).iterdir()))
        return
    with open(place, encoding="utf-8", newline="") as file:
        yield from ((row["text"],) for row in csv.DictReader(file))


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    return time.perf_counter() - start[0], time.process_time() - start[1]


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
