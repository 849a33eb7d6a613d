"""A folder of shards from a corpus: one owner at a time, restartable, over all cores."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpretune.data.corpus.choosing import choose, read_copies, read_parts, scan_chunk
from tfpretune.data.corpus.chunks import Chunk, Corpus
from tfpretune.data.corpus.packing import pack_chunk, record_path
from tfpretune.data.corpus.packing_settings import Packing
from tfpretune.data.corpus.shards import FORMAT, VOCABULARY, files_of, find_faults, read_manifest
from tfpretune.data.corpus.vocabulary import read_vocabulary
from tfpretune.data.examples.examples import PARTS
from tfpretune.data.splits.rule import WITH_COPIES, Shares
from tfpretune.data.splits.sides import too_alike_note
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import MANIFEST, remove_leftovers, write_atomic
from tfpretune.runtime.lock import alone_in
from tfpretune.settings.renamed import modern_keys

Each = Callable[[str, Callable[[Chunk], None], Sequence[Chunk]], None]


@contextlib.contextmanager
def claim(folder: Path | str, corpus: Corpus, settings: dict[str, Any]) -> Iterator[bool]:
    """Takes a folder for this process alone and looks at what is there.

    Leftovers of a killed preparation are removed. A finished folder with a damaged file is opened again, so that `prepare`
    makes that file anew.

    Args:
        folder: the folder of shards; it is created.
        corpus: what is prepared.
        settings: everything that decides the result, as JSON values.

    Yields:
        Whether something is left to do.

    Raises:
        UsageError: the folder is in use, holds something else, or holds shards of other settings or another corpus.
    """
    folder = Path(folder)
    with alone_in(folder):
        yield _look(folder, _identity(corpus, settings), corpus.times)


def find_parts(folder: Path | str, corpus: Corpus, shares: Shares, *, workers: int = 0) -> None:
    """Finds out which part each text of a corpus belongs to: the first step of `prepare`, which may be taken before it.

    Arguments and errors are those of `prepare`; the shares are those of its packing.
    """
    with _processes(workers, corpus) as each:
        _find_parts(Path(folder), corpus, shares, each)


def _find_parts(folder: Path, corpus: Corpus, shares: Shares, each: Each) -> None:
    if not (folder / "work" / "parts").is_dir():
        each("scanned", functools.partial(scan_chunk, folder), corpus.pieces)
    choose_parts(folder, corpus, shares)


def choose_parts(folder: Path, corpus: Corpus, shares: Shares) -> None:
    """Chooses, when all pieces are scanned, and says what there is to say of it."""
    choose(folder, corpus.pieces, shares)
    if (copies := read_copies(folder)).too_alike:
        print(f"note: {too_alike_note(copies)}", flush=True)


def prepare(
    folder: Path | str,
    corpus: Corpus,
    packing: Packing,
    *,
    settings: dict[str, Any],
    workers: int = 0,
    license: str = "",
) -> dict[str, Any]:
    """Makes the shards of a corpus in a folder that `claim` gave and that holds a vocabulary.

    Args:
        folder: the folder.
        corpus: what to prepare.
        packing: how.
        settings: those given to `claim`; they stand in the manifest.
        workers: processes; 0 takes all cores. The files are the same for any number.
        license: terms of use of the corpus, for the manifest.

    Returns:
        The manifest.

    Raises:
        RunError: a text that cannot be read, a full disk, a worker that was killed.
    """
    folder = Path(folder)
    with _processes(workers, corpus) as each:
        _find_parts(folder, corpus, packing.shares, each)
        each("packed", functools.partial(_pack, folder, packing), corpus.pieces)
    return seal(folder, corpus, packing, settings=settings, license=license)


def seal(
    folder: Path, corpus: Corpus, packing: Packing, *, settings: dict[str, Any], license: str = ""
) -> dict[str, Any]:
    """Writes the manifest of a folder whose pieces are all packed, and removes what only the work needed."""
    pieces = [json.loads(record_path(folder, piece.number).read_bytes()) for piece in corpus.pieces]
    rows = {
        part: sum(
            e["rows"] for piece in pieces for name, e in piece["files"].items() if name.startswith(f"data/{part}-")
        )
        for part in PARTS
    }
    if not rows["train"]:
        raise RunError(
            "there are no training texts in the source: give more data, or smaller fractions to the other splits"
        )
    vocabulary = (folder / VOCABULARY).read_bytes()
    copies = corpus.copies or read_copies(folder)
    manifest = {
        "format": FORMAT,
        "license": license or corpus.license,
        "settings": _identity(corpus, settings),
        "packing": dataclasses.asdict(packing),
        "vocabulary": {
            "bytes": len(vocabulary),
            "sha256": hashlib.sha256(vocabulary).hexdigest(),
            "tokens": len(read_vocabulary(folder / VOCABULARY)),
        },
        "rows": rows,
        "texts": {name: sum(piece["texts"][name] for piece in pieces) for name in (*PARTS, "dropped")},
        "near_copies": dataclasses.asdict(copies),
        "tokens": {name: sum(piece.get(name, 0) for piece in pieces) for name in ("tokens", "unknown")},
        "pieces": pieces,
    }
    _remove_leftovers(folder)
    write_atomic(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(folder / "work")
    return manifest


def _pack(folder: Path, packing: Packing, piece: Chunk) -> None:
    pack_chunk(folder, piece, read_parts(folder, piece.number), packing)


def _identity(corpus: Corpus, settings: dict[str, Any]) -> dict[str, Any]:
    source = {"files": corpus.num_files, "bytes": corpus.num_bytes, "names_and_sizes": corpus.names_and_sizes}
    return json.loads(json.dumps(settings | source | {"split_rule": WITH_COPIES}))


def _look(folder: Path, identity: dict[str, Any], times: str) -> bool:
    started = folder / "work" / "settings.json"
    _remove_leftovers(folder)
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        _compare(folder, modern_keys(manifest["settings"]), identity)
        faults = find_faults(folder, files_of(manifest))
        if not faults:
            shutil.rmtree(folder / "work", ignore_errors=True)
            return False
        print("\n".join([*faults, "made again"]), flush=True)
        write_atomic(started, json.dumps(identity | {"times": times}, indent=1))
        _reopen(folder, manifest)
    elif any((folder / "work" / "records").glob("*.json")):
        _compare(folder, modern_keys(json.loads(started.read_bytes())), identity | {"times": times})
    elif started.is_file() and json.loads(started.read_bytes()) != identity | {"times": times}:
        (folder / VOCABULARY).unlink(missing_ok=True)
        shutil.rmtree(folder / "work")  # nothing is packed yet: it stopped at a mistake that is mended now
    elif not started.is_file() and any(path.name[0] != "." and path.name != "work" for path in folder.iterdir()):
        raise UsageError(f"{folder} holds other files and no preparation: choose another `out_dir`")
    write_atomic(started, json.dumps(identity | {"times": times}, indent=1))
    return True


def _compare(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    changed = [f"{name}: {old.get(name)!r} -> {new.get(name)!r}" for name in new if old.get(name) != new.get(name)]
    if changed:
        raise UsageError(f"{folder} was started otherwise ({'; '.join(changed)}): choose another `out_dir`")


def _reopen(folder: Path, manifest: dict[str, Any]) -> None:
    """Goes back to the state in which all pieces are packed; `pack_chunk` makes again what is damaged."""
    for number, piece in enumerate(manifest["pieces"]):
        write_atomic(record_path(folder, number), json.dumps(piece))
    if find_faults(folder, {VOCABULARY: manifest["vocabulary"]}):
        (folder / VOCABULARY).unlink(missing_ok=True)
    (folder / MANIFEST).unlink()


def _remove_leftovers(folder: Path) -> None:
    for name in (".", "data", "work", "work/keys", "work/sketches", "work/records"):
        remove_leftovers(folder / name, locked=True)


@contextlib.contextmanager
def _processes(workers: int, corpus: Corpus) -> Iterator[Each]:
    """Gives a function that calls another for each piece, in this process or in several."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(workers or cores, len(corpus.pieces))
    if workers < 2:
        yield lambda what, do, pieces: _report(what, map(do, pieces), len(pieces))
        return
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield lambda what, do, pieces: _report(what, executor.map(do, pieces), len(pieces))
    except BrokenProcessPool as error:
        raise RunError(
            "a worker was killed, out of memory most likely: give fewer `workers` or smaller `chunk_megabytes`, and start again"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _report(what: str, results: Iterator[None], total: int) -> None:
    shown = time.monotonic()
    for number, _ in enumerate(results, 1):
        if time.monotonic() - shown > 10 or number == total:
            print(f"{what} {number} of {total} pieces", flush=True)
            shown = time.monotonic()


def _start_worker() -> None:
    """One core a worker, no GPU, and an end when the parent ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
