"""Full disks: found before something is begun, and named whoever reports them."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfpretune.errors import RunError

_FULL = {  # what the system, HDF5 and TensorFlow say, and what it means
    errno.ENOSPC: ("No space left on device", "the disk is full"),
    errno.EDQUOT: ("Disk quota exceeded", "the disk quota is used up"),
    errno.EFBIG: ("File too large", "the file-size limit (ulimit -f) is reached"),
}


def require_room(folder: Path, size: int) -> None:
    """Raises OSError where `size` bytes cannot be had, for whatever reason: disk, quota, limit of this process."""
    if size and hasattr(os, "posix_fallocate"):
        path = folder / "room"
        try:
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno in _FULL:
                raise
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def full_disk_named(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turns "No space left on device", from Python, HDF5 or TensorFlow, into a RunError with the path and the sizes."""
    try:
        yield
    except Exception as error:
        found = None if isinstance(error, RunError) else full_disk(error)
        if found is None:
            raise
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        free = f"{shutil.disk_usage(folder).free} bytes are free in {folder}"
        size = "" if needed is None else f"needs {needed} bytes and "
        raise RunError(f"{path}: {found}: {size}{free}") from error


def full_disk(error: BaseException) -> str | None:
    """Returns what is used up, in words, if that is what an error of Python, HDF5 or TensorFlow says."""
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    return next((what for code, (said, what) in _FULL.items() if code == number or said in text), None)
