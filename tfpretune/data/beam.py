"""The preparation of `tfpretune.data.prepare` on Apache Beam, for a corpus that one machine would take too long for.

Needs `pip install tfpretune[beam]`. The source and the folder must be paths that every worker sees (a shared disk). Pieces,
keys and packing are the same functions, so the files are the same bytes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from tfpretune.config import RunError
from tfpretune.data.packing import key_of, pack_piece, parts_of
from tfpretune.data.packing_settings import Packing
from tfpretune.data.pieces import Corpus, Piece, read_texts
from tfpretune.data.prepare import seal

Place = tuple[int, int]


def prepare_with_beam(
    folder: Path | str,
    corpus: Corpus,
    packing: Packing,
    *,
    settings: dict[str, Any],
    flags: Sequence[str] = (),
    licence: str = "",
) -> dict[str, Any]:
    """Does what `prepare` does, as a Beam pipeline.

    Args:
        folder: the folder, which `claim` gave and which holds a vocabulary; every worker must see it.
        corpus: what to prepare.
        packing: how.
        settings: those given to `claim`; they stand in the manifest.
        flags: Beam's own, such as `--runner=FlinkRunner --flink_master=HOST:8081`; without them Beam's DirectRunner.
        licence: terms of use of the corpus, for the manifest.

    Returns:
        The manifest.

    Raises:
        RunError: as `prepare`; a worker's one is taken out of what Beam made of it.
    """
    folder = Path(folder).absolute()
    try:
        _run(folder, corpus, packing, flags)
    except Exception as error:
        found = re.search(r"RunError: (.+)", f"{type(error).__name__}: {error}")
        if not found:
            raise
        raise RunError(found[1].partition(" [while running")[0]) from error
    return seal(folder, corpus, packing, settings=settings, licence=licence)


def _run(folder: Path, corpus: Corpus, packing: Packing, flags: Sequence[str]) -> None:
    with beam.Pipeline(options=PipelineOptions(list(flags))) as pipeline:
        pieces = pipeline | "pieces" >> beam.Create(list(corpus.pieces)) | beam.Reshuffle()
        chosen = (
            pieces
            | "keys" >> beam.FlatMap(_keys)
            | "first of equals" >> beam.CombinePerKey(min)
            | "parts" >> beam.Map(_place_and_part, shares=packing.shares)
        )
        numbered = pieces | "number" >> beam.Map(lambda piece: (piece.number, piece))
        (
            {"piece": numbered, "chosen": chosen}
            | beam.CoGroupByKey()
            | "pack" >> beam.Map(_pack, folder=folder, packing=packing)
        )


def _keys(piece: Piece) -> Iterator[tuple[bytes, Place]]:
    for position, text in enumerate(read_texts(piece)):
        yield key_of(text), (piece.number, position)


def _place_and_part(found: tuple[bytes, Place], shares: tuple[float, float, float]) -> tuple[int, Place]:
    key, (piece, position) = found
    first = np.array([int.from_bytes(key[:8], "big")], np.uint64)
    return piece, (position, int(parts_of(first, shares)[0]))


def _pack(grouped: tuple[int, dict[str, Iterable[Any]]], folder: Path, packing: Packing) -> None:
    (piece,) = grouped[1]["piece"]
    if not (folder / "vocabulary.txt").is_file():
        raise RunError(f"{folder} is not seen by this worker: give an --out-dir on a disk that all workers share")
    parts = np.zeros(sum(1 for _ in read_texts(piece)), np.uint8)
    for position, part in grouped[1]["chosen"]:
        parts[position] = part
    pack_piece(folder, piece, parts, packing)
