"""A process that prepares or reads more than it may hold: python -m tests.data.corpus.shard_memory WORK FOLDER MB [LIMIT]."""

import resource
import sys
from pathlib import Path

import numpy as np

from tests.data.corpus.shard_toys import make
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.corpus.shard_sequences import ShardSequences, row_dtype, write_rows


def peak():
    """Returns the most memory this process has held, in MB; `ru_maxrss` has that of the process that started it, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def prepare(folder, megabytes):
    """Prepares a new corpus of about so many MB, a MB a piece."""
    path = folder / f"{megabytes}.txt"
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            file.writelines(
                f"{file.tell()} {number}" + " the cats sat 0123 4567 89" * 80 + "\n" for number in range(500)
            )
    make(folder / f"shards-{megabytes}", f"text:{path}", piece_bytes=1 << 20)


def read(folder, megabytes):
    """Writes so many MB of rows, 4 MB a file, and trains on them for as many batches as see them about once."""
    dtype = row_dtype(1000, 1024)
    files = []
    for number in range(megabytes // 4):
        rows = np.random.default_rng(number).integers(0, 1000, (4_000_000 // dtype.itemsize, 1024))
        files.append((f"{number}", write_rows(folder / f"{number}", rows, dtype)["rows"]))
    batches = StepIndexed({"token_ids": ShardSequences(folder, files, dtype)}, 64)
    for _ in batches.from_step(0, batches.steps_per_epoch):
        pass


if __name__ == "__main__":
    work, folder, megabytes = {"prepare": prepare, "read": read}[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3])
    if len(sys.argv) > 4:
        limit = int(sys.argv[4]) << 20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        work(folder, megabytes)
        print(round(peak()))
    else:
        work(folder, 16)  # what TensorFlow and the allocator keep of the first pieces is not the corpus
        before = peak()
        work(folder, megabytes)
        print(round(peak() - before))
