"""What several workers cost: the sum over two of them on this machine, a step, a checkpoint; and what that means for more.

    python benchmarks/allreduce.py

Two worker processes on localhost add up tensors of several sizes. From these times come a latency and a bandwidth, and from
them, by the formula of a ring, what N workers would need. Localhost is no network: put your own with --bandwidth.
Prints Markdown and writes it to OUT_DIR/allreduce.md. About a minute.
"""

import dataclasses
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfpretune.errors import RunError
from tfpretune.evaluation.report.tables import Table
from tfpretune.settings import launch

SIZES = (1_000, 100_000, 1_000_000, 10_000_000, 40_000_000)  # bytes
WORKERS = (2, 8, 16, 64, 256)
MODELS = {"BERT base": 4 * 110e6, "1 billion parameters": 4e9}  # bytes of float32 gradients


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/allreduce"
    """Folder for allreduce.md."""
    bandwidth: float = 0.0
    """Bytes a second between two machines, such as 3e9 for a 25 Gbit/s network; 0 takes what was measured here."""
    repeats: int = 9
    """Times that each size is measured; the median counts."""
    role: str = ""
    """Not for users: what a process that this script started does."""


def ring_seconds(workers: int, size: float, bandwidth: float, latency: float) -> float:
    """Returns the seconds of a ring all-reduce: 2(N-1) turns, each of which sends an N-th of `size` bytes to the neighbour."""
    return 2 * (workers - 1) * (latency + size / workers / bandwidth)


def fit_line(times: dict[int, float]) -> tuple[float, float]:
    """Returns the latency of one turn, s, and the bandwidth, bytes/s, from seconds by size on two workers (two turns).

    The latency is that of the smallest size; the bandwidth that of the largest.
    """
    small, large = min(times), max(times)
    return times[small] / 2, (large - small) / (times[large] - times[small])


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Returns the median time of a call, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def sums(repeats: int) -> dict[int, float]:
    """In a worker: seconds of one sum over all workers, by size."""
    import tensorflow as tf

    from tfpretune.training import make_strategy

    strategy = make_strategy()

    def add(values: tf.Tensor) -> tf.Tensor:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(values))

    call = tf.function(lambda values: strategy.run(add, args=(values,)))
    found = {}
    for size in SIZES:
        values = tf.ones((size // 4,))
        found[size] = median_seconds(lambda values=values: call(values).numpy(), repeats)  # type: ignore[misc]
    return found


def step(repeats: int) -> dict[str, float]:
    """In a worker, or alone: a masked-LM step of 16 rows of 128 tokens per worker, and the bytes of its gradients."""
    import keras
    import numpy as np

    from tfpretune.backbones.by_name import make_text_backbone
    from tfpretune.data.batches.step_indexed import StepIndexed
    from tfpretune.data.masking.tokens import mask_tokens
    from tfpretune.objectives import MaskedLM
    from tfpretune.settings.run import RunConfig
    from tfpretune.training import make_optimizer, make_strategy

    strategy = make_strategy()
    ids = np.random.default_rng(0).integers(5, 8000, (256, 128)).astype("int32")
    rows = {"token_ids": ids, "padding_mask": np.ones_like(ids)}

    def hide(batch: dict, seed: Any) -> dict:
        ids = batch["token_ids"]
        return batch | mask_tokens(ids, seed, vocabulary_size=8000, mask_token_id=4, special_token_ids=(0, 1, 2, 3, 4))

    batches = StepIndexed(rows, 16 * strategy.num_replicas_in_sync, transform=hide)
    with strategy.scope():
        model = MaskedLM(make_text_backbone("mini", vocabulary_size=8000, sequence_length=128, dtype="float32"))
        model.compile(make_optimizer(RunConfig(source="", out_dir="", steps=1).optimizer, 1000))
    times: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            float((logs or {})["loss"])
            times.append(time.perf_counter())

    model.fit(
        batches.from_step(0, repeats + 3), steps_per_epoch=repeats + 3, callbacks=[Clock()], shuffle=False, verbose=0
    )
    seconds = [after - before for before, after in zip(times[2:], times[3:], strict=False)]
    return {
        "step": statistics.median(seconds),
        "bytes": 4.0 * sum(v.value.shape.num_elements() for v in model.trainable_variables),
    }


def checkpoint(size: int = 200_000_000) -> float:
    """Returns the bytes per second with which a checkpoint is written, synced and summed up."""
    import numpy as np

    from tfpretune.training.loop.checkpoints import CheckpointFolder

    arrays = {"model/00000/kernel": np.random.default_rng(0).normal(size=size // 4).astype("float32")}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        start = time.perf_counter()
        CheckpointFolder(Path(folder)).save(arrays, 1, {})
        return size / (time.perf_counter() - start)


def in_processes(role: str, repeats: int, workers: int) -> dict[str, float]:
    """Runs one role in so many worker processes; returns what the first one found."""
    sockets = [socket.socket() for _ in range(workers)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    command = [sys.executable, __file__, "--role", role, "--repeats", str(repeats)]
    started = []
    for index in range(workers):
        cluster = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
        variables = {"TF_CPP_MIN_LOG_LEVEL": "3", **({"TF_CONFIG": cluster} if workers > 1 else {})}
        started.append(subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise RunError(f"a worker of {role} failed: its message stands above")
    return json.loads(outputs[0].splitlines()[-1])


def main(run: Config) -> list[Table]:
    """Measures, then reckons."""
    if run.role:
        print(json.dumps({"sums": sums, "step": step}[run.role](run.repeats)), flush=True)
        return []
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    load = os.getloadavg()[0]
    times = {int(size): seconds for size, seconds in in_processes("sums", run.repeats, 2).items()}
    latency, measured = fit_line(times)
    alone, both = (in_processes("step", run.repeats, workers) for workers in (1, 2))
    speed = checkpoint()
    bandwidth = run.bandwidth or measured
    summed = Table(
        "Sum over two workers on localhost", ["bytes", "ms"], [[f"{size:,}", f"{1e3 * t:.2f}"] for size, t in times.items()],
        note=f"Latency of a turn {1e3 * latency:.2f} ms, bandwidth {measured / 1e6:,.0f} MB/s. Load at the start {load:.1f} on "
        f"{os.cpu_count()} cores.",
    )  # fmt: skip
    steps = Table(
        f"A masked-LM step, 16 rows of 128 tokens per worker, {both['bytes'] / 1e6:.1f} MB of gradients",
        ["workers", "ms"],
        [["1", f"{1e3 * alone['step']:.0f}"], ["2, on the same cores", f"{1e3 * both['step']:.0f}"]],
        note=f"Checkpoints are written with {speed / 1e6:,.0f} MB/s.",
    )
    rows = [
        [
            name,
            *(f"{ring_seconds(workers, size, bandwidth, latency):.3g}" for workers in WORKERS),
            f"{3 * size / speed:.3g}",
        ]
        for name, size in ({"the model above": both["bytes"]} | MODELS).items()
    ]
    reckoned = Table(
        f"Reckoned: seconds of a sum at {bandwidth / 1e6:,.0f} MB/s, and of writing a checkpoint (weights, two slots of Adam)",
        ["gradients of", *(f"{workers} workers" for workers in WORKERS), "checkpoint"],
        rows,
    )
    tables = [summed, steps, reckoned]
    text = "\n".join(table.markdown() for table in tables)
    Path(run.out_dir).mkdir(parents=True, exist_ok=True)
    Path(run.out_dir, "allreduce.md").write_text(text, "utf-8")
    print(text)
    return tables


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
