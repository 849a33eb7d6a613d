"""Real processes that start in a fraction of a second: forked from a server that has imported TensorFlow and not used it."""

import multiprocessing
import os
import runpy
import sys
import tempfile
import time
from pathlib import Path

RECIPES = Path(__file__).parents[2] / "recipes"
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "tensorflow",
        "keras_hub",
        "sklearn.linear_model",
        "matplotlib.pyplot",
        "tfpretune.tasks.finetuning.fitting",
        "tfpretune.tasks.pretraining.texts",
        "tfpretune.backbones.by_name",
        "tfpretune.training.tensorboard.text",
    ]
)


def _log_to(path, work, args):
    os.environ["TMPDIR"] = tempfile.tempdir = f"{path}.tmp"  # who is killed leaves AutoGraph's files in it
    os.makedirs(tempfile.tempdir, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout.reconfigure(line_buffering=True)
    work(*args)


class Child:
    """A process that runs `work(*args)`; what it prints goes to a file, its temporary files to a folder beside that."""

    def __init__(self, log, work, *args):
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")
        self.process = CONTEXT.Process(target=_log_to, args=(str(log), work, args), daemon=True)
        self.process.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_alive(self):
        return self.process.is_alive()

    @property
    def printed(self):
        return self.log.read_text("utf-8", errors="replace")

    def kill(self):
        self.process.kill()
        self.process.join()

    def code(self, timeout=600):
        """Waits for the end and returns the exit code."""
        self.process.join(timeout)
        if self.is_alive:
            self.kill()
            raise TimeoutError(f"still running after {timeout} s:\n{self.printed}")
        return self.process.exitcode

    def wait_until(self, ready, timeout=600):
        """Returns whether `ready()` came true, at the latest when the process had ended."""
        end = time.monotonic() + timeout
        while True:
            alive = self.is_alive
            if ready():
                return True
            if not alive:
                return False
            if time.monotonic() > end:
                raise TimeoutError(self.printed)
            time.sleep(0.002)


def run(log, work, *args):
    """Runs `work(*args)` in a process to its end; returns its exit code and what it printed."""
    with Child(log, work, *args) as child:
        return child.code(), child.printed


def recipe(name, *options):
    """Runs a recipe as `tfpretune run` does."""
    sys.argv = [name, *options]
    runpy.run_path(str(RECIPES / f"{name}.py"), run_name="__main__")
