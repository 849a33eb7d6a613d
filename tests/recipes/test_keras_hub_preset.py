"""A KerasHub image preset, with its own range of pixels and open shape, through the recipes to a served model."""

import importlib.util
from pathlib import Path

import keras
import keras_hub
import numpy as np

from tests.backbones.test_feeding import resnet
from tests.recipes.test_recipes import load
from tfpretune.backbones import SmallCNN, VisionTransformer
from tfpretune.backbones.feeding import Pixels, read_pixels, save_pixels
from tfpretune.objectives import Autoencoder, MaskedAutoencoder
from tfpretune.training.presets import in_float32, load_task


def cnn():
    return SmallCNN((8, 8, 1), (8,))


def small_vit():
    return VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4)


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


def test_pre_training_goes_on_with_a_preset_s_own_pixels(tmp_path):
    """What the backbone sees is scaled, and the new preset says the same scale."""
    cnn().save_to_preset(str(tmp_path / "hub"))
    keras_hub.layers.ImageConverter((8, 8), scale=2 / 255, offset=-1.0).save_to_preset(str(tmp_path / "hub"))
    recipe, out = load("pretrain_image"), str(tmp_path / "run")
    settings = {"source": "demo:digits", "fast": True, "jit": "off", "precision": "float32"}
    recipe.main(recipe.Config(preset=str(tmp_path / "hub"), out_dir=out, **settings))
    found = read_pixels(f"{out}/preset")
    np.testing.assert_allclose((found.scale, found.offset), (2.0, -1.0), rtol=1e-6)


def test_what_the_backbone_sees_is_scaled():
    images = np.random.default_rng(0).random((2, 8, 8, 1)).astype("float32")
    model = Autoencoder(cnn(), pixels=Pixels(2.0, -1.0))
    code = keras.Model(model.input, model.get_layer("code").output)({"images": images})
    expected = model.backbone({"images": 2 * images - 1}, training=False).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(code, expected, atol=1e-5)
    copy = in_float32(model)
    assert copy.pixels == model.pixels
    np.testing.assert_allclose(copy({"images": images}), model({"images": images}), atol=1e-6)


def test_visible_patches_are_scaled_and_restored_ones_are_not(tmp_path):
    plain = MaskedAutoencoder(small_vit(), decoder_dim=4, decoder_heads=1)
    scaled = MaskedAutoencoder(plain.backbone, decoder_dim=4, decoder_heads=1, pixels=Pixels(2.0, -1.0))
    scaled.set_weights(plain.get_weights())
    images = np.random.default_rng(0).random((2, 8, 8, 1)).astype("float32")
    batch = {"visible_positions": np.array([[0, 3]] * 2, "int32"), "masked_positions": np.array([[1, 2]] * 2, "int32")}
    np.testing.assert_allclose(scaled(batch | {"images": images}), plain(batch | {"images": 2 * images - 1}), atol=1e-5)
    seen, _ = scaled.reconstruct(
        {name: keras.ops.convert_to_tensor(column) for name, column in (batch | {"images": images}).items()}
    )
    np.testing.assert_allclose(seen[:, :4, :4], images[:, :4, :4], atol=1e-6)
    assert in_float32(scaled).pixels == scaled.pixels
    save_pixels(scaled, tmp_path)
    assert (tmp_path / "image_converter.json").is_file()
