import io
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpretune.data.image.decoding import decode_image, load_image
from tfpretune.errors import RunError

SIZE = (24, 20)
GREY = np.linspace(0, 255, 24 * 20).reshape(SIZE).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], -1)
ALPHA = np.tile(np.linspace(0, 255, 20).astype(np.uint8), (24, 1))
COLOUR = Image.fromarray(RGB)
CLEAR = Image.fromarray(np.dstack([RGB, ALPHA]))
MIRROR = Image.fromarray(np.ascontiguousarray(RGB[::-1]))

CASES = {
    "jpeg": (COLOUR, "JPEG", {"quality": 90}),
    "jpeg progressive": (COLOUR, "JPEG", {"progressive": True}),
    "jpeg grey": (COLOUR.convert("L"), "JPEG", {}),
    "jpeg cmyk": (COLOUR.convert("CMYK"), "JPEG", {}),
    "png": (COLOUR, "PNG", {}),
    "png grey": (COLOUR.convert("L"), "PNG", {}),
    "png black and white": (COLOUR.convert("1"), "PNG", {}),
    "png rgba": (CLEAR, "PNG", {}),
    "png grey and alpha": (CLEAR.convert("LA"), "PNG", {}),
    "png palette of 4 bits": (COLOUR.quantize(16), "PNG", {}),
    "png palette of 8 bits": (COLOUR.quantize(200), "PNG", {}),
    "png palette of 4 bits, one clear": (COLOUR.quantize(16), "PNG", {"transparency": 3}),
    "png palette of 8 bits, one clear": (COLOUR.quantize(200), "PNG", {"transparency": 3}),
    "bmp": (COLOUR, "BMP", {}),
    "bmp grey": (COLOUR.convert("L"), "BMP", {}),
    "bmp rgba": (CLEAR, "BMP", {}),
    "bmp palette": (COLOUR.quantize(16), "BMP", {}),
    "gif": (COLOUR.quantize(200), "GIF", {}),
    "gif animated": (COLOUR.quantize(16), "GIF", {"save_all": True, "append_images": [MIRROR.quantize(16)]}),
    "webp": (COLOUR, "WEBP", {"quality": 90}),
    "webp lossless rgba": (CLEAR, "WEBP", {"lossless": True}),
    "webp lossy rgba": (CLEAR, "WEBP", {"quality": 90}),
    "webp animated": (COLOUR, "WEBP", {"save_all": True, "append_images": [MIRROR], "lossless": True}),
    "webp animated rgba": (CLEAR, "WEBP", {"save_all": True, "append_images": [MIRROR.convert("RGBA")]}),
}


def encode(image, form, options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def by_pillow(data):
    """What Pillow makes of it: the first frame as RGB, transparent ones on white (a 32-bit BMP has no alpha)."""
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return np.asarray(white.convert("RGB"))


@pytest.fixture(scope="module")
def decode():
    """As in tf.data and in a serving signature: traced once, called with all kinds of bytes."""
    return tf.function(lambda data: decode_image(data, size=SIZE), input_signature=[tf.TensorSpec((), tf.string)])


@pytest.mark.parametrize("name", CASES)
def test_every_format_decodes_as_pillow_decodes_it(decode, name):
    data = encode(*CASES[name])
    expected = by_pillow(data)
    found = decode(data)
    assert found.dtype == tf.float32
    assert found.shape == (24, 20, 3)
    # Both round after laying transparent pixels on white, each in its own way.
    np.testing.assert_allclose(found.numpy() * 255, expected, atol=1.0)


def test_a_png_of_16_bits_keeps_its_high_bytes(decode):
    data = encode(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG", {})
    np.testing.assert_allclose(decode(data)[..., 0] * 255, GREY, atol=1e-3)


def test_one_channel_is_luma():
    data = encode(COLOUR, "PNG", {})
    found = decode_image(data, size=SIZE, channels=1)
    assert found.shape == (24, 20, 1)
    np.testing.assert_allclose(found[..., 0] * 255, np.asarray(COLOUR.convert("L")), atol=0.51)


def test_resizing_averages_what_it_shrinks():
    checks = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((2, 2))).astype(np.uint8) * 255  # 16 x 16, half white
    data = encode(Image.fromarray(checks), "PNG", {})
    small = decode_image(data, size=(4, 4), channels=1)
    np.testing.assert_allclose(small, 0.5, atol=0.13)
    assert decode_image(data, size=(32, 8)).shape == (32, 8, 3)


def test_decode_image_refuses_other_channels():
    with pytest.raises(ValueError, match="channels must be 1 or 3, received 4"):
        decode_image(b"", size=SIZE, channels=4)


def test_decoding_works_in_a_saved_model(tmp_path):
    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
        def read(self, contents):
            pixels = tf.map_fn(lambda data: decode_image(data, size=SIZE), contents, fn_output_signature=tf.float32)
            return {"pixels": pixels}

    reader = Reader()
    tf.saved_model.save(reader, str(tmp_path), signatures={"serving_default": reader.read})
    batch = [encode(*CASES[name]) for name in ("jpeg cmyk", "png rgba", "bmp palette", "gif", "webp animated")]
    signature = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    found = signature(contents=tf.constant(batch))["pixels"].numpy()
    np.testing.assert_allclose(found, [decode_image(data, size=SIZE) for data in batch], atol=1e-6)


def test_load_image_names_the_file(tmp_path):
    path = str(tmp_path / "a.png")
    COLOUR.save(path)
    np.testing.assert_allclose(load_image(path, size=SIZE) * 255, RGB, atol=1e-3)
    with pytest.raises(RunError, match=r"gone.png: the file cannot be read"):
        load_image(str(tmp_path / "gone.png"), size=SIZE)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(RunError, match=r"text.png: not an image"):
        load_image(str(tmp_path / "text.png"), size=SIZE)
    (tmp_path / "half.jpg").write_bytes(encode(*CASES["jpeg"])[:300])
    with pytest.raises(RunError, match=r"half.jpg: the image is corrupt or of a kind that is not read"):
        load_image(str(tmp_path / "half.jpg"), size=SIZE)
    COLOUR.convert("1").save(tmp_path / "bits.bmp")
    with pytest.raises(RunError, match=r"bits.bmp: the image is corrupt or of a kind that is not read \(BMP of few"):
        load_image(str(tmp_path / "bits.bmp"), size=SIZE)


def test_broken_bytes_raise_and_never_end_the_process():
    # In a process of its own: TensorFlow 2.21 ends it on some of these, where decode_image does not step in.
    code = """if True:
        import numpy as np, tensorflow as tf
        from tests.data.image.test_decoding import CASES, encode
        from tfpretune.data.image.decoding import DECODE_ERRORS, decode_pixels
        read = tf.function(decode_pixels, input_signature=[tf.TensorSpec((), tf.string)])
        random = np.random.default_rng(0)
        for name in CASES:
            good = encode(*CASES[name])
            for trial in range(16):
                bad = bytearray(good)
                for at in random.integers(0, min(len(bad), 200), 3):
                    if not ("animated" in name and 24 <= at < 30):  # the size of an animation: gigabytes
                        bad[at] = random.integers(256)
                if trial % 2:
                    bad = bad[: random.integers(1, len(bad) + 1)]
                try:
                    read(bytes(bad))
                except DECODE_ERRORS:
                    pass
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
