"""What an earlier version wrote is read, says the same and goes on to the same end: presets, models, runs, an export."""

import contextlib
import json
import tarfile
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tests.data.old.make import ADAPTED, RUNS, SIZES, arrays
from tests.recipes.test_recipes import run_recipe
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.text.tokens import encode_all
from tfpretune.serving import verify
from tfpretune.training.adapters import load_adapter
from tfpretune.training.presets import load_task

ARCHIVE = Path(__file__).with_name("before_moves.tar.xz")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "old"


@pytest.fixture(scope="module")
def about(old):
    return json.loads((old / "about.json").read_text("utf-8"))


def names():
    with tarfile.open(ARCHIVE) as archive:
        return sorted(Path(name).stem for name in archive.getnames() if name.endswith(".keras") and "/models/" in name)


@pytest.mark.parametrize("name", names())
def test_models_of_every_kind_say_the_same(old, name):
    model = keras.models.load_model(old / "models" / f"{name}.keras", compile=False)
    if name == ADAPTED:
        load_adapter(model, old / "adapter")
    with np.load(old / "models" / "said.npz") as said:
        start = f"{name}/inputs/"
        found = arrays(model({key.removeprefix(start): said[key] for key in said if key.startswith(start)}))
        for number, value in enumerate(found):
            np.testing.assert_allclose(value, said[f"{name}/outputs/{number}"], atol=1e-6)


@pytest.mark.parametrize("name", ["text", "images", "patches", "classifier"])
def test_presets_are_backbones_for_us_and_for_kerashub(old, name):
    ours, theirs = (
        load_backbone(str(old / "presets" / name)),
        keras_hub.models.Backbone.from_preset(str(old / "presets" / name)),
    )
    assert [weight.path for weight in ours.weights] == [weight.path for weight in theirs.weights]
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_fine_tuned_preset_predicts(old, about):
    model, task = load_task(old / "presets" / "classifier")
    assert (task["kind"], task["class_names"]) == ("text", ["a", "b"])
    assert SourceForm.from_task(task) == SourceForm()  # its source is opened again as it was
    tokenizer = load_tokenizer(str(old / "presets" / "classifier"))
    rows = encode_all(tokenizer, about["texts"], sequence_length=task["sequence_length"])
    np.testing.assert_allclose(keras.ops.softmax(model(rows)), about["probabilities"], atol=1e-6)


@pytest.mark.parametrize("name", RUNS)
def test_runs_go_on_from_their_checkpoint_to_the_same_end(old, about, name, capsys):
    recipe, settings = RUNS[name]
    with contextlib.chdir(old):
        run_recipe(recipe, out_dir=f"runs/{name}", **SIZES, **settings)
    assert "resumed from step 6 of 12" in capsys.readouterr().out
    metrics = json.loads((old / "runs" / name / "report" / "metrics.json").read_text("utf-8"))
    expected = about["metrics"][name]
    added = {key for key in metrics if key.startswith("baseline_")}  # since then, the simple baselines stand there, too
    assert {key: metrics[key] for key in metrics.keys() - added} == pytest.approx(expected, rel=1e-5)


def test_the_export_answers_and_is_whole(old, about):
    version = old / "saved_models" / "old" / "1"
    verify(version)
    served = tf.saved_model.load(str(version)).signatures["serving_default"](texts=tf.constant(about["texts"]))
    np.testing.assert_allclose(served["probabilities"], about["probabilities"], atol=1e-5)
