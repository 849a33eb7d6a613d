"""TensorFlow's start without its noise. What it writes then is shown where something is wrong."""

import contextlib
import glob
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TextIO

from tfpretune.runtime.phases import phase

GPU_FILES = "/dev/nvidia[0-9]*"
LEVEL, ERRORS = "TF_CPP_MIN_LOG_LEVEL", "2"


def start_tensorflow() -> None:
    """Imports TensorFlow and looks for devices; what it writes to stderr meanwhile is dropped, unless that fails.

    Where the machine has a GPU that TensorFlow does not find, the lines are shown, too, since the run would go on without it.
    From then on its C++ side writes errors and no more. Who sets another TF_CPP_MIN_LOG_LEVEL, or has imported TensorFlow
    before, is left alone.
    """
    logging.getLogger("tensorflow").addFilter(is_news)
    if os.environ.setdefault(LEVEL, ERRORS) != ERRORS or "tensorflow" in sys.modules:
        return
    lost_gpu = True
    with _real_stderr() as real, phase("starting TensorFlow", stream=real), tempfile.TemporaryFile() as held:
        try:
            with stderr_to(held):
                import tensorflow as tf

                lost_gpu = not tf.config.list_physical_devices("GPU") and bool(glob.glob(GPU_FILES))
        finally:
            if lost_gpu:  # or the import failed
                held.seek(0)
                sys.stderr.write(held.read().decode("utf-8", "replace"))
        if lost_gpu:
            print(f"note: this machine has a GPU that TensorFlow does not find; {LEVEL}=0 shows why", file=sys.stderr)


def is_news(record: logging.LogRecord) -> bool:
    """Drops the warning that functions are traced often, for a log of TensorFlow's.

    Each function here has one signature or `reduce_retracing`, and each model its own trace: a run that compares several models
    is warned of nothing that could be mended.
    """
    return "triggered tf.function retracing" not in record.getMessage()


@contextlib.contextmanager
def stderr_to(file: IO[bytes]) -> Iterator[None]:
    """Sends what this process writes to stderr, from C++ and from Python, to a file."""
    sys.stderr.flush()
    real = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(real, 2)
        os.close(real)


@contextlib.contextmanager
def _real_stderr() -> Iterator[TextIO]:
    """A stream to what stderr is now, whatever is done to it meanwhile."""
    try:
        copy = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # a notebook's, which has no file
        yield sys.stderr
        return
    with open(copy, "w", encoding="utf-8", errors="replace") as real:
        yield real
