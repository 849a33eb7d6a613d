"""Answers to all rows of a source: batch by batch, in order, with an error in the row that has one."""

import dataclasses
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.errors import UsageError
from tfpretune.serving.asking.cells import Cells, cells_of
from tfpretune.serving.asking.masks import mask_writer
from tfpretune.serving.asking.models import Answer, Model, Refused, open_model, read_file
from tfpretune.serving.asking.results import ERROR, WHERE, Results
from tfpretune.serving.asking.sources import Row

BATCH_SIZE = 32
_SECONDS_BETWEEN_LINES = 10.0


@dataclasses.dataclass(frozen=True)
class Counted:
    """What `predict_many` has done; as a string, one line.

    Args:
        rows: that were answered, or have an error.
        errors: so many of them have an error.
        seconds: of it all, without opening the model.
        where: the file.
        before: so many rows were there already.
    """

    rows: int
    errors: int
    seconds: float
    where: str
    before: int = 0

    def __str__(self) -> str:
        faults = f", {self.errors:,} with an error" if self.errors else ""
        before = f" behind {self.before:,} that were there" if self.before else ""
        speed = f"{self.rows / max(self.seconds, 1e-9):,.0f} a second"
        return f"{self.where}: {self.rows:,} rows{before}{faults}, {self.seconds:.1f} s, {speed}"


def predict_many(
    target: Path | str,
    rows_for: Callable[[Model], Iterator[Row]],
    out: Path | str = "",
    *,
    batch_size: int = BATCH_SIZE,
    overwrite: bool = False,
    resume: bool = False,
) -> Counted:
    """Asks a model for the answers to rows, and writes them as they come.

    Args:
        target: an export or a server, as for `predict`.
        rows_for: model -> the rows, such as `rows_of`.
        out: a .csv or .jsonl; "" writes JSON lines to standard output.
        batch_size: rows of a request.
        overwrite: begin anew where there is a file.
        resume: go on behind the whole rows of the file.

    Returns:
        The number of rows and of errors.

    Raises:
        UsageError: no such export or source, the model takes another kind of input, or the file is there.
        RunError: the server cannot be reached; the rows before are written.
    """
    if batch_size < 1:
        raise UsageError(f"`batch_size` must be at least 1, received {batch_size}")
    results = Results(out, overwrite=overwrite, resume=resume)
    model = open_model(target)
    rows = rows_for(model)
    _skip(rows, results)
    first = next(rows, None)  # what is wrong with a source shows here, before a file is overwritten
    with results:
        return ask_all(model, rows if first is None else itertools.chain([first], rows), results, batch_size)


def ask_all(model: Model, rows: Iterator[Row], results: Results, batch_size: int = BATCH_SIZE) -> Counted:
    """Asks for all rows, batch by batch, and writes the answers."""
    start = said = time.monotonic()
    number = errors = 0
    draw = mask_writer(results.path)
    while batch := list(itertools.islice(rows, batch_size)):
        found = _answered(model, batch)
        results.add([_cells(model, row, one, draw) for row, one in found])
        number += len(batch)
        errors += sum(isinstance(one, str) for _, one in found)
        if time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            print(f"{number:,} rows, {number / (said - start):,.0f} a second", file=sys.stderr, flush=True)
    name = str(results.path or "standard output")
    return Counted(number, errors, time.monotonic() - start, name, results.rows)


def _skip(rows: Iterator[Row], results: Results) -> None:
    """Passes over the rows that are in the file already."""
    last = None
    for number in range(results.rows):
        last = next(rows, None)
        if last is None:
            raise UsageError(
                f"{results.path} has {results.rows:,} rows and the source {number:,}: it is of another source"
            )
    if last is not None and last.where != results.last_where:
        raise UsageError(
            f"{results.path} ends with {results.last_where}, where the source has {last.where}: it is of another source"
        )


def _answered(model: Model, batch: Sequence[Row]) -> list[tuple[Row, Answer | str]]:
    """Returns the answer to each row, or what is wrong with it."""
    found: dict[int, Answer | str] = {}
    good: dict[int, Any] = {}
    for number, row in enumerate(batch):
        if row.value is None:
            found[number] = row.error
            continue
        try:
            good[number] = _sent(model, row)
        except UsageError as error:
            found[number] = str(error)
    if good:
        found |= _ask(model, good, words=any(isinstance(value, list) for value in good.values()))
    return [(row, found[number]) for number, row in enumerate(batch)]


def _ask(model: Model, sent: dict[int, Any], *, words: bool) -> dict[int, Answer | str]:
    """Asks at once; where one is refused, half by half until the bad ones are alone."""
    try:
        return dict(zip(sent, model.ask(list(sent.values()), words=words), strict=True))
    except Refused as error:
        if len(sent) == 1:
            return dict.fromkeys(sent, str(error))
    parts = list(sent.items())
    half = len(parts) // 2
    return _ask(model, dict(parts[:half]), words=words) | _ask(model, dict(parts[half:]), words=words)


def _sent(model: Model, row: Row) -> Any:
    if not model.of_files:
        return row.value
    (picture,) = row.value
    return (read_file(picture) if isinstance(picture, str) else _as_png(picture),)


def _as_png(pixels: np.ndarray) -> bytes:
    import io

    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _cells(model: Model, row: Row, found: Answer | str, draw: Callable[[Row, Answer], Cells]) -> Cells:
    start: Cells = {WHERE: row.where} | ({"source": row.kept} if row.kept else {})
    if isinstance(found, str):
        return start | {ERROR: found}
    return start | cells_of(found, row.value, model.class_names) | draw(row, found) | {ERROR: None}
