"""The recipe of the rate finder on a text and an image preset, with methods that change what learns."""

import contextlib
import dataclasses
import json

import pytest

from tests.recipes.test_recipes import load
from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.backbones.text.text_encoder import TextEncoderTokenizer
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.errors import RunError
from tfpretune.objectives import DenoisingAutoencoder, MaskedLM
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training.presets import save_preset


def text_preset(folder):
    letters = [f"{mark}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz" for mark in ("", "##")]
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, *letters], lowercase=True)
    encoder = TextEncoder(tokenizer.vocabulary_size(), 1, num_heads=1, hidden_dim=8, intermediate_dim=8)
    save_preset(folder, MaskedLM(encoder), tokenizer=tokenizer)
    return {
        "source": "demo:bbc",
        "sequence_length": 32,
        "window_length": 16,
        "layer_decay": 0.5,
        "init_head_from_probe": False,
    }


def image_preset(folder):
    save_preset(folder, DenoisingAutoencoder(SmallCNN((8, 8, 1), (8,))))
    return {"source": "demo:digits", "frozen": "1", "optimizer": OptimizerConfig(name="sgd"), "l1": 1e-4}


@pytest.mark.parametrize("kind", [text_preset, image_preset])
def test_it_prints_the_option_and_leaves_the_curve(kind, tmp_path, capsys):
    settings = kind(tmp_path / "preset")
    recipe = load("find_learning_rate")
    folder = tmp_path / "found"
    with contextlib.chdir(tmp_path):
        curve = recipe.main(
            recipe.Config(
                preset=str(tmp_path / "preset"),
                out_dir=str(folder),
                lowest=1e-3,
                highest=10.0,
                batch_size=32,
                steps=30,
                precision="float32",
                **settings,
            )
        )
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == f"--optimizer.learning-rate {curve.suggested:.1e}"
    assert sorted(path.name for path in folder.iterdir()) == ["rate_finder.json", "rate_finder.png"]
    written = json.loads((folder / "rate_finder.json").read_text("utf-8"))
    assert written["suggested"] == curve.suggested
    assert curve.rates[0] == pytest.approx(1e-3)
    assert min(curve.smoothed) < curve.smoothed[0]


def test_a_rehearsal_of_the_settings_finds_nothing(tmp_path, capsys):
    settings = image_preset(tmp_path / "preset")
    recipe = load("find_learning_rate")
    run = recipe.Config(preset=str(tmp_path / "preset"), out_dir=str(tmp_path / "x"), dry_run=True, **settings)
    assert recipe.main(run) is None
    assert "parameters" in capsys.readouterr().out
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("batch_size", "warned"), [(2, False), (16, True)])
def test_few_examples_seen_often_are_said(tmp_path, capsys, batch_size, warned):
    """2 labels a class are 20 digits: 30 steps of 2 are 3 passes, of 16 are 24."""
    settings = image_preset(tmp_path / "preset") | {"labels_per_class": 2, "steps": 30, "lowest": 1e-3, "highest": 10.0}
    recipe = load("find_learning_rate")
    run = recipe.Config(
        preset=str(tmp_path / "preset"),
        out_dir=str(tmp_path),
        batch_size=batch_size,
        init_head_from_probe=False,
        **settings,
    )
    recipe.main(run)
    assert ("warning: the 20 examples were seen 24 times" in capsys.readouterr().out) == warned


def test_where_nothing_falls_a_probed_head_is_named(tmp_path):
    """Rates at which the very first step diverges."""
    settings = image_preset(tmp_path / "preset") | {"steps": 30, "lowest": 1e30, "highest": 1e35, "batch_size": 32}
    recipe = load("find_learning_rate")
    run = recipe.Config(preset=str(tmp_path / "preset"), out_dir=str(tmp_path), init_head_from_probe=True, **settings)
    with pytest.raises(RunError, match="or --no-init-head-from-probe: the head was trained on these"):
        recipe.main(run)
    with pytest.raises(RunError) as error:
        recipe.main(dataclasses.replace(run, init_head_from_probe=False))
    assert "--no-init-head-from-probe" not in str(error.value)
