"""Starts the workers of a test as real processes on this machine."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]


class Worker(NamedTuple):
    process: subprocess.Popen
    log: Path


# Below the ports that systems give to whoever asks for any, and not the same ones for two processes of tests.
_PORTS = itertools.count(12_000 + 8 * (os.getpid() % 2_000))


def free_ports(number):
    return list(itertools.islice(filter(_is_free, _PORTS), number))


def _is_free(port):
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def start(folder, options, workers=2, interrupt="-1 0 SIGTERM"):
    """Starts `worker_recipe` once for each worker; `interrupt` is what it reads from its environment."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    started = []
    for index in range(workers):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        log = Path(folder, f"worker-{index}.log")
        temporary = log.with_suffix(".tmp")  # who is killed leaves AutoGraph's files in it
        temporary.mkdir(exist_ok=True)
        environment = {
            "TF_CONFIG": json.dumps(config),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TMPDIR": str(temporary),
            "INTERRUPT": interrupt,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.training.loop.worker_recipe", *map(str, options)],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(Worker(process, log))
    return started


def finish(workers, seconds=500):
    """Waits for all; returns their exit codes. None is left running."""
    end = time.monotonic() + seconds
    try:
        return [worker.process.wait(max(0.1, end - time.monotonic())) for worker in workers]
    finally:
        for worker in workers:
            worker.process.kill()
