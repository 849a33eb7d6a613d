"""Colour photos of several shapes from the folder to the served model, each step with its defaults but for --resize crop."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.recipes.test_recipes import load
from tfpretune.serving import predict

FAST = {"fast": True, "batch_size": 8}
TINY = {**FAST, "jit": "off", "precision": "float32"}
SHAPES = [(90, 120), (120, 90), (70, 200), (80, 80)]


def scene(row, green):
    height, width = SHAPES[row % 4]
    pixels = np.random.default_rng(row).integers(0, 90, (height, width, 3), np.uint8)
    pixels[height // 4 : -height // 4, width // 3 : -width // 3, int(green)] += 160
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of classes and a folder with masks, and what lies beside photos in them."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("red", "green"):
        (folder / f"classes/{name}").mkdir(parents=True)
        for row in range(30):
            scene(row, name == "green").save(folder / f"classes/{name}/{row} x.{('JPG', 'png')[row % 2]}")
    (folder / "classes/red/.DS_Store").write_text("x")
    (folder / "classes/red/notes.xml").write_text("x")
    for kind in ("images", "masks"):
        (folder / "scenes" / kind).mkdir(parents=True)
    for row in range(30):
        picture = scene(row, row % 2)
        picture.save(folder / f"scenes/images/{row}.jpg", quality=95)
        mask = np.asarray(picture).max(-1) > 140
        Image.fromarray(mask.astype(np.uint8)).save(folder / f"scenes/masks/{row}.png")
    return folder


def run(called, **settings):
    recipe = load(called)
    return recipe.main(recipe.Config(**settings))


def task_of(out):
    return json.loads((Path(out) / "preset/task.json").read_text("utf-8"))


def test_what_is_said_once_holds_to_the_end(photos, tmp_path, capsys):
    source, out = f"images:{photos}/classes", {name: str(tmp_path / name) for name in "abcd"}
    run("pretrain_image", source=source, out_dir=out["a"], resize="crop", **TINY)
    said = capsys.readouterr().out
    assert "left out: 2 files: 1 hidden, 1 of other kinds (.xml)" in said
    assert "pixels in colour in the median, brought to 64 x 64 pixels in colour; --image-shape" in said
    settings = json.loads((tmp_path / "a/config.json").read_text("utf-8"))
    assert (settings["image_shape"], settings["patch_size"]) == ([64, 64, 3], 8)

    run("finetune_image", source=source, preset=f"{out['a']}/preset", out_dir=out["b"], **TINY)
    assert (task_of(out["b"])["resize"], task_of(out["b"])["image_shape"]) == ("crop", [64, 64, 3])
    run("evaluate", run_dir=out["b"], source="", split="all", out_dir=out["c"], **FAST)
    served = run("export", run_dir=out["b"], name="photos", saved_models=str(tmp_path / "saved"), fast=True)
    reading = json.loads((served / "assets.extra/preprocessing.json").read_text("utf-8"))
    assert reading["resize"] == "crop"
    paths = [str(photos / f"classes/red/{row} x.{('JPG', 'png')[row % 2]}") for row in range(4)]
    assert {answer.label for answer in predict(str(served), paths)} <= {"red", "green"}

    masks = {"source": f"images:{photos}/scenes", "preset": f"{out['b']}/preset"}
    run("finetune_segmenter", **masks, resize="pad", out_dir=out["d"], **TINY)
    assert task_of(out["d"])["resize"] == "pad"
    served = run("export", run_dir=out["d"], name="scenes", saved_models=str(tmp_path / "saved"), fast=True)
    (answer,) = predict(str(served), [str(photos / "scenes/images/2.jpg")])
    assert np.shape(answer["classes"]) == (64, 64)
    assert set(np.unique(answer["classes"])) <= {0, 1}
