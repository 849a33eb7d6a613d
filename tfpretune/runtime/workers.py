"""One of several processes that train together: which one, and where it writes. Imports no TensorFlow."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfpretune.errors import RunError, UsageError

WORKER_PREFIX = ".worker-"


@dataclasses.dataclass(frozen=True)
class Task:
    """What TF_CONFIG says of this process.

    Attributes:
        kind: "chief" or "worker".
        index: its number among those of its kind.
        has_chief: whether there is a chief apart from the workers.
    """

    kind: str
    index: int
    has_chief: bool

    @property
    def writes(self) -> bool:
        """Whether this process writes checkpoints, logs and presets: the chief, or worker 0 where there is none."""
        return self.kind == "chief" or (self.index == 0 and not self.has_chief)


def this_task() -> Task | None:
    """Reads the environment variable TF_CONFIG, which Kubeflow, Slurm scripts and Ray Train set; None without it.

    Raises:
        UsageError: TF_CONFIG is no JSON, or lacks something.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return None
    try:
        config = json.loads(text)
        if "cluster" not in config:
            return None
        cluster, task = config["cluster"], config["task"]
        found = Task(str(task["type"]), int(task["index"]), "chief" in cluster)
        address = cluster[found.kind][found.index]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UsageError(
            f"TF_CONFIG does not say which worker this is ({type(error).__name__}: {error}): expected "
            '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": 0}}'
        ) from None
    if found.kind not in ("chief", "worker") or not isinstance(address, str):
        raise UsageError(f"TF_CONFIG: expected a task of type chief or worker, received {found.kind!r}")
    return found


@contextlib.contextmanager
def own_folder(settings: Any) -> Iterator[Any]:
    """Gives a worker that does not write for all an `out_dir` of its own, `OUT_DIR/.worker-INDEX`, removed at the end.

    So a recipe is the same on all workers: what the others write (report, preset, logs) is thrown away.

    Args:
        settings: a dataclass with `out_dir`.
    """
    task = this_task()
    if task is None or task.writes:
        yield settings
        return
    folder = Path(settings.out_dir, f"{WORKER_PREFIX}{task.index}")
    try:
        yield dataclasses.replace(settings, out_dir=str(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def lost_worker_named() -> Iterator[None]:
    """Turns what TensorFlow says when another worker is gone into one line.

    Raises:
        RunError: names the worker, where TensorFlow does.
    """
    try:
        yield
    except Exception as error:
        text = str(error)
        lost = type(error).__module__.startswith("tensorflow.") and (
            type(error).__name__ in ("UnavailableError", "AbortedError") or "Collective ops is aborted" in text
        )
        if not lost or this_task() is None:
            raise
        named = re.search(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", text)
        who = f"{named[1]} {named[2]}" if named else "another worker"
        raise RunError(
            f"{who} is gone, so this worker stops: its own output says why; start all workers again, they go on from the "
            "newest checkpoint"
        ) from error
