"""Settings that recipes share: checked once, beside those of any run."""

import dataclasses
import re
import subprocess
import sys

import pytest

from tfpretune.errors import UsageError
from tfpretune.settings.embedding import EmbeddingConfig
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.launch import parse
from tfpretune.settings.multitask import WeighedTasks
from tfpretune.settings.preprocessing import MovedImages, WindowedText

GIVEN = {"source": "demo:bbc", "out_dir": "runs/x", "preset": "runs/p/preset", "steps": 5}


@dataclasses.dataclass(frozen=True)
class Both(WindowedText, MovedImages, FinetuneConfig):
    """Texts and images, with labels."""

    source: str = "demo:bbc"
    """Either."""
    out_dir: str = "runs/both"
    preset: str = "p"
    steps: int = 5
    sequence_length: int = 512


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sequence_length": 100}, "--sequence-length 100 is not a multiple of --window-length 128"),
        ({"scale": 1.0}, "--scale must be in [0, 1), received 1.0"),
        ({"label_smoothing": 2.0}, "--label-smoothing must be in [0, 1), received 2.0"),
        ({"patience": -1}, "--patience must not be negative"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
    ],
)
def test_each_class_refuses_its_own(change, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        Both(**change)


def test_what_is_handed_on():
    run = Both(window_length=0, sequence_length=100, flip=True)
    assert run.reads == {"sequence_length": 100, "window_length": 0}
    assert run.moves == {"flip": True, "shift": 2, "rotate_degrees": 15.0, "scale": 0.1}


def test_the_command_line_has_them_all(capsys):
    run = parse(Both, ["--window-length", "64", "--flip", "--label-kind", "multi-label", "--image-size", "8", "9"])
    assert (run.window_length, run.flip, run.label_kind, run.image_size) == (64, True, "multi-label", (8, 9))
    assert (run.sequence_length, run.steps, run.shift) == (512, 5, 2)
    with pytest.raises(SystemExit):
        parse(Both, ["--help"])
    text = " ".join(re.sub(r"[^ -~]", " ", capsys.readouterr().out).split())
    for words in ("tokens of a text that are read", "largest shift, pixels", "Between the classes of a set"):
        assert words in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "--size must be at least 1"),
        ({"batch_size": 30}, "--per-class must be 0, or at least 2 and divide --batch-size 30, received 4"),
        ({"cache_features": True, "frozen": "all"}, "--cache-features serves rows as they come: give --per-class 0"),
    ],
)
def test_embeddings_compare_the_examples_of_a_batch(change, message):
    EmbeddingConfig(**GIVEN)
    with pytest.raises(UsageError, match=re.escape(message)):
        EmbeddingConfig(**GIVEN | change)


def test_tasks_have_places():
    run = WeighedTasks(**GIVEN, tasks=("mood", "topic=csv:a.csv"))
    assert run.places == {"mood": ("demo:bbc", "mood"), "topic": ("csv:a.csv", "label")}
    with pytest.raises(UsageError, match="--tasks needs two or more"):
        WeighedTasks(**GIVEN)


def test_they_need_no_tensorflow():
    modules = "tfpretune.settings.embedding, tfpretune.settings.multitask"
    command = f"import sys, {modules}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
