"""Examples to batches."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.batches import examples as columns
from tfpretune.data.batches.examples import image_array, image_batches, text_batches
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.errors import RunError, UsageError, passed_on

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3)).astype("uint8")


def images(inputs, labels=None):
    names = () if labels is None else ("a", "b")
    return Examples("image", inputs, labels, names, [str(row) for row in range(len(inputs))], "test")


@pytest.fixture
def files(tmp_path):
    paths = [str(tmp_path / f"{row}.png") for row in range(len(PIXELS))]
    for path, pixels in zip(paths, PIXELS, strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def test_arrays_come_out_as_they_are():
    labels = np.array([0, 1, 1, 0, 1], np.int32)
    batches = image_batches(images(PIXELS, labels), 2, image_shape=(4, 6, 3)).in_order()
    found = list(batches)
    assert batches.element_spec["images"].shape == (None, 4, 6, 3)
    np.testing.assert_allclose(np.concatenate([batch["images"] for batch in found]), PIXELS / 255.0, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate([batch["labels"] for batch in found]), labels)
    assert "labels" not in image_batches(images(PIXELS), 2, image_shape=(4, 6, 3)).columns


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_arrays_of_other_types_are_refused(dtype):
    """Which of them hold [0, 1] and which [0, 255] nobody says: they came out black."""
    with pytest.raises(ValueError, match=f"test: images must be uint8 in .*, received an array of {dtype}"):
        image_batches(images(PIXELS.astype(dtype)), 2, image_shape=(4, 6, 3))


def test_other_sizes_and_colours_are_brought_to_one():
    """Constant images stay constant at any size; a pixel of red weighs 0.299 in grey."""
    red = np.zeros((2, 4, 6, 3), np.uint8)
    red[..., 0] = 200
    np.testing.assert_array_equal(image_array(images(red), (2, 3, 1)), np.full((2, 2, 3, 1), 60))
    grey = np.full((2, 4, 6, 1), 7, np.uint8)
    np.testing.assert_array_equal(image_array(images(grey), (8, 8, 3)), np.full((2, 8, 8, 3), 7))
    assert image_array(images(PIXELS), (4, 6, 3)) is PIXELS


def test_files_give_what_arrays_give(files):
    for shape in ((4, 6, 3), (3, 3, 1)):
        difference = image_array(images(files), shape).astype(int) - image_array(images(PIXELS), shape)
        assert abs(difference).max() <= 1


def test_beyond_the_memory_limit_files_are_read_step_by_step(files, monkeypatch):
    held = list(image_batches(images(files), 2, image_shape=(4, 6, 3), seed=3).from_step(1, 3))
    monkeypatch.setattr(columns, "IN_MEMORY_BYTES", 100)
    monkeypatch.setattr(columns, "image_array", None)
    read = list(image_batches(images(files), 2, image_shape=(4, 6, 3), seed=3).from_step(1, 3))
    for one, other in zip(held, read, strict=True):
        np.testing.assert_allclose(one["images"], other["images"], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"no image, whatever its name may say", "not an image"),
        (slice(0, 20), "its header is cut off"),
        (slice(0, -20), "the image is corrupt or of a kind that is not read"),
        (None, "the file cannot be read"),
    ],
)
def test_beyond_the_memory_limit_headers_are_read_before_the_first_step(files, monkeypatch, content, says):
    monkeypatch.setattr(columns, "IN_MEMORY_BYTES", 10)
    path = Path(files[3])
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[content] if isinstance(content, slice) else content)
    with pytest.raises(RunError, match=f"^{files[3]}: {says}"):
        image_batches(images(files), 1, image_shape=(4, 6, 3))


@pytest.mark.parametrize("broken", [1, 4])
def test_beyond_the_memory_limit_a_broken_file_is_named(files, monkeypatch, broken):
    """Also the last one; and the rows before it are still served."""
    monkeypatch.setattr(columns, "IN_MEMORY_BYTES", 10)
    batches = image_batches(images(files), 1, image_shape=(4, 6, 3)).in_order()
    assert len(list(batches)) == 5  # and then it is cut off
    Path(files[broken]).write_bytes(Path(files[broken]).read_bytes()[:50])
    served = iter(batches)
    for row in range(broken):
        np.testing.assert_allclose(next(served)["images"][0] * 255, PIXELS[row], atol=1e-3)
    with pytest.raises(tf.errors.OpError) as error:
        next(served)
    assert str(passed_on(error.value)).startswith(f"{files[broken]}: gone, broken or of a kind that is not read")


def test_arrays_beyond_the_limit_are_still_brought_to_size(monkeypatch):
    monkeypatch.setattr(columns, "IN_MEMORY_BYTES", 10)
    batch = next(iter(image_batches(images(PIXELS), 2, image_shape=(2, 2, 1)).in_order()))
    assert batch["images"].shape == (2, 2, 2, 1)


def test_the_transform_sees_pixels_in_0_to_1():
    def transform(batch, seed):
        return batch | {"images": batch["images"] * 2.0, "step": seed[1]}

    batch = next(iter(image_batches(images(PIXELS), 2, image_shape=(4, 6, 3), transform=transform).in_order()))
    np.testing.assert_allclose(batch["images"], PIXELS[:2] / 255.0 * 2.0, atol=1e-6)
    assert int(batch["step"]) == 0


def test_texts():
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, "good", "bad"], lowercase=True)
    labels = np.array([1, 0], np.int32)
    examples = Examples("text", ["good good", "Bad"], labels, ("no", "yes"), ["1", "2"], "test")
    batch = next(iter(text_batches(examples, 2, tokenizer=tokenizer, sequence_length=5).in_order()))
    np.testing.assert_array_equal(batch["token_ids"], [[2, 5, 5, 3, 0], [2, 6, 3, 0, 0]])
    np.testing.assert_array_equal(batch["labels"], labels)
    assert {column.dtype for column in batch.values()} == {tf.int32}


def test_the_wrong_kind_is_refused():
    with pytest.raises(UsageError, match="`source` test holds image examples, expected text"):
        text_batches(images(PIXELS), 2, tokenizer=None, sequence_length=5)


def test_further_label_columns_are_served_when_asked_for():
    topics = LabelColumn(np.array([2, 0, 1], np.int32), ("x", "y", "z"))
    source = Examples("text", ["a", "b", "a"], np.array([0, 1, 1], np.int32), ("n", "p"), list("123"), "toy")
    source = dataclasses.replace(source, more={"topic": topics})
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, "a", "b"])
    assert "topic" not in text_batches(source, 2, tokenizer=tokenizer, sequence_length=4).columns
    batches = text_batches(source, 2, tokenizer=tokenizer, sequence_length=4, more_labels=("topic",))
    assert [batch["topic"].numpy().tolist() for batch in batches.in_order()] == [[2, 0], [1]]
    with pytest.raises(UsageError, match="holds pairs of texts, expected single ones"):
        text_batches(dataclasses.replace(source, seconds=list("abc")), 2, tokenizer=tokenizer, sequence_length=4)
