"""The preparation of `tfpretune.data.corpus.prepare` on Apache Beam, for a corpus that one machine would take too long for.

Needs `pip install tfpretune[beam]`. The source and the folder must be paths that every worker sees (a shared disk). Scanning
and packing, which read the texts, run on the workers; choosing runs here, on what scanning left in the folder. They are the
same functions, so the files are the same bytes.
"""

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from tfpretune.data.corpus.choosing import read_parts, scan_chunk
from tfpretune.data.corpus.chunks import Chunk, Corpus
from tfpretune.data.corpus.packing import pack_chunk
from tfpretune.data.corpus.packing_settings import Packing
from tfpretune.data.corpus.prepare import choose_parts, seal
from tfpretune.data.splits.rule import Shares
from tfpretune.errors import RunError


def find_parts_with_beam(folder: Path | str, corpus: Corpus, shares: Shares, *, flags: Sequence[str] = ()) -> None:
    """Does what `find_parts` does; arguments as `prepare_with_beam` takes them."""
    folder = Path(folder).absolute()
    _run(functools.partial(_scan, folder), corpus, flags)
    choose_parts(folder, corpus, shares)


def prepare_with_beam(
    folder: Path | str,
    corpus: Corpus,
    packing: Packing,
    *,
    settings: dict[str, Any],
    flags: Sequence[str] = (),
    license: str = "",
) -> dict[str, Any]:
    """Does what `prepare` does, in Beam pipelines.

    Args:
        folder: the folder, which `claim` gave and which holds a vocabulary; every worker must see it.
        corpus: what to prepare.
        packing: how.
        settings: those given to `claim`; they stand in the manifest.
        flags: Beam's own, such as `--runner=FlinkRunner --flink_master=HOST:8081`; without them Beam's DirectRunner.
        license: terms of use of the corpus, for the manifest.

    Returns:
        The manifest.

    Raises:
        RunError: as `prepare`; a worker's one is taken out of what Beam made of it.
    """
    folder = Path(folder).absolute()
    if not (folder / "work" / "parts").is_dir():
        find_parts_with_beam(folder, corpus, packing.shares, flags=flags)
    _run(functools.partial(_pack, folder, packing), corpus, flags)
    return seal(folder, corpus, packing, settings=settings, license=license)


def _run(do: Callable[[Chunk], None], corpus: Corpus, flags: Sequence[str]) -> None:
    """Calls a function for each piece on Beam's workers."""
    try:
        with beam.Pipeline(options=PipelineOptions(list(flags))) as pipeline:
            pipeline | "pieces" >> beam.Create(list(corpus.pieces)) | beam.Reshuffle() | "work" >> beam.Map(do)
    except Exception as error:
        found = re.search(r"RunError: (.+)", f"{type(error).__name__}: {error}")
        if not found:
            raise
        raise RunError(found[1].partition(" [while running")[0]) from error


def _scan(folder: Path, piece: Chunk) -> None:
    if not (folder / "work" / "settings.json").is_file():
        raise RunError(f"{folder} is not seen by this worker: give an `out_dir` on a disk that all workers share")
    scan_chunk(folder, piece)


def _pack(folder: Path, packing: Packing, piece: Chunk) -> None:
    if not (folder / "vocabulary.txt").is_file():
        raise RunError(f"{folder} is not seen by this worker: give an `out_dir` on a disk that all workers share")
    pack_chunk(folder, piece, read_parts(folder, piece.number), packing)
