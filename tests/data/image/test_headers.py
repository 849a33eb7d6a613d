"""Small files that announce huge images, photos that are stored turned, and the first frame of a GIF."""

import io
import shutil
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from tfpretune.data.checks.examples import check
from tfpretune.data.image.decoding import decode_pixels, load_image
from tfpretune.data.image.exif import stored_orientation
from tfpretune.data.image.file_headers import Header, read_header, read_headers
from tfpretune.data.image.headers import first_gif_frame, read_bytes, read_number, webp_size
from tfpretune.data.image.limits import MAX_JPEG_PIXELS, MAX_PROGRESSIVE_PIXELS
from tfpretune.data.image.orientation import orientation
from tfpretune.errors import RunError

ACROSS = np.arange(32, dtype=np.uint8) * 7
PHOTO = Image.fromarray(
    np.stack([np.tile(ACROSS, (24, 1)), np.tile(ACROSS[:24, None], (1, 32)), np.full((24, 32), 90, np.uint8)], -1)
)
HUGE = (10_000, 10_000)


@pytest.fixture(scope="module")
def decode():
    return tf.function(decode_pixels, input_signature=[tf.TensorSpec((), tf.string)])


def encode(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def exif_block(stored, endian="<"):
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "a maker"  # tags before and after the one that counts
    exif[0x0112] = stored
    exif[0x0132] = "2020:01:01 00:00:00"
    return exif.tobytes()


def by_pillow(data):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"), np.int32)


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("stored", range(1, 9))
def test_photos_are_put_upright_as_pillow_does_it(decode, stored, endian):
    data = encode(PHOTO, "JPEG", quality=95, exif=exif_block(stored, endian))
    assert orientation(data) == stored
    found, expected = decode(data).numpy().astype(np.int32), by_pillow(data)
    assert found.shape == expected.shape == ((24, 32, 3) if stored < 5 else (32, 24, 3))
    np.testing.assert_allclose(found, expected, atol=1)
    if stored > 1:  # and not as they are stored
        unturned = np.asarray(Image.open(io.BytesIO(data)), np.int32)
        assert unturned.shape != found.shape or np.abs(unturned - found).max() > 100


def test_other_blocks_before_exif_are_passed_over(decode):
    data = encode(
        PHOTO,
        "JPEG",
        exif=exif_block(6),
        xmp=b"<x:xmpmeta/>",
        comment=b"Exif\0\0 is what comes",
        icc_profile=b"x" * 70_000,
    )
    start = data.index(b"\xff\xe1", 2)
    blocks = b"\xff\xe1" + struct.pack(">H", 300) + b"http://ns.adobe.com/xap/1.0/\0".ljust(298, b"x")
    blocks += b"\xff\xfe" + struct.pack(">H", 60_002) + b"c" * 60_000 + b"\xff\xff\xff"  # a long comment, fill bytes
    data = data[:start] + blocks + data[start:]
    assert orientation(data) == 6
    np.testing.assert_allclose(decode(data).numpy().astype(np.int32), by_pillow(data), atol=1)


def test_orientation_never_fails():
    """0, 9 and other nonsense, and every kind of damage within the block: upright, or one of the eight."""
    assert [int(orientation(encode(PHOTO, "JPEG", exif=exif_block(stored)))) for stored in (0, 9, 60_000)] == [1, 1, 1]
    assert orientation(encode(PHOTO, "JPEG")) == 1
    assert [int(orientation(data)) for data in (b"", b"\xff\xd8", b"\xff\xd8\xff\xe1")] == [1, 1, 1]
    good = encode(PHOTO, "JPEG", exif=exif_block(8))
    read = tf.function(orientation, input_signature=[tf.TensorSpec((), tf.string)])
    random = np.random.default_rng(0)
    for trial in range(200):
        bad = bytearray(good[: 20 + trial])
        for at in random.integers(20, 20 + trial + 1, 3):
            bad[min(at, len(bad) - 1)] = random.integers(256)
        assert 1 <= read(bytes(bad)) <= 8


@pytest.mark.parametrize("form", ["PNG", "WEBP", "WEBP animated", "PNG animated", "PNG behind"])
@pytest.mark.parametrize("stored", [1, 2, 3, 5, 6, 8])
def test_png_and_webp_photos_are_put_upright_as_pillow_does_it(decode, tmp_path, form, stored):
    """Also where the block stands behind the pixels, as some programs write it."""
    more = {"save_all": True, "append_images": [PHOTO.rotate(180)]} if "animated" in form else {}
    data = encode(PHOTO, form.split()[0], exif=exif_block(stored, "<>"[stored % 2]), lossless=True, **more)
    if "behind" in form:
        at = data.index(b"eXIf") - 4
        size = 12 + int.from_bytes(data[at : at + 4], "big")
        block, end = data[at : at + size], data.index(b"IEND") - 4
        data = data[:at] + data[at + size : end] + block + data[end:]
    found, expected = decode(data).numpy().astype(np.int32), by_pillow(data)
    np.testing.assert_allclose(found, expected, atol=1)
    assert found.shape == ((24, 32, 3) if stored < 5 else (32, 24, 3))
    path = tmp_path / "a"
    path.write_bytes(data)
    assert stored_orientation(str(path)) == stored


def test_marks_of_exif_among_pixels_turn_nothing(decode):
    """The name of the chunk may stand in pixels or in texts, whole blocks may be damaged."""
    noise = np.frombuffer(b"eXIfEXIF\x08\0\0\0II*\0" * 12, np.uint8).reshape(4, 16, 3)
    for form in ("PNG", "WEBP"):
        data = encode(Image.fromarray(noise), form, compress_level=0, lossless=True)
        np.testing.assert_array_equal(decode(data), noise)
    good = encode(PHOTO, "PNG", exif=exif_block(6))
    at = good.index(b"eXIf")
    for bad in (good[: at + 4] + b"XX" + good[at + 6 :], good[: at + 8] + b"\xff" * 4 + good[at + 12 :]):
        assert decode(bad).shape == (24, 32, 3)


def bombs():
    """Files of at most some 700 kB that hold, or announce, 100 million pixels and more."""
    white = Image.new("1", HUGE, 1)
    webp = bytearray(encode(Image.new("RGB", (8, 8)), "WEBP", lossless=True))
    webp[21:25] = (16_382 | 16_382 << 14 | int.from_bytes(webp[21:25], "little") >> 28 << 28).to_bytes(4, "little")
    lossy = bytearray(encode(Image.new("RGB", (8, 8)), "WEBP"))
    lossy[26:30] = struct.pack("<HH", 16_383, 16_383)
    frames = [Image.new("RGB", (800, 800), (n, 0, 0)) for n in range(160)]  # together 102 million
    bmp = bytearray(encode(Image.new("RGB", (8, 8)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 50_000, -50_000)
    return {
        "a.png": encode(white, "PNG"),
        "b.jpg": announcing(encode(Image.new("L", (8, 8)), "JPEG"), 60_000, 60_000),
        "i.jpg": announcing(encode(Image.new("L", (8, 8)), "JPEG", progressive=True), 13_378, 13_377),
        "c.gif": encode(white, "GIF"),
        "d.webp": bytes(webp),
        "e.webp": bytes(lossy),
        "f.webp": encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True),
        "g.bmp": bytes(bmp),
        "h.png": encode(Image.new("1", (8, 8)), "PNG")[:16] + b"\xff" * 8 + bytes(40),  # 2**32 - 1 each way
    }


def announcing(data, height, width):
    """A JPEG file whose frame is said to be larger than it is."""
    at = next(at for mark in (b"\xff\xc0\0", b"\xff\xc2\0") if (at := data.find(mark)) > 0)
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


@pytest.fixture(scope="module")
def bomb_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bombs")
    for name, data in bombs().items():
        assert len(data) < 2_000_000, name
        (folder / name).write_bytes(data)
    return folder


SIZES = {
    "a.png": "10000 x 10000 pixels in 1 frame",
    "b.jpg": "60000 x 60000 pixels in 1 frame",
    "i.jpg": "13377 x 13378 pixels in 1 frame",
    "c.gif": "10000 x 10000 pixels in 1 frame",
    "d.webp": "16383 x 16383 pixels in 1 frame",
    "e.webp": "16383 x 16383 pixels in 1 frame",
    "f.webp": "800 x 800 pixels in 160 frame",
    "g.bmp": "50000 x 50000 pixels in 1 frame",
    "h.png": "4294967295 x 4294967295 pixels in 1 frame",
}


MOST = {"b.jpg": MAX_JPEG_PIXELS, "i.jpg": MAX_PROGRESSIVE_PIXELS}


@pytest.mark.parametrize("name", SIZES)
def test_a_small_file_of_a_huge_image_is_refused_by_its_header(decode, bomb_files, name):
    path = bomb_files / name
    text = f"the image has {SIZES[name]}(s), more than the {MOST.get(name, 89_478_485):,} that are read"
    with pytest.raises(tf.errors.InvalidArgumentError) as refusal:
        decode(path.read_bytes())
    assert text in str(refusal.value)
    with pytest.raises(RunError) as refusal:
        load_image(str(path), size=(8, 8))
    assert str(refusal.value) == f"{path}: {text}"
    if name != "f.webp":  # frames are not counted by the header
        assert read_headers([str(path)]) == [text]


def test_the_data_pass_names_each(bomb_files, tmp_path):
    names = [name for name in SIZES if not name.endswith(".jpg")]
    for name in names:
        shutil.copy(bomb_files / name, tmp_path)
    problems = check(f"images:{tmp_path}").problems
    assert [str(problem) for problem in problems[: len(names)]] == [
        f"{tmp_path}/{name}: the image has {SIZES[name]}(s), more than the 89,478,485 that are read; "
        "save it smaller, or as JPEG, of which larger ones are read at a part of their size"
        for name in names
    ]


def test_the_largest_image_that_is_read_is_read(decode):
    """9,459 squared is the largest square within the limit."""
    assert decode(encode(Image.new("1", (9459, 9459), 1), "PNG")).shape == (9459, 9459, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="9460 x 9459 pixels"):
        decode(encode(Image.new("1", (9460, 9459), 1), "PNG"))


@pytest.mark.parametrize(("size", "ratio"), [((9460, 9460), 2), ((20_000, 17_900), 4)])
def test_a_larger_photo_is_decoded_smaller(decode, size, ratio):
    """As Pillow's draft mode does it; the first pixels are white, those below black."""
    photo = Image.new("L", size, 255)
    photo.paste(0, (0, size[1] // 2, *size))
    data = encode(photo, "JPEG", quality=30, exif=exif_block(1))
    pixels = decode(data)
    assert pixels.shape == (-(-size[1] // ratio), -(-size[0] // ratio), 3)
    assert pixels[:: pixels.shape[0] - 1, 5, 0].numpy().tolist() == [255, 0]


FORMS = {
    "grey.jpg": (PHOTO.convert("L"), {}, True),
    "colour.jpg": (PHOTO, {"exif": exif_block(6), "icc_profile": b"x" * 90_000}, False),
    "cmyk.jpg": (PHOTO.convert("CMYK"), {"progressive": True}, False),
    "grey.png": (PHOTO.convert("LA"), {}, True),
    "16.png": (Image.fromarray(np.zeros((24, 32), np.uint16)), {}, True),
    "bit.png": (PHOTO.convert("1"), {}, True),
    "colour.png": (PHOTO.convert("RGBA"), {}, False),
    "palette.png": (PHOTO.quantize(9), {}, False),
    "grey_palette.png": (PHOTO.convert("L").convert("P"), {}, True),
    "colour.gif": (PHOTO.quantize(9), {}, False),
    "grey.gif": (PHOTO.convert("L"), {}, True),
    "colour.bmp": (PHOTO, {}, False),
    "grey.bmp": (PHOTO.convert("L"), {}, True),
    "a.webp": (PHOTO, {}, False),
    "b.webp": (PHOTO, {"lossless": True}, False),
    "c.webp": (PHOTO.convert("RGBA"), {"save_all": True, "append_images": [PHOTO]}, False),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_header_of_each_form(tmp_path, name):
    picture, options, grey = FORMS[name]
    path = tmp_path / name
    picture.save(path, **options)
    found = read_header(str(path))
    bits = {"16.png": 16, "bit.png": 1, "palette.png": 4}.get(name, 8)
    assert (found.height, found.width, found.grey, found.bits) == (24, 32, grey, bits)
    whole = path.read_bytes()
    for end in (0, 5, 13, 20):
        path.write_bytes(whole[:end])
        (fault,) = read_headers([str(path)])
        assert fault.startswith(("the file is empty", "its header is cut off")), (end, fault)
    path.write_text("no image at all, but a text that is longer than a header")
    assert "not an image" in read_headers([str(path), str(tmp_path / "gone.png")])[0]
    assert isinstance(read_headers([str(tmp_path / "gone.png")])[0], str)
    assert Header(1, 2) == Header(1, 2, False, 8)


def test_webp_sizes():
    """In each of the three forms; an animation counts its frames."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (21, 13, 3), np.uint8))
    still = [encode(image, "WEBP"), encode(image, "WEBP", lossless=True), encode(image, "WEBP", exif=exif_block(1))]
    assert [bytes(data[12:16]) for data in still] == [b"VP8 ", b"VP8L", b"VP8X"]
    for data in still:
        assert [int(number) for number in webp_size(data)] == [21, 13, 1]
    moving = encode(image, "WEBP", save_all=True, append_images=[image.rotate(90), image.rotate(180)])
    assert [int(number) for number in webp_size(moving)] == [21, 13, 3]


def test_only_the_first_frame_of_a_gif_is_decoded(decode):
    """Later frames, here 100 of a million pixels, cost nothing, and damage in them does no harm."""
    frames = [Image.new("P", (1000, 1000), number) for number in range(100)]
    for number, frame in enumerate(frames):
        frame.putpalette([number, 2 * number, 7] * 256)
        frame.putpixel((0, number), 1)
    data = encode(frames[3], "GIF", save_all=True, append_images=frames, comment=b"c" * 600)
    assert Image.open(io.BytesIO(data)).n_frames > 90
    alone, place = first_gif_frame(data)
    assert len(alone.numpy()) < len(data) / 50
    assert place.numpy().tolist() == [1000, 1000, 0, 0]
    np.testing.assert_array_equal(decode(data), np.tile([3, 6, 7], (1000, 1000, 1)))
    np.testing.assert_array_equal(decode(data[: len(alone.numpy()) + 30]), decode(data))


def test_a_first_frame_that_is_smaller_than_the_picture_keeps_its_place(decode):
    data = bytearray(encode(Image.fromarray(np.full((3, 2), 255, np.uint8)), "GIF"))
    data[6:10] = struct.pack("<HH", 7, 6)
    at = data.index(b",")
    data[at + 1 : at + 5] = struct.pack("<HH", 4, 1)  # left, top
    expected = np.zeros((6, 7, 3), np.uint8)
    expected[1:4, 4:6] = 255
    np.testing.assert_array_equal(decode(bytes(data)), expected)


def test_a_gif_without_a_frame_or_with_too_many_blocks_is_refused(decode):
    whole = encode(Image.new("P", (3, 2)), "GIF")
    start = whole[: whole.index(b",")]
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(start + b";")
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many blocks"):
        decode(start + b"!\xfe" + b"\x01c" * 70_000 + b"\0" + whole[len(start) :])


def test_numbers_by_hand():
    data = read_bytes(b"\x01\x02\x80")
    assert data.shape == (19,)
    assert [int(read_number(data, 0, 2)), int(read_number(data, 0, 2, little=True))] == [258, 513]
    assert int(read_number(data, 2, 4)) == 0x80000000
    assert [int(read_number(data, at, 2)) for at in (-5, 17, 10**15)] == [258, 0, 0]
