"""A small corpus and its preparation, for the tests of shards and for the processes that they start."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

from tfpretune.data.corpus import prepare as prepare_module
from tfpretune.data.corpus.chunks import cut_corpus
from tfpretune.data.corpus.packing_settings import Packing
from tfpretune.data.corpus.prepare import claim, prepare
from tfpretune.data.corpus.vocabulary import write_vocabulary
from tfpretune.data.text.tokens import SPECIAL_TOKENS

#        0-4              5      6      7       8      9    10 ..
WORDS = [*SPECIAL_TOKENS, "the", "cat", "##s", "sat", "a", *"0123456789", *(f"##{digit}" for digit in "0123456789")]
PACKING = Packing(8)
SETTINGS = {"sequence_length": 8}


def write_corpus(path, texts, *, start=0):
    """Writes one text per line; every tenth comes a second time at once, with other case and spaces."""
    with path.open("a", encoding="utf-8") as file:
        for number in range(start, start + texts):
            file.write(f"the cats sat {number}\n")
            if number % 10 == 0:
                file.write(f"The  CATS sat {number}\n")
    return f"text:{path}"


def make(folder, spec, *, piece_bytes=4000, workers=1, packing=PACKING, settings=None):
    """Prepares a corpus; returns whether there was something to do."""
    corpus = cut_corpus(spec, piece_bytes=piece_bytes)
    settings = SETTINGS if settings is None else settings
    with claim(folder, corpus, settings) as unfinished:
        if unfinished:
            write_vocabulary(Path(folder), WORDS, "toys")
            prepare(folder, corpus, packing, settings=settings, workers=workers)
    return unfinished


def contents(folder):
    """Returns name -> bytes of all files but hidden ones."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def end_of_worker(piece):
    """What the system does to a worker that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(packed, folder):
    """Lets this process end as by kill -9 after so many packed pieces; its workers' numbers stand in FOLDER/../workers."""

    def report(what, results, total):
        for number, _ in enumerate(results, 1):
            if what == "packed" and number == packed:
                workers = " ".join(str(worker.pid) for worker in multiprocessing.active_children())
                folder.with_name("workers").write_text(workers)
                os.kill(os.getpid(), signal.SIGKILL)

    prepare_module._report = report


if __name__ == "__main__":
    if len(sys.argv) > 4:
        die_after(int(sys.argv[4]), Path(sys.argv[1]))
    make(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]))
