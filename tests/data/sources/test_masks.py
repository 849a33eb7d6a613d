"""Images with masks: folders, the demo, batches."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpretune.data.batches import examples as columns
from tfpretune.data.batches.masks import mask_array, mask_batches
from tfpretune.data.examples.examples import Examples
from tfpretune.data.examples.masks import MaskExamples
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.masks import open_masks
from tfpretune.errors import RunError, UsageError, passed_on

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 4, 6, 3)).astype(np.uint8)
CLASSES = np.random.default_rng(1).integers(0, 3, (4, 4, 6)).astype(np.uint8)
CLASSES[0, 0, 0] = 255


@pytest.fixture
def folder(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / kind / "sub").mkdir(parents=True)
    for row in range(4):
        name = f"{'sub/' if row == 3 else ''}{row}"
        Image.fromarray(PIXELS[row]).save(tmp_path / f"images/{name}.png")
        mask = Image.fromarray(CLASSES[row])
        if row == 1:  # a palette: the numbers count, not the colours
            mask = mask.convert("P")
            mask.putdata(CLASSES[row].ravel().tolist())
            mask.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
        mask.save(tmp_path / f"masks/{name}.png")
    return tmp_path


def test_a_folder_of_images_and_masks(folder):
    source = open_masks(f"images:{folder}")
    assert source.class_names == ("0", "1", "2")
    assert [path.rsplit("/images/")[1] for path in source.images.inputs] == ["0.png", "1.png", "2.png", "sub/3.png"]
    np.testing.assert_array_equal(mask_array(source, (4, 6)), CLASSES)
    (folder / "classes.txt").write_text("sky\nsea\nland\nice\n", "utf-8")
    assert open_masks(f"images:{folder}").class_names == ("sky", "sea", "land", "ice")
    taken = source.take([2, 0])
    np.testing.assert_array_equal(mask_array(taken, (4, 6)), CLASSES[[2, 0]])


def test_batches_from_memory_and_from_files(folder, monkeypatch):
    source = open_masks(f"images:{folder}")
    held = list(mask_batches(source, 3, image_shape=(4, 6, 3)).in_order())
    np.testing.assert_allclose(held[0]["images"], PIXELS[:3] / 255.0, atol=1e-6)
    labels = np.where(CLASSES == 255, -1, CLASSES.astype(np.int32))
    np.testing.assert_array_equal(np.concatenate([batch["labels"] for batch in held]), labels)
    assert held[0]["labels"].dtype == "int32"
    monkeypatch.setattr(columns, "IN_MEMORY_BYTES", 10)
    for batch, other in zip(held, mask_batches(source, 3, image_shape=(4, 6, 3)).in_order(), strict=True):
        np.testing.assert_allclose(other["images"], batch["images"], atol=1 / 255)
        np.testing.assert_array_equal(other["labels"], batch["labels"])


def test_a_mask_that_breaks_later_is_named_with_its_photo(folder, monkeypatch):
    source = open_masks(f"images:{folder}")
    held, path = mask_batches(source, 4, image_shape=(4, 6, 3)), folder / "masks/2.png"
    path.write_bytes(b"")
    assert len(list(held.in_order())) == 1
    with pytest.raises(RunError, match=r"masks/2.png: the mask cannot be read"):
        mask_batches(source, 4, image_shape=(4, 6, 3))
    monkeypatch.setattr(columns, "IN_MEMORY_BYTES", 10)
    with pytest.raises(tf.errors.OpError) as error:
        list(mask_batches(source, 4, image_shape=(4, 6, 3)).in_order())
    assert str(passed_on(error.value)).startswith(f"{folder}/images/2.png, {path}: gone, broken")


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 6), (7, 4), (9, 13), (31, 17)])
def test_the_nearest_pixel_is_that_of_tensorflow(size):
    values = np.random.default_rng(0).integers(0, 256, (2, 4, 6)).astype(np.uint8)
    held = MaskExamples(Examples("image", PIXELS[:2], None, (), ["0", "1"], "test"), values, ("a",))
    expected = tf.image.resize(values[..., None], size, method="nearest").numpy()[..., 0]
    np.testing.assert_array_equal(mask_array(held, size), expected)


def test_masks_are_resized_to_the_nearest_pixel(folder):
    source = open_masks(f"images:{folder}")
    doubled = mask_array(source, (8, 12))
    np.testing.assert_array_equal(doubled, CLASSES.repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "images/2.png: there is no mask .*masks/2.png; add it; what has no mask can serve pre-training"),
        ("size", "masks/2.png: the mask is 5 x 6 pixels, its image 4 x 6; give both the same size"),
        ("class", "masks/2.png: pixels have the class 7, there are 3; correct it, mark what has no class by 255"),
        ("colours", "masks/2.png: this mask is in colours: .*; list them in classes.txt"),
        ("broken", "masks/2.png: cannot be read"),
    ],
)
def test_a_bad_mask_is_named(folder, fault, message):
    path = folder / "masks/2.png"
    if fault == "missing":
        path.unlink()
    elif fault == "broken":
        path.write_bytes(path.read_bytes()[:40])
    else:
        wrong = {"size": np.zeros((5, 6), np.uint8), "class": np.full((4, 6), 7, np.uint8), "colours": PIXELS[2]}
        Image.fromarray(wrong[fault]).save(path)
    with pytest.raises(RunError, match=message):
        open_masks(f"images:{folder}", class_names=("a", "b", "c"))


def test_other_sources_are_refused(folder):
    with pytest.raises(UsageError, match="is not a source of masks"):
        open_masks("csv:a.csv")
    with pytest.raises(UsageError, match="has no folders images and masks"):
        open_masks(f"images:{folder}/images")
    with pytest.raises(UsageError, match="holds images with masks, which open_masks opens"):
        open_source(f"images:{folder}")


def test_digits_on_noise():
    source = open_masks("demo:mnist5k-masks")
    digits = open_source("demo:mnist5k")
    assert source.images.inputs.shape == (5000, 28, 28, 1)
    assert source.class_names == ("background", *"0123456789")
    for row in (0, 2500, 4999):
        np.testing.assert_array_equal(source.masks[row] == 1 + digits.labels[row], digits.inputs[row, ..., 0] >= 100)
        assert set(np.unique(source.masks[row])) == {0, 1 + digits.labels[row]}
    again = open_masks("demo:mnist5k-masks")
    np.testing.assert_array_equal(again.images.inputs, source.images.inputs)
    inside = source.images.inputs[..., 0][source.masks > 0]
    outside = source.images.inputs[..., 0][source.masks == 0]
    assert (outside > np.percentile(inside, 5)).mean() > 0.2  # brightness alone does not tell the digit's pixels
    parts = [source.split(part) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 5000


def test_pixels_of_each_class_are_counted(folder):
    """In files and in memory; 255 is not a class."""
    counts = [int((number == CLASSES).sum()) for number in range(3)]
    source = open_masks(f"images:{folder}")
    assert source.pixels().tolist() == counts
    assert sum(counts) == CLASSES.size - 1
    held = type(source)(source.images, CLASSES, ("a", "b", "c", "d"))
    assert held.pixels().tolist() == [*counts, 0]
