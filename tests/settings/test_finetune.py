import dataclasses
import re
import subprocess
import sys

import pytest

from tfpretune.errors import UsageError
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.launch import parse

GIVEN = {"source": "demo:bbc", "out_dir": "runs/x", "preset": "runs/p/preset", "steps": 5}


@dataclasses.dataclass(frozen=True)
class Child(FinetuneConfig):
    """A recipe's settings."""

    source: str = "demo:bbc"
    """Texts with labels."""
    out_dir: str = "runs/child"
    preset: str = "runs/p/preset"
    steps: int = 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dropout": 1.0}, "--dropout must be in [0, 1), received 1.0"),
        ({"label_smoothing": -0.1}, "--label-smoothing must be in [0, 1), received -0.1"),
        ({"preset": ""}, "--preset is empty: give the folder of a pre-trained preset"),
        ({"labels_per_class": -1}, "--labels-per-class must not be negative, received -1"),
        ({"patience": -1}, "--patience must not be negative, received -1"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),  # what every run is asked
    ],
)
def test_what_cannot_work_is_refused(change, message):
    FinetuneConfig(**GIVEN)
    with pytest.raises(UsageError, match=re.escape(message)):
        FinetuneConfig(**GIVEN | change)


def test_help_explains_a_field_whose_default_alone_was_changed(capsys):
    with pytest.raises(SystemExit):
        parse(Child, ["--help"])
    text = " ".join(re.sub(r"[^ -~]", " ", capsys.readouterr().out).split())
    for words in ("The pre-trained backbone, with its tokenizer", "Optimizer steps; 0 to give --epochs.", "runs/child"):
        assert words in text
    assert "Texts with labels." in text  # the child's own words
    assert "Where the examples come from" not in text


def test_settings_need_no_tensorflow():
    command = "import sys, tfpretune.settings.finetune; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
