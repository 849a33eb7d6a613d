"""`evaluate` on sources that do not fit the run."""

import numpy as np
import pytest
from PIL import Image

from tests.recipes.test_recipes import load
from tfpretune.backbones import SmallCNN, TextEncoder, TextEncoderTokenizer
from tfpretune.cli.arguments import main
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import classifier
from tfpretune.training.presets import save_preset


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A text run and an image run, both with the classes no and yes, and a source of each kind with other labels."""
    folder = tmp_path_factory.mktemp("runs")
    text = classifier(TextEncoder(7, 1, num_heads=1, hidden_dim=4, intermediate_dim=4), 2)
    image = classifier(SmallCNN((8, 8, 1), (8,)), 2)
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, "good", "bad"], lowercase=True)
    task = {"class_names": ["no", "yes"], "source": "demo:bbc", "license": ""}
    save_preset(folder / "text/preset", text, tokenizer=tokenizer, task=task | {"kind": "text", "sequence_length": 8})
    save_preset(folder / "image/preset", image, task=task | {"kind": "image", "image_shape": [8, 8, 1]})
    for name in ("cat", "dog"):
        (folder / "pictures" / name).mkdir(parents=True)
        Image.fromarray(np.full((8, 8), len(name), np.uint8)).save(folder / "pictures" / name / "1.png")
    (folder / "texts.csv").write_text("text,label\ngood,cat\nbad,dog\n", "utf-8")
    (folder / "plain.csv").write_text("text\ngood\nbad\n", "utf-8")
    return folder


@pytest.mark.parametrize(
    ("kind", "source", "other"), [("text", "images:{}/pictures", "image"), ("image", "csv:{}/texts.csv", "text")]
)
def test_a_source_of_the_other_kind_is_refused_by_its_kind(runs, kind, source, other, tmp_path, capsys):
    """In one line, with exit code 2, though its labels do not fit either."""
    source = source.format(runs)
    given = ["--run-dir", str(runs / kind), "--source", source, "--out-dir", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        main(["run", "evaluate", *given])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said == f"error: --source {source} holds {other} examples, {runs / kind} expects {kind}\n"


def test_labels_of_the_right_kind_are_still_named(runs, tmp_path):
    recipe = load("evaluate")
    run = recipe.Config(run_dir=str(runs / "text"), source=f"csv:{runs}/texts.csv", out_dir=str(tmp_path))
    with pytest.raises(RunError, match=r"texts.csv:2: the label 'cat' is out of range; expected one of no, yes"):
        recipe.main(run)
    run = recipe.Config(run_dir=str(runs / "text"), source=f"csv:{runs}/plain.csv", out_dir=str(tmp_path))
    with pytest.raises(UsageError, match=r"plain.csv has no labels: there is nothing to compare with"):
        recipe.main(run)
