"""The shape that images are brought to where nobody names one."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from tfpretune.data.examples.examples import Examples
from tfpretune.errors import UsageError
from tfpretune.tasks.pretraining.image_shape import patch_size_for, with_image_shape
from tfpretune.tasks.pretraining.settings import ImagePretrainingConfig


def config(out_dir, **given):
    return ImagePretrainingConfig("images:x", str(out_dir), steps=1, **given)


def files(folder, sizes, mode="RGB", suffix="jpg"):
    paths = [str(folder / f"{number}.{suffix}") for number in range(len(sizes))]
    for path, (height, width) in zip(paths, sizes, strict=True):
        Image.new(mode, (width, height)).save(path)
    return Examples("image", paths, None, (), paths, "images:x")


@pytest.mark.parametrize(
    ("sizes", "mode", "shape", "patch"),
    [
        ([(480, 640), (600, 400), (300, 500)], "RGB", (64, 64, 3), 8),
        ([(480, 640)] * 2, "L", (64, 64, 1), 8),
        ([(28, 28)] * 3, "L", (28, 28, 1), 7),
        ([(28, 28)], "RGB", (28, 28, 3), 7),
        ([(50, 300)], "RGB", (48, 64, 3), 4),
        ([(17, 33)], "L", (20, 32, 1), 4),
        ([(5, 6)], "L", (8, 8, 1), 2),
    ],
)
def test_it_follows_the_images(tmp_path, capsys, sizes, mode, shape, patch):
    run = with_image_shape(config(tmp_path / "run"), files(tmp_path, sizes, mode))
    assert (run.image_shape, run.patch_size) == (shape, patch)
    said = capsys.readouterr().out
    kept = {(*size, shape[2]) for size in sizes} == {shape}
    assert ("--image-shape HEIGHT WIDTH CHANNELS names another shape" in said) != kept
    if sizes[0] == (480, 640) and mode == "RGB":
        assert said.startswith(
            "images:x: images of 480 x 500 pixels in colour in the median, brought to 64 x 64 pixels"
        )


def test_one_image_in_colour_keeps_the_colours_of_all(tmp_path):
    grey = files(tmp_path, [(28, 28)] * 3, "L")
    Image.new("RGB", (28, 28)).save(grey.inputs[1])
    (tmp_path / "2.jpg").write_bytes(b"broken")
    assert with_image_shape(config(tmp_path / "run"), grey).image_shape == (28, 28, 3)
    for path in grey.inputs:
        open(path, "wb").close()
    with pytest.raises(UsageError, match="images:x: none of its images can be read"):
        with_image_shape(config(tmp_path / "run"), grey)


@pytest.mark.parametrize(("shape", "expected"), [((28, 28, 1), (28, 28, 1)), ((40, 20, 3), (32, 20, 3))])
def test_arrays_have_a_shape(tmp_path, capsys, shape, expected):
    examples = Examples("image", np.zeros((2, *shape), np.uint8), None, (), ["a", "b"], "demo:x")
    assert with_image_shape(config(tmp_path), examples).image_shape == expected
    assert ("in the median" in capsys.readouterr().out) is False


def test_what_is_asked_for_counts(tmp_path, capsys):
    examples = files(tmp_path, [(480, 640)])
    given = config(tmp_path / "run", image_shape=(40, 50, 1), patch_size=3)
    assert with_image_shape(given, examples) == given
    assert with_image_shape(dataclasses.replace(given, patch_size=0), examples).patch_size == 5
    assert capsys.readouterr().out == ""
    for shape in ((28, 28, 2), (0, 28, 1), (-1, 28, 1)):
        with pytest.raises(
            UsageError, match=f"--image-shape needs height, width and 1 or 3 channels, received {shape[0]}"
        ):
            config(tmp_path, image_shape=shape)


def test_a_run_that_goes_on_keeps_its_own(tmp_path):
    """Runs of before have 28 x 28 grey pixels and patches of 7, whatever their images are."""
    examples, old = files(tmp_path, [(480, 640)]), tmp_path / "old"
    (old / "checkpoints").mkdir(parents=True)
    (old / "config.json").write_text(json.dumps({"image_shape": [28, 28, 1], "patch_size": 7, "fast": False}))
    run = with_image_shape(config(old), examples)
    assert (run.image_shape, run.patch_size) == ((28, 28, 1), 7)
    assert with_image_shape(config(old, fast=True), examples).image_shape == (64, 64, 3)
    assert with_image_shape(config(old, resume="never"), examples).image_shape == (64, 64, 3)
    assert with_image_shape(config(old, image_shape=(32, 32, 3)), examples).image_shape == (32, 32, 3)
    (old / "checkpoints").rmdir()
    assert with_image_shape(config(old), examples).image_shape == (64, 64, 3)


def test_patches_divide_the_image():
    shapes = {(28, 28): 7, (32, 32): 8, (64, 64): 8, (48, 64): 4, (30, 40): 5, (29, 29): 7, (8, 8): 2}
    assert {size: patch_size_for((*size, 1)) for size in shapes} == shapes
