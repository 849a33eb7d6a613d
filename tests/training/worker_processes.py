"""Starts the workers of a test as real processes on this machine."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Worker(NamedTuple):
    process: subprocess.Popen
    log: Path


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(folder, options, workers=2):
    """Starts `worker_recipe` once for each worker."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    started = []
    for index in range(workers):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        log = Path(folder, f"worker-{index}.log")
        temporary = log.with_suffix(".tmp")  # who is killed leaves AutoGraph's files in it
        temporary.mkdir(exist_ok=True)
        environment = {"TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "3", "TMPDIR": str(temporary)}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.training.worker_recipe", *map(str, options)],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(Worker(process, log))
    return started


def finish(workers, seconds=250):
    """Waits for all; returns their exit codes. None is left running."""
    end = time.monotonic() + seconds
    try:
        return [worker.process.wait(max(0.1, end - time.monotonic())) for worker in workers]
    finally:
        for worker in workers:
            worker.process.kill()


def wait_for_line(worker, line, seconds=200):
    end = time.monotonic() + seconds
    while time.monotonic() < end and worker.process.poll() is None:
        if line in worker.log.read_text("utf-8").splitlines():
            return
        time.sleep(0.05)
    raise AssertionError(f"{line!r} never came:\n{worker.log.read_text('utf-8')[-3000:]}")
