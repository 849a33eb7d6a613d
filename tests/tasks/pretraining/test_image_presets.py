"""KerasHub's image backbones from a preset through pre-training, fine-tuning and export, as docs/checkpoints.md says."""

import dataclasses
import re
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_hub_backbones import IMAGES, TEXTS
from tfpretune.backbones import SmallCNN, load_backbone, read_pixels
from tfpretune.data import open_source
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import classifier
from tfpretune.serving import export
from tfpretune.serving.loading import load
from tfpretune.tasks import IMAGE_OBJECTIVES, ImagePretrainingConfig, open_image_backbone
from tfpretune.training import load_task, save_preset

# Keras says so of lists of layers that it does not save; the layers are saved by another way.
pytestmark = pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
BYTES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
REFUSED = {"HGNetV2Backbone": "gives stem, stage1, stage2: expected features or sequence_output"}
PAGE = Path(__file__).parents[3] / "docs" / "checkpoints.md"


@dataclasses.dataclass(frozen=True)
class Config(ImagePretrainingConfig):
    """As the recipe has it."""

    source: str = "demo:digits"
    out_dir: str = "runs/a"
    steps: int = 1
    objective: str = "autoencoder"


def save(name, folder, **settings):
    """A preset as KerasHub writes it, for pixels in [-1, 1]."""
    keras.utils.set_random_seed(0)
    IMAGES[name]().save_to_preset(str(folder))
    converter = {"image_size": (32, 32), "scale": 1 / 127.5, "offset": -1.0} | settings
    keras_hub.layers.ImageConverter(**converter).save_to_preset(str(folder))
    return str(folder)


def opened(folder, **settings):
    return open_image_backbone(Config(preset=str(folder), **settings), open_source("demo:digits"))


def pretrained(folder, objective):
    run, backbone, pixels = opened(folder, objective=objective, patch_size=8)
    model = IMAGE_OBJECTIVES[objective].make_model(backbone, pixels, run)
    before = backbone.trainable_weights[0].numpy()
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    batch = {"images": BYTES / np.float32(255)}
    model.fit(batch | ({"targets": batch["images"]} if objective == "denoising" else {}), verbose=0)
    assert np.abs(backbone.trainable_weights[0].numpy() - before).max() > 0
    return str(save_preset(f"{folder}-{objective}", model))


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_a_preset_goes_on_learning_with_its_own_pixels(name, tmp_path):
    folder = save(name, tmp_path / "hub")
    if name in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[name]):
            pretrained(folder, "autoencoder")
        return
    found, kept = read_pixels(pretrained(folder, "autoencoder")), read_pixels(folder)
    np.testing.assert_allclose((found.scale, found.offset), (kept.scale, kept.offset), rtol=1e-6)
    assert found.size == kept.size == (32, 32)


@pytest.mark.parametrize("name", sorted(IMAGES.keys() - REFUSED))
def test_it_is_fine_tuned_and_answers_as_keras_where_it_is_served(name, tmp_path):
    folder = pretrained(save(name, tmp_path / "hub"), "denoising")
    model = classifier(load_backbone(folder), 2, pixels=read_pixels(folder))
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    model.fit({"images": BYTES / np.float32(255), "labels": np.array([0, 1, 0, 1], "int32")}, verbose=0)
    task = {"kind": "image", "class_names": ["a", "b"], "image_shape": [32, 32, 3]}
    model, _ = load_task(save_preset(tmp_path / "tuned", model, task=task))
    settings = {"kind": "image", "class_names": ("a", "b"), "image_shape": (32, 32, 3), "examples": BYTES[:1]}
    served = load(export(model, tmp_path, name="n", **settings))
    raw = [tf.io.encode_png(pixels).numpy() for pixels in BYTES]
    scores = served.call("serving_default", raw)["scores"]
    np.testing.assert_allclose(scores, model({"images": BYTES / np.float32(255)}, training=False), rtol=1e-4, atol=1e-4)


def test_shapes_are_taken_from_the_preset_or_from_the_run_or_refused(tmp_path, capsys):
    fixed, any_size = save("ViTBackbone", tmp_path / "vit"), save("ResNetBackbone", tmp_path / "resnet")
    open_size = save("ResNetBackbone", tmp_path / "open", image_size=None)
    for folder, asked, expected in (
        (fixed, None, (32, 32)),
        (any_size, None, (32, 32)),
        (open_size, None, (8, 8)),  # of the images
        (any_size, (48, 40, 3), (48, 40)),
        (fixed, (32, 32, 3), (32, 32)),
    ):
        run, _, pixels = opened(folder, **({} if asked is None else {"image_shape": asked}))
        assert (pixels.size, run.image_shape) == (expected, (*expected, 3))
    assert "images are brought to 48 x 40 pixels, 3 channels, as ResNetBackbone of " in capsys.readouterr().out
    for folder, asked, message in (
        (fixed, (64, 64, 3), "--image-shape 64 64 3 does not fit .*: its ViTBackbone takes 32 32 3$"),
        (any_size, (64, 64, 1), "--image-shape 64 64 1 does not fit .*: its ResNetBackbone takes 64 64 3$"),
    ):
        with pytest.raises(UsageError, match=message):
            opened(folder, image_shape=asked)


def test_an_image_of_which_nothing_is_left_is_refused(tmp_path):
    keras_hub.models.VGGBackbone([1] * 5, [8] * 5).save_to_preset(str(tmp_path / "vgg"))
    with pytest.raises(UsageError, match="cannot read images of 8 x 8 pixels: give .* --image-shape 224 224 3$"):
        opened(tmp_path / "vgg")


def test_what_cannot_learn_so_is_one_line_with_what_can(tmp_path):
    resnet = save("ResNetBackbone", tmp_path / "resnet")
    with pytest.raises(UsageError, match="this is a ResNetBackbone: --objective autoencoder or denoising takes it$"):
        opened(resnet, objective="mae")
    text, _ = TEXTS["BertBackbone"]()
    text.save_to_preset(str(tmp_path / "text"))
    with pytest.raises(UsageError, match="it takes texts, not images: use a recipe of texts, such as finetune_text$"):
        opened(tmp_path / "text")
    with pytest.raises(UsageError, match="no such folder"):
        opened(tmp_path / "missing")
    (tmp_path / "resnet" / "image_converter.json").write_text("{")
    with pytest.raises((UsageError, RunError), match="image converter cannot be read"):
        opened(resnet)


def test_a_scale_that_is_none_is_said_and_kept(tmp_path, capsys):
    """1 / 255 is what our images have: nothing is done to them, and KerasHub has to be told."""
    folder = save("ResNetBackbone", tmp_path / "hub", scale=1 / 255, offset=None)
    kept = read_pixels(pretrained(folder, "autoencoder"))
    assert (round(kept.scale, 6), kept.offset) == (1.0, 0.0)
    assert keras_hub.layers.ImageConverter.from_preset(f"{folder}-autoencoder").scale == pytest.approx(1 / 255)
    (tmp_path / "hub" / "image_converter.json").unlink()
    read_pixels(folder)
    assert "does not say how pixels are scaled (image_converter.json)" in capsys.readouterr().out


def test_mae_goes_on_with_its_own_preset_whatever_backbone_says():
    """--backbone is not read beside --preset."""
    assert Config(preset="a", objective="mae").backbone == "cnn-small"
    with pytest.raises(UsageError, match="mae needs a vit"):
        Config(objective="mae")


def test_our_own_presets_say_nothing_of_pixels(tmp_path, capsys):
    SmallCNN((8, 8, 1), (8,)).save_to_preset(str(tmp_path))
    read_pixels(str(tmp_path))
    assert "scaled" not in capsys.readouterr().out


def test_the_page_says_the_same():
    rows = re.findall(r"^\| `(\w+Backbone)` \| (\w+)", PAGE.read_text("utf-8").split("## Images")[1], re.M)
    assert dict(rows) == {name: "refused" if name in REFUSED else "yes" for name in IMAGES}
