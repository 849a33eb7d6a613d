"""The whole comparison on a few digits; the metrics mean nothing."""

import json
import shutil

import pytest

from tests.recipes.test_recipes import load
from tfpretune.backbones import SmallCNN
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import UsageError
from tfpretune.objectives import Autoencoder
from tfpretune.training.presets import save_preset

RECIPE = load("label_efficiency")
METHODS = ("from scratch", "head only", "gradual", "lora", "baseline")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return str(save_preset(tmp_path_factory.mktemp("run") / "preset", Autoencoder(SmallCNN((8, 8, 1), (8, 8)))))


def settings(preset, tmp_path, **own):
    fields = {"source": "demo:digits", "labels": (2, 4, 999), "seeds": 2, "methods": METHODS, "fast": True}
    return RECIPE.Config(preset=preset, out_dir=str(tmp_path / "out"), **(fields | own))


def test_every_trial_once(preset, tmp_path, capsys):
    """5 methods, 2 numbers of labels, 2 seeds; a second run makes none of them again."""
    table = RECIPE.main(settings(preset, tmp_path))
    printed = capsys.readouterr().out
    assert "left out: more than" in printed  # 999 labels
    assert printed.count("seed ") == 20
    assert len(table.rows) == 10
    assert len([*(tmp_path / "out" / "trials").iterdir()]) == 20
    again = RECIPE.main(settings(preset, tmp_path))
    assert capsys.readouterr().out.count("seed ") == 0
    assert again.rows == table.rows
    page = (tmp_path / "out/report/index.html").read_text("utf-8")
    assert "labels per class" in page
    assert len(json.loads((tmp_path / "out/report/metrics.json").read_text("utf-8"))) == 10


@pytest.mark.slow
def test_two_processes_find_what_one_finds(preset, tmp_path):
    """A network that is traced anew and one that is trained again from its start learn the same."""
    own = {"labels": (2,), "methods": ("from scratch", "full", "l2-sp")}
    one = RECIPE.main(settings(preset, tmp_path / "one", **own))
    two = RECIPE.main(settings(preset, tmp_path / "two", processes=2, **own))
    assert one.rows == two.rows


def test_images_have_their_own_rates_and_lengths(preset, tmp_path):
    """With the defaults of texts the side from scratch would learn far too little of images; what is asked for stays."""
    train = open_source("demo:digits")
    images = settings(preset, tmp_path, steps=40).for_examples(train)
    assert (images.steps, images.batch_size, images.scratch_optimizer.learning_rate) == (40, 32, 3e-3)
    assert settings(preset, tmp_path).for_examples(train).steps == 300


def test_other_trials_are_not_mixed_with_these(preset, tmp_path):
    """Of other settings, of another preset in the same place, and of a folder from when gradual counted other steps."""
    own = {"labels": (2,), "methods": ("from scratch", "full", "baseline")}
    place, out = shutil.copytree(preset, tmp_path / "copy"), tmp_path / "out"
    RECIPE.main(settings(str(place), tmp_path, **own))
    trials = {path: path.read_bytes() for path in (out / "trials").iterdir()}
    with pytest.raises(UsageError, match="batch_size: 32 -> 8"):
        RECIPE.main(settings(str(place), tmp_path, batch_size=8, **own))
    save_preset(place, Autoencoder(SmallCNN((8, 8, 1), (8, 8))))
    with pytest.raises(UsageError, match=r"other settings \(files of the preset: '\w+' -> '\w+'\): choose another"):
        RECIPE.main(settings(str(place), tmp_path, **own))
    (out / "identity.json").unlink()
    with pytest.raises(UsageError, match=r"way of making trials: None -> 3\): choose another `out_dir`"):
        RECIPE.main(settings(str(place), tmp_path, **own))
    assert {path: path.read_bytes() for path in (out / "trials").iterdir()} == trials


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"seeds": 1}, "--seeds must be at least 2"),
        ({"methods": ("full", "lora")}, "needs 'from scratch'"),
        ({"labels": ()}, "--labels must be"),
        ({"unfreeze_fraction": 0.0}, "--unfreeze-fraction must be above 0 and below 1, received 0.0"),
        ({"unfreeze_fraction": 1.0}, "--unfreeze-fraction must be above 0 and below 1, received 1.0"),
    ],
)
def test_settings_that_cannot_work(own, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        settings("p", tmp_path, **own)
