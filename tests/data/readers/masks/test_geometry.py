"""A mask lies on its photo, however both are stored: all Exif orientations, drawn on the stored pixels or upright."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpretune.data.image.decoding import decode_pixels
from tfpretune.data.image.exif import orientation_in, stored_orientation, turned
from tfpretune.data.image.orientation import orientation
from tfpretune.data.readers.masks.geometry import Frame, mask_turns
from tfpretune.data.sources.masks import open_masks, read_masks
from tfpretune.errors import RunError

TALL, SQUARE = (40, 24), (32, 32)
BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""Orientation -> the one that undoes it."""


@pytest.fixture(scope="module")
def decode():
    return tf.function(decode_pixels, input_signature=[tf.TensorSpec((), tf.string)])


def exif(stored):
    block = Image.Exif()
    block[0x0112] = stored
    return block


def picture(size):
    """A red patch in a corner of grey, and its mask: no turn leaves it where it is."""
    pixels, mask = np.full((*size, 3), 90, np.uint8), np.zeros(size, np.uint8)
    pixels[2:10, 2:14], mask[2:10, 2:14] = (230, 20, 20), 1
    return pixels, mask


def add(folder, name, stored, drawn, *, size=TALL, own=1):
    """Writes a photo that is stored as `stored` says, with a mask drawn on "stored" or "upright" pixels."""
    pixels, mask = picture(size)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(exist_ok=True)
    Image.fromarray(np.ascontiguousarray(turned(pixels, BACK[stored]))).save(
        folder / f"images/{name}.jpg", quality=95, exif=exif(stored)
    )
    if drawn == "stored":
        mask = turned(mask, BACK[stored])
    Image.fromarray(np.ascontiguousarray(turned(mask, BACK[own]))).save(
        folder / f"masks/{name}.png", **({"exif": exif(own)} if own > 1 else {})
    )


def overlap(source, row, decode):
    """IoU of the red pixels of a photo, as it is read, and of its mask."""
    photo = decode(tf.io.read_file(source.images.inputs[row])).numpy().astype(int)
    red, mask = photo[..., 0] - photo[..., 1] > 100, source.read(source.masks[row]) == 1
    assert red.shape == mask.shape
    return (red & mask).sum() / (red | mask).sum()


@pytest.mark.parametrize("drawn", ["stored", "upright"])
@pytest.mark.parametrize("size", [TALL, SQUARE])
@pytest.mark.parametrize("option", ["auto", "given"])
def test_all_orientations_in_both_conventions(tmp_path, decode, drawn, size, option):
    """The size of orientations 5 to 8 tells, and with it the others of the set; of squares the option does."""
    for stored in range(1, 9):
        add(tmp_path, str(stored), stored, drawn, size=size)
    spec = f"images:{tmp_path}"
    if size == SQUARE and option == "auto":
        problem = read_masks(spec).problems
        assert [str(found).replace(f"{tmp_path}/", "") for found in problem] == [
            "images/2.jpg: this photo and 6 more are stored turned or mirrored (Exif orientation 2), and its mask may be "
            "drawn on either; say `MaskForm(orientation)` stored (on the pixels in the file) or upright (on the photo as it is "
            "shown)"
        ]
        return
    source = open_masks(spec, orientation="auto" if option == "auto" else drawn)
    assert [overlap(source, row, decode) > 0.95 for row in range(8)] == [True] * 8


@pytest.mark.parametrize("stored", [2, 3, 4])
def test_without_another_file_that_tells_it_is_asked_for(tmp_path, decode, stored):
    add(tmp_path, "a", stored, "stored")
    with pytest.raises(
        RunError, match="a.jpg: the photo is stored turned or mirrored .*`MaskForm.orientation.` stored"
    ):
        open_masks(f"images:{tmp_path}")
    assert overlap(open_masks(f"images:{tmp_path}", orientation="stored"), 0, decode) > 0.95
    assert overlap(open_masks(f"images:{tmp_path}", orientation="upright"), 0, decode) < 0.5


def test_a_set_that_is_drawn_both_ways_asks_for_those_that_do_not_tell(tmp_path):
    add(tmp_path, "a", 6, "stored")
    add(tmp_path, "b", 6, "upright")
    rows = read_masks(f"images:{tmp_path}")
    assert not rows.problems
    assert rows.notes == [
        "1 photos are stored turned (Exif): their masks are drawn on the stored pixels and turned with them (1 by their size)",
        "1 photos are stored turned (Exif): their masks are drawn upright (1 by their size)",
    ]
    add(tmp_path, "c", 3, "upright")
    (problem,) = read_masks(f"images:{tmp_path}").problems
    assert problem.what.endswith("and the other masks of the set are drawn both ways")


@pytest.mark.parametrize("own", range(2, 9))
def test_a_mask_with_an_exif_block_of_its_own_is_turned_as_it_says(tmp_path, decode, own):
    add(tmp_path, "a", 6, "upright", own=own)
    add(tmp_path, "b", 1, "upright", own=own)
    source = open_masks(f"images:{tmp_path}")
    assert min(overlap(source, 0, decode), overlap(source, 1, decode)) > 0.95


def test_sizes_that_fit_neither_way_are_named():
    frames = [
        Frame("a.jpg", "a.png", (40, 24), 6, (24, 24), 1),
        Frame("b.jpg", "b.png", (40, 24), 1, (24, 40), 1),
        Frame("c.jpg", "c.png", (40, 24), 6, (24, 40), 6),  # its Exif block says that it is stored as 40 x 24
    ]
    turns, problems, _ = mask_turns(frames)
    assert turns == [None, None, None]
    assert [problem.what for problem in problems] == [
        "the mask is 24 x 24 pixels, its image 40 x 24 (stored turned: 24 x 40 as it is shown)",
        "the mask is 24 x 40 pixels, its image 40 x 24",
        "the mask is 24 x 40 pixels, its image 40 x 24 (stored turned: 24 x 40 as it is shown), and the mask's own Exif "
        "block says that it is stored turned (6)",
    ]


def test_the_orientation_is_the_one_that_the_graph_reads(tmp_path):
    """Whole and damaged blocks of both byte orders, and what is no JPEG file."""
    graph = tf.function(orientation, input_signature=[tf.TensorSpec((), tf.string)])
    random = np.random.default_rng(0)
    for stored in range(10):
        for endian in "<>":
            block, stream = exif(stored), io.BytesIO()
            block.endian = endian
            block[0x010F] = "a maker"
            Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=block.tobytes(), comment=b"c" * 300)
            data = stream.getvalue()
            for trial in range(8):
                bad = bytearray(data[: len(data) if trial < 2 else random.integers(4, 400)])
                for at in random.integers(2, len(bad), 3 * (trial > 0)):
                    bad[at] = random.integers(256)
                assert orientation_in(bytes(bad)) == graph(bytes(bad)), (stored, endian, trial)
            assert orientation_in(data) == (stored if 1 <= stored <= 8 else 1)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", exif=exif(6))
    assert stored_orientation(str(tmp_path / "a.png")) == 6


@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize(("stored", "drawn"), [(6, "stored"), (5, "upright"), (1, "stored")])
def test_photos_of_other_forms_are_turned_as_well(tmp_path, decode, suffix, stored, drawn):
    add(tmp_path, "a", stored, drawn)
    photo = Image.open(tmp_path / "images/a.jpg")
    photo.save(tmp_path / f"images/a.{suffix}", exif=photo.getexif(), lossless=True)
    (tmp_path / "images/a.jpg").unlink()
    assert overlap(open_masks(f"images:{tmp_path}"), 0, decode) > 0.95
