"""`finetune_segmenter`: a preset and images with masks, at their smallest, to a served model."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.faults.tiny import make_encoder, make_tokenizer
from tests.recipes.test_recipes import load, run_recipe
from tfpretune.backbones import SmallCNN
from tfpretune.data.image.decoding import load_image
from tfpretune.data.sources.masks import open_masks
from tfpretune.errors import UsageError
from tfpretune.objectives import DenoisingAutoencoder, MaskedLM
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.segmentation import pixel_predictor
from tfpretune.training.presets import load_task, save_preset

TINY = {"batch_size": 8, "jit": "off", "precision": "float32", "hidden_dim": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Grey noise with a bright square (class 1) or a dark one (class 2), and a frame of which nothing is known."""
    folder, random = tmp_path_factory.mktemp("segments"), np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for row in range(120):
        pixels, mask = random.integers(90, 160, (8, 8)), np.zeros((8, 8), int)
        top, left, kind = *random.integers(1, 4, 2), row % 2
        pixels[top : top + 4, left : left + 4] = 30 if kind else 220
        mask[top : top + 4, left : left + 4] = 1 + kind
        mask[0] = 255
        for name, values in (("images", pixels), ("masks", mask)):
            Image.fromarray(values.astype(np.uint8)).save(folder / name / f"{row}.png")
    (folder / "classes.txt").write_text("ground\nlight\ndark\n", "utf-8")
    keras.utils.set_random_seed(0)
    save_preset(folder / "preset", DenoisingAutoencoder(SmallCNN((8, 8, 1), (4, 8), groups=2)))
    save_preset(folder / "text", MaskedLM(make_encoder()), tokenizer=make_tokenizer())
    return folder


def settings(folder, out, **more):
    own = {"source": f"images:{folder}", "preset": f"{folder}/preset", "out_dir": str(out)}
    return TINY | own | more


def test_from_a_preset_to_a_served_model(folder, tmp_path):
    """It learns the squares; the best interval is that of the highest mean IoU; the served map is the model's."""
    out, rates = tmp_path / "run", OptimizerConfig(learning_rate=2e-2, warmup=0.1)
    moves = {"shift": 1, "flip": True, "rotate_degrees": 0.0, "scale": 0.0}
    own = moves | {"steps": 120, "save_every_steps": 40, "optimizer": rates, "balance_classes": True}
    result = run_recipe("finetune_segmenter", **settings(folder, out, **own))
    metrics = json.loads((out / "report" / "metrics.json").read_text("utf-8"))
    assert metrics["mean_iou"] > 0.7
    assert {"iou/ground", "iou/light", "iou/dark", "pixel_accuracy"} <= set(metrics)
    curve = result.curves["val_mean_iou"]
    assert [step for step, _ in curve] == [40, 80, 120]
    assert result.best == max(value for _, value in curve)
    page = (out / "report" / "index.html").read_text("utf-8")
    for part in ("most frequent class", "logistic regression on 5 x 5 pixels", "prediction", "Colours"):
        assert part in page

    model, task = load_task(out / "preset")
    assert (task["class_names"], task["image_shape"]) == (["ground", "light", "dark"], [8, 8, 1])
    assert len(model.target.class_weights) == 3
    saved = run_recipe("export", run_dir=str(out), name="toy", saved_models=str(tmp_path / "saved"), fast=True)
    test = open_masks(f"images:{folder}").split("test")
    content = tf.io.read_file(test.images.inputs[0])
    answer = tf.saved_model.load(str(saved)).signatures["serving_default"](image_bytes=content[tf.newaxis])
    pixels = tf.cast(tf.io.decode_png(content), tf.float32)[tf.newaxis] / 255.0
    np.testing.assert_array_equal(answer["classes"], pixel_predictor(model)(pixels.numpy()))
    # A photo that is stored turned is put upright when served as in training.
    block, path = Image.Exif(), str(tmp_path / "turned.jpg")
    block[0x0112] = 6
    Image.open(test.images.inputs[0]).convert("L").save(path, quality=100, exif=block)
    answer = tf.saved_model.load(str(saved)).signatures["serving_default"](
        image_bytes=tf.io.read_file(path)[tf.newaxis]
    )
    seen = load_image(path, size=(8, 8), channels=1)[tf.newaxis].numpy()
    np.testing.assert_array_equal(answer["classes"], pixel_predictor(model)(seen))


def test_cached_features_and_few_images(folder, tmp_path, capsys):
    """The head alone on features computed once, judged by the whole model; four labelled images."""
    own = {"frozen": "all", "cache_features": True, "train_images": 4, "shift": 0, "rotate_degrees": 0.0, "scale": 0.0}
    run = settings(folder, tmp_path / "run", steps=2, save_every_steps=1, **own)
    result = run_recipe("finetune_segmenter", **run)
    assert "features of 4 rows are kept in memory" in capsys.readouterr().out
    assert len(result.curves["val_mean_iou"]) == 2


def test_a_dry_run_leaves_nothing(folder, tmp_path, capsys):
    assert run_recipe("finetune_segmenter", **settings(folder, tmp_path / "run", dry_run=True, fast=True)) is None
    assert "labels: int32 (8, 8, 8)" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_usage_errors(folder, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(UsageError, match="'demo:digits' is not a source of masks|demo:digits"):
        run_recipe("finetune_segmenter", **settings(folder, out, source="demo:digits"))
    with pytest.raises(UsageError, match="it takes texts, not images"):
        run_recipe("finetune_segmenter", **settings(folder, out, preset=f"{folder}/text"))
    with pytest.raises(UsageError, match="--train-images must not be negative"):
        load("finetune_segmenter").Config(train_images=-1)
    assert list(tmp_path.iterdir()) == []
