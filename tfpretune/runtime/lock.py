"""One run per folder."""

import contextlib
import datetime
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import filelock

from tfpretune.errors import UsageError
from tfpretune.runtime.files import write_atomic


@contextlib.contextmanager
def alone_in(out_dir: Path) -> Iterator[None]:
    """Holds the folder's lock. The system frees it when its holder dies, however it dies.

    Raises:
        UsageError: another process holds it; names that process.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.runtime import alone_in
        >>> with alone_in(Path("runs/a")):  # another process that asks for it is refused
        ...     _ = Path("runs/a/note.txt").write_text("mine")
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    with _locked(out_dir):
        since = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        write_atomic(_file(out_dir), json.dumps({"process": os.getpid(), "host": platform.node(), "since": since}))
        try:
            yield
        finally:
            _file(out_dir).unlink(missing_ok=True)


def refuse_if_held(out_dir: Path) -> None:
    """Raises UsageError if another process holds the folder's lock."""
    if (out_dir / ".lock").exists():
        with _locked(out_dir):
            pass


@contextlib.contextmanager
def _locked(out_dir: Path) -> Iterator[None]:
    # Not 0: `refuse_if_held` of a run that is just being started holds it for a moment, too.
    lock = filelock.FileLock(out_dir / ".lock", timeout=0.3)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UsageError(
            f"{out_dir} is in use by {_holder(out_dir)}: choose another --out-dir, or wait or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _file(out_dir: Path) -> Path:
    return out_dir / ".holder.json"


def _holder(out_dir: Path) -> str:
    try:
        found = json.loads(_file(out_dir).read_text("utf-8"))
        return f"process {found['process']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"
