"""Images of another aspect ratio: squeezed, cropped, padded; pixels, masks and answers, beside what Pillow makes of them."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from tfpretune.data.batches import examples as columns
from tfpretune.data.batches.examples import image_batches
from tfpretune.data.batches.masks import mask_array
from tfpretune.data.examples.examples import Examples
from tfpretune.data.examples.masks import MaskExamples
from tfpretune.data.image import decoding
from tfpretune.data.image.fitting import RESIZES, axes, nearest, put_back
from tfpretune.data.image.resizing import Places, places_of, resized
from tfpretune.data.readers.masks.records import NO_CLASS
from tfpretune.objectives import Classification
from tfpretune.serving.heads.pixels import PixelsHead
from tfpretune.serving.raw import image_preprocessing

SIZE = (24, 32)
SHAPES = [(24, 32), (60, 45), (45, 60), (31, 97), (97, 31), (7, 90), (90, 5), (5, 5), (48, 64), (12, 16)]
OTHER = [
    pytest.param(resize, shape, id=f"{resize}-{shape[0]}x{shape[1]}") for resize in ("crop", "pad") for shape in SHAPES
]


def photo(shape, seed=0):
    """Smooth, so that rounding in two steps, as Pillow has it, changes little."""
    height, width = shape
    up, across = np.mgrid[:height, :width] / max(shape)
    noise = np.random.default_rng(seed).integers(0, 20, (height, width, 3))
    return (np.stack([200 * up, 200 * across, 100 + 80 * np.sin(9 * (up + across))], -1) + noise).astype(np.uint8)


def by_pillow(picture, resize, method):
    wanted = SIZE[::-1]
    if resize == "crop":
        return np.asarray(ImageOps.fit(picture, wanted, method))
    return np.asarray(ImageOps.pad(picture, wanted, method))


@pytest.mark.parametrize(("resize", "shape"), OTHER)
def test_pixels_are_those_of_pillow(resize, shape):
    pixels = photo(shape)
    found = resized(tf.cast(pixels, tf.float32), SIZE, resize).numpy()
    expected = by_pillow(Image.fromarray(pixels), resize, Image.Resampling.BILINEAR)
    np.testing.assert_allclose(found, expected, atol=1.0)
    both = resized(tf.cast(np.stack([pixels, pixels]), tf.float32), SIZE, resize).numpy()
    np.testing.assert_array_equal(both[1], found)


@pytest.mark.parametrize(("resize", "shape"), OTHER)
def test_masks_lie_on_their_pixels(resize, shape):
    """The nearest pixel, as Pillow takes it; padding has no class."""
    classes = (np.arange(shape[0] * shape[1]).reshape(shape) % 200).astype(np.uint8)
    images = Examples("image", photo(shape)[None], None, (), ["0"], "test", resize=resize)
    found = mask_array(MaskExamples(images, classes[None], tuple(map(str, range(200)))), SIZE)[0]
    bars = np.asarray(by_pillow(Image.new("L", shape[::-1], 255), resize, Image.Resampling.NEAREST)) == 0
    expected = by_pillow(Image.fromarray(classes), resize, Image.Resampling.NEAREST)
    np.testing.assert_array_equal(found == NO_CLASS, bars)
    np.testing.assert_array_equal(found[~bars], expected[~bars])
    assert bars.any() == (resize == "pad" and shape[0] * 4 != shape[1] * 3)


def test_answers_are_put_back_on_the_whole_image():
    """Of 8 x 16 pixels and a model of 8 x 8: cropped to the columns 4 to 11; padded to the rows 2 to 5."""
    up, across = axes(8, 16, (8, 8), "crop")
    assert nearest(across, 8, 16).tolist() == [4, 5, 6, 7, 8, 9, 10, 11]
    assert put_back(up, 8, 8).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert put_back(across, 8, 16).tolist() == [-1, -1, 1, 3, 5, 7, -1, -1]
    up, across = axes(8, 16, (8, 8), "pad")
    assert nearest(up, 8, 8).tolist() == [-1, -1, 1, 3, 5, 7, -1, -1]
    assert put_back(up, 8, 8).tolist() == [2, 2, 3, 3, 4, 4, 5, 5]
    assert put_back(across, 8, 16).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    maps = tf.reshape(tf.range(64), (1, 8, 8))
    places = Places(*(each[tf.newaxis] for each in places_of(tf.constant([8, 16, 3]), (8, 8), "crop")))
    expected = np.full((8, 8), -1)
    expected[:, 2:6] = np.arange(64).reshape(8, 8)[:, 1::2]
    np.testing.assert_array_equal(places.on_whole_images(maps, -1)[0], expected)
    head = PixelsHead(Classification(64), size=(8, 8))
    answers = head.answers(tf.one_hot(maps, 64) * 9.0, places)
    np.testing.assert_array_equal(answers["classes"][0], expected)
    np.testing.assert_array_equal(answers["probabilities"][0] > 0, expected >= 0)
    assert not head.unsure(tf.one_hot(maps, 64) * 9.0, places)["classes"].numpy().any()


@pytest.mark.parametrize("resize", RESIZES)
def test_the_graph_finds_the_same_places(resize):
    for shape in [*SHAPES, (300, 3), (2, 999)]:
        for found, axis, size, there in zip(
            places_of(tf.constant(shape), SIZE, resize), axes(*shape, SIZE, resize), SIZE, shape, strict=True
        ):
            np.testing.assert_array_equal(found, put_back(axis, size, there))


@pytest.mark.parametrize("resize", RESIZES)
def test_raw_bytes_are_read_as_in_training_bit_for_bit(tmp_path, resize, monkeypatch):
    """What a SavedModel makes of the bytes of files, and what batches beyond memory are. (All formats: `test_resizing.py`.)"""
    monkeypatch.setattr(decoding, "decode_pixels", lambda contents: tf.io.decode_png(contents, channels=3))
    paths = [str(tmp_path / f"{number}.png") for number in range(5)]
    for number, (path, shape) in enumerate(zip(paths, SHAPES[1:6], strict=True)):
        Image.fromarray(photo(shape, number)).save(path)
    examples = Examples("image", paths, None, (), paths, "test", resize=resize)
    monkeypatch.setattr(columns, "IN_MEMORY_BYTES", 10)
    batches = image_batches(examples, 5, image_shape=(*SIZE, 3))
    seen = next(iter(batches.in_order()))["images"]

    class Served(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
        def call(self, contents):
            return image_preprocessing((*SIZE, 3), resize).rows(contents).inputs

    served = Served()
    tf.saved_model.save(served, str(tmp_path / "served"))
    raw = tf.constant([Path(path).read_bytes() for path in paths])
    found = tf.saved_model.load(str(tmp_path / "served")).call(raw)["images"]
    np.testing.assert_array_equal(found, seen)
