"""`finetune_embedder`: texts and images by one recipe, at their smallest, to a served model."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.faults.tiny import make_tokenizer, write_presets
from tests.recipes.test_recipes import load, run_recipe
from tfpretune.backbones import SmallCNN
from tfpretune.data.text.tokens import encode_all
from tfpretune.errors import UsageError
from tfpretune.objectives import DenoisingAutoencoder
from tfpretune.settings.run import DevicesConfig, OptimizerConfig
from tfpretune.training.presets import load_task, save_preset

TINY = {"batch_size": 16, "jit": "off", "precision": "float32", "size": 4}
FAST = OptimizerConfig(learning_rate=2e-2, warmup=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedder")
    write_presets(folder)
    save_preset(folder / "wide", DenoisingAutoencoder(SmallCNN((8, 8, 1), (16, 32), groups=2)))
    return folder


def texts(folder, out, **more):
    own = {"source": f"csv:{folder}/texts.csv", "preset": f"{folder}/text", "out_dir": str(out)}
    return TINY | own | {"sequence_length": 16, "window_length": 8} | more


def images(folder, out, **more):
    own = {"source": "demo:digits", "preset": f"{folder}/wide", "out_dir": str(out), "shift": 0}
    return TINY | own | more


def test_texts_from_a_preset_to_a_served_model(folder, tmp_path):
    """Classes by their words: found by the embeddings better than by the backbone before; the best mAP is kept."""
    out = tmp_path / "run"
    result = run_recipe("finetune_embedder", **texts(folder, out, steps=60, save_every_steps=20, optimizer=FAST))
    metrics = json.loads((out / "report" / "metrics.json").read_text("utf-8"))
    assert metrics["recall@1"] > 0.9
    assert metrics["leave_one_out/map"] > 0.8
    assert result.best == max(value for _, value in result.curves["val_map"])
    page = (out / "report" / "index.html").read_text("utf-8")
    for part in ("TF-IDF", "backbone before", "embedder", "searched in itself", "Nearest training examples"):
        assert part in page
    rows = (out / "logs" / "validation" / "features.tsv").read_text("utf-8").splitlines()
    assert {len(row.split("\t")) for row in rows} == {4}  # embeddings, not the 8 features below

    saved = run_recipe("export", run_dir=str(out), name="toy", saved_models=str(tmp_path / "saved"), fast=True)
    model, task = load_task(out / "preset")
    assert "class_names" not in task
    asked = ["w1 w2", "w40"]
    answer = tf.saved_model.load(str(saved)).signatures["serving_default"](texts=tf.constant(asked))["embedding"]
    expected = keras.ops.normalize(model(encode_all(make_tokenizer(), asked, sequence_length=16)))
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_images(folder, tmp_path):
    """Digits of 8 x 8 pixels, from random weights."""
    out = tmp_path / "run"
    rates = OptimizerConfig(learning_rate=5e-3, warmup=0.1)
    own = {
        "steps": 60,
        "save_every_steps": 60,
        "labels_per_class": 30,
        "optimizer": rates,
        "batch_size": 40,
        "size": 16,
    }
    run_recipe("finetune_embedder", **images(folder, out, **own, rotate_degrees=0.0, scale=0.0))
    metrics = json.loads((out / "report" / "metrics.json").read_text("utf-8"))
    assert metrics["map"] > 0.8  # of the pixels themselves 0.65
    page = (out / "report" / "index.html").read_text("utf-8")
    for part in ("pixels", "nearest training images", "data:image/png"):
        assert part in page
    _, task = load_task(out / "preset")
    assert (task["kind"], task["image_shape"]) == ("image", [8, 8, 1])


def test_a_dry_run_leaves_nothing(folder, tmp_path, capsys):
    assert run_recipe("finetune_embedder", **texts(folder, tmp_path / "run", dry_run=True, fast=True)) is None
    assert "memory, estimated: " in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"per_class": 5}, "--per-class must be 0, or at least 2 and divide --batch-size 32, received 5"),
        ({"r_drop": 1.0}, "--r-drop: embeddings have no distance"),
        ({"accumulate_steps": 2}, "--accumulate-steps must be 1"),
        ({"temperature": 0.0}, "--temperature above 0"),
        ({"window_length": 100}, "is not a multiple of --window-length 100"),
        ({"cache_features": True, "frozen": "all"}, "give --per-class 0"),
        ({"jit": "on", "devices": DevicesConfig(replicas=2)}, "--jit on with several replicas"),
    ],
)
def test_settings_that_cannot_work(own, message):
    with pytest.raises(UsageError, match=message):
        load("finetune_embedder").Config(**own)


def test_cached_features(folder, tmp_path):
    """The head alone, on rows as they come."""
    own = {"frozen": "all", "cache_features": True, "per_class": 0, "backbone_dropout": 0.0, "fast": True}
    result = run_recipe("finetune_embedder", **texts(folder, tmp_path / "run", **own))
    assert result.steps == 3
