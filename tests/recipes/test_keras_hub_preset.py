"""A KerasHub image preset, with its own range of pixels and open shape, through the recipes to a served model."""

import importlib.util
from pathlib import Path

import keras_hub
import numpy as np

from tests.backbones.test_inputs import resnet
from tfpretune.backbones.inputs import read_pixels
from tfpretune.training.presets import load_task

RECIPE = Path(__file__).parents[2] / "recipes" / "finetune_image.py"


def test_a_preset_of_keras_hub_is_fine_tuned_twice(tmp_path, capsys):
    resnet().save_to_preset(str(tmp_path / "hub"))
    converter = keras_hub.layers.ImageConverter((32, 32), scale=[1 / 127.5] * 3, offset=[-1.0] * 3)
    converter.save_to_preset(str(tmp_path / "hub"))
    spec = importlib.util.spec_from_file_location("finetune_image", RECIPE)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    settings = {"source": "demo:digits", "image_size": (16, 16), "fast": True}
    recipe.main(recipe.Config(preset=str(tmp_path / "hub"), out_dir=str(tmp_path / "one"), **settings))
    model, task = load_task(tmp_path / "one" / "preset")
    assert task["image_shape"] == [16, 16, 3]
    assert model.input["images"].shape == (None, 16, 16, 3)
    first, again = read_pixels(str(tmp_path / "hub")), read_pixels(str(tmp_path / "one" / "preset"))
    np.testing.assert_allclose(first.scale, [2.0] * 3, rtol=1e-6)  # from [0, 1] to [-1, 1]
    np.testing.assert_allclose((again.scale, again.offset), (first.scale, first.offset), rtol=1e-6)
    recipe.main(recipe.Config(preset=str(tmp_path / "one" / "preset"), out_dir=str(tmp_path / "two"), **settings))
    assert "test accuracy" in capsys.readouterr().out
