"""A TensorBoard writer that a run outlives: when the logs cannot be written, one line says so and the run goes on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from tfpretune.runtime.disk_space import full_disk


class LogWriter:
    """Writes to an event file, which is opened at the first write, until that fails.

    Args:
        folder: where to; None writes nothing.
    """

    def __init__(self, folder: Path | str | None):
        self.folder = folder
        self._writer: tf.summary.SummaryWriter | None = None

    @contextlib.contextmanager
    def at(self, step: int) -> Iterator[None]:
        """Lets `tf.summary` write at this step inside the block."""
        with self._giving_up():
            if self.folder is not None and self._writer is None:
                self._writer = tf.summary.create_file_writer(str(self.folder))
        if self._writer is None:  # an error leaves TensorFlow's default writer in its place, so nothing may be recorded
            with tf.summary.record_if(False):
                yield
            return
        with self._giving_up(), self._writer.as_default(step=step):
            yield

    def flush(self) -> None:
        """Brings all to the disk."""
        with self._giving_up():
            if self._writer is not None:
                self._writer.flush()

    @contextlib.contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            if self.folder is None or not (reason := full_disk(error)):
                raise
            print(f"warning: the logs in {self.folder} end here: {reason}; the run goes on", flush=True)
            self.folder = self._writer = None
