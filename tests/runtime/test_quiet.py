"""TensorFlow starts without its noise, and with it where something is wrong. In processes of their own: it is the start."""

import importlib.util
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tfpretune.runtime.quiet import is_news

START = "from tfpretune.runtime import quiet; quiet.GPU_FILES = {files!r}; quiet.start_tensorflow()"


def start(code, **environment):
    clean = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_nothing_is_said_and_stderr_works_afterwards(tmp_path):
    code = START.format(files=str(tmp_path / "no such*"))
    done = start(f"{code}; import sys, tensorflow as tf; tf.constant(1); print('after', file=sys.stderr)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "after\n")


def test_a_gpu_that_is_not_found_is_told(tmp_path):
    (tmp_path / "nvidia0").write_text("")
    done = start(START.format(files=str(tmp_path / "nvidia*")))
    assert done.returncode == 0
    assert done.stderr.endswith(
        "note: this machine has a GPU that TensorFlow does not find; TF_CPP_MIN_LOG_LEVEL=0 shows why\n"
    )


def test_a_start_that_fails_shows_all(tmp_path):
    """A TensorFlow that writes a line and then cannot be imported."""
    (tmp_path / "tensorflow.py").write_text(
        "import os\nos.write(2, b'the driver is too old\\n')\nraise ImportError('no')\n"
    )
    done = start(
        START.format(files=str(tmp_path / "no such*")),
        PYTHONPATH=f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    )
    assert done.returncode == 1
    assert done.stderr.startswith("the driver is too old\n")
    assert done.stderr.endswith("ImportError: no\n")


@pytest.mark.parametrize("level", ["0", "3"])
def test_who_chose_a_level_is_left_alone(level):
    code = "import os, sys; from tfpretune.runtime.quiet import start_tensorflow; start_tensorflow(); "
    done = start(
        code + "print(os.environ['TF_CPP_MIN_LOG_LEVEL'], 'tensorflow' in sys.modules)", TF_CPP_MIN_LOG_LEVEL=level
    )
    assert done.stdout == f"{level} False\n"


def test_traces_of_many_models_are_no_news(caplog):
    """The words are those of TensorFlow 2.21; what else it warns of stays."""
    log = logging.getLogger("tensorflow of a test")
    log.addFilter(is_news)
    log.warning("%d out of the last %d calls to %s triggered tf.function retracing.", 5, 5, "f")
    log.warning("the disk is slow")
    assert [record.getMessage() for record in caplog.records] == ["the disk is slow"]


def test_the_words_are_tensorflows():
    folder = Path(importlib.util.find_spec("tensorflow").origin).parent
    text = (folder / "python/eager/polymorphic_function/polymorphic_function.py").read_text("utf-8")
    assert "triggered tf.function retracing" in re.sub(r"'\s+'|\"\s+\"", "", text)
