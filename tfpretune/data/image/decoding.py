"""Images: decoding by TensorFlow operations only."""

import functools
import re
from collections.abc import Callable

import tensorflow as tf

from tfpretune.data.image.fitting import Resize
from tfpretune.data.image.headers import (
    bmp_size,
    first_gif_frame,
    most_of_jpeg,
    png_size,
    read_bytes,
    refuse_huge,
    webp_size,
)
from tfpretune.data.image.limits import MAX_PIXELS
from tfpretune.data.image.orientation import chunk_orientation, orientation, upright
from tfpretune.data.image.resizing import resized
from tfpretune.errors import RunError

DECODE_ERRORS = (tf.errors.OpError, UnicodeDecodeError)
"""What decoding raises. The second: TensorFlow 2.21 quotes raw bytes of some broken WebP files in its message."""


def decode_image(
    contents: tf.Tensor, *, size: tuple[int, int], channels: int = 3, resize: Resize = "squeeze"
) -> tf.Tensor:
    """Decodes an encoded image of any supported format to pixels of one size; works in tf.data and in a SavedModel.

    JPEG (grey, RGB, CMYK), PNG (grey, palette, RGB, 16 bit, transparent), BMP (8 bit with palette, 24 and 32 bit),
    GIF and WebP. Transparent PNG and WebP images are laid on white, GIF images on black; of an animation the first frame
    is taken. JPEG, PNG and WebP photos that are stored turned or mirrored are put upright, as their Exif block says. JPEG
    photos of more than `limits.MAX_PIXELS` are decoded at a half or a quarter of their size.

    Args:
        contents: string scalar, the bytes of the file.
        size: (height, width) of the result; resized bilinearly with antialiasing.
        channels: 1 (luma by ITU-R 601, as Pillow and JPEG have it) or 3 (RGB).
        resize: how an image of another aspect ratio becomes one of this size: see `fitting.axes`.

    Returns:
        float32 `(height, width, channels)` in [0, 1].

    Raises:
        DECODE_ERRORS: when the bytes are no such image, or one of more pixels than `limits` has: such an image is refused by
            its header, before memory is taken for it.
    """
    return decode_sized(contents, size=size, channels=channels, resize=resize)[0]


@tf.autograph.experimental.do_not_convert  # there is nothing to convert, and looking for it takes seconds
def decode_sized(
    contents: tf.Tensor, *, size: tuple[int, int], channels: int = 3, resize: Resize = "squeeze"
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what `decode_image` does, and int32 `(2,)`: height and width of the image, upright, before it was resized."""
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, received {channels}")
    # No division: some of TensorFlow's optimizers make a product of it, and served pixels would differ in their last bit.
    image = tf.cast(decode_pixels(contents), tf.float32) * (1 / 255.0)
    if channels == 1:
        image = tf.reduce_sum(image * [0.299, 0.587, 0.114], axis=-1, keepdims=True)
    shape = tf.shape(image)
    image = tf.cond(  # resizing to the same size costs time and changes nothing
        tf.reduce_all(shape[:2] == list(size)),
        lambda: image,
        lambda: resized(image, size, resize),
    )
    return tf.ensure_shape(tf.clip_by_value(image, 0.0, 1.0), (*size, channels)), shape[:2]


def load_image(path: str, *, size: tuple[int, int], channels: int = 3, resize: Resize = "squeeze") -> tf.Tensor:
    """Reads and decodes one image file, outside of tf.data, as `decode_image` does.

    Raises:
        RunError: naming the file, when it cannot be read or is not an image.
    """
    try:
        return _file_decoder(tuple(size), channels, resize)(tf.constant(path))
    except DECODE_ERRORS as error:
        raise RunError(f"{path}: {explain_decode_error(error)}") from error


@functools.lru_cache(maxsize=8)
def _file_decoder(size: tuple[int, int], channels: int, resize: Resize) -> Callable[[tf.Tensor], tf.Tensor]:
    # Traced, since the branches of decode_pixels cost several times as much one operation at a time.
    return tf.function(
        lambda path: decode_image(tf.io.read_file(path), size=size, channels=channels, resize=resize),
        input_signature=[tf.TensorSpec((), tf.string)],
    )


def explain_decode_error(error: Exception) -> str:
    """Returns what is wrong with an image file, in words, from the error that decoding it raised."""
    if isinstance(error, tf.errors.NotFoundError | tf.errors.PermissionDeniedError | tf.errors.FailedPreconditionError):
        return "the file cannot be read: check that it is there and that you may read it"
    text = str(error.message) if isinstance(error, tf.errors.OpError) else "broken header"
    if huge := re.search(r"the image has \d+ x \d+ pixels[^\]'\n]*", text):
        return huge[0]
    lines = [line.split(" [Op:")[0].split("}} ")[-1].strip() for line in text.splitlines()]
    message = next(
        (line for line in reversed(lines) if line and not line.startswith("[[")), ""
    )  # the others are traces
    if "Number of channels inherent in the image" in message:
        message = "BMP of fewer than 8 bits per pixel: save it as PNG"
    if "Unknown image file format" in message:
        return "not an image (its first bytes are not those of a jpg, png, bmp, gif or webp)"
    return f"the image is corrupt or of a kind that is not read ({message[:120]})"


@tf.autograph.experimental.do_not_convert
def decode_pixels(contents: tf.Tensor) -> tf.Tensor:
    """Decodes an encoded image, as `decode_image` does, in its own size, a huge one smaller; uint8 `(height, width, 3)`."""
    head = tf.strings.substr(contents, 0, 4)
    pair = tf.strings.substr(head, 0, 2)
    return tf.case(
        [
            (tf.equal(head, b"\x89PNG"), lambda: _decode_png(contents)),
            (tf.equal(head, b"RIFF"), lambda: _decode_webp(contents)),
            (tf.equal(head, b"GIF8"), lambda: _decode_gif(contents)),
            (tf.equal(pair, b"BM"), lambda: _decode_bmp(contents)),
            (tf.equal(pair, b"\xff\xd8"), lambda: _decode_jpeg(contents)),
        ],
        default=lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),  # says that it is none
    )


def _decode_jpeg(contents: tf.Tensor) -> tf.Tensor:
    shape = tf.cast(tf.io.extract_jpeg_shape(contents), tf.int64)
    pixels = shape[0] * shape[1]
    whole = refuse_huge(contents, shape[0], shape[1], most=most_of_jpeg(contents, pixels))

    def decoded(ratio: int) -> tf.Tensor:
        return tf.io.decode_jpeg(whole, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")

    sizes = [(pixels <= MAX_PIXELS * ratio**2, lambda ratio=ratio: decoded(ratio)) for ratio in (1, 2)]
    return upright(tf.case(sizes, default=lambda: decoded(4)), orientation(contents))


def _decode_png(contents: tf.Tensor) -> tf.Tensor:
    # With channels=4 TensorFlow 2.21 fills in an alpha of 2**bits - 1: opaque at 8 and 16 bits, else nearly clear.
    bits = read_bytes(contents, 32)[24]
    contents = refuse_huge(contents, *png_size(contents))
    image = tf.cond(
        bits >= 8, lambda: tf.io.decode_png(contents, channels=4), lambda: tf.io.decode_png(contents, channels=0)
    )
    return upright(_on_white(image), chunk_orientation(contents, b"eXIf", 4))


def _decode_gif(contents: tf.Tensor) -> tf.Tensor:
    alone, place = first_gif_frame(contents)
    height, width, top, left = tf.unstack(place)
    image = tf.io.decode_gif(refuse_huge(alone, height, width))[0]
    size = tf.shape(image, tf.int64)
    around = [[top, height - top - size[0]], [left, width - left - size[1]], [0, 0]]
    return tf.pad(image, tf.maximum(tf.convert_to_tensor(around), 0))  # black


def _decode_webp(contents: tf.Tensor) -> tf.Tensor:
    # An animation whose header does not promise alpha makes TensorFlow 2.21 write past its buffer with channels=0, and
    # is refused with channels=4. So the promise (bit 4) is put into the header; frames are decoded as RGBA anyway.
    extended = tf.equal(tf.strings.substr(contents, 12, 4), b"VP8X")
    flags = read_bytes(contents, 32)[20]
    animated, exif = (tf.logical_and(extended, tf.bitwise.bitwise_and(flags, bit) > 0) for bit in (2, 8))
    contents = refuse_huge(contents, *webp_size(contents))

    def first_frame() -> tf.Tensor:
        parts = [tf.strings.substr(contents, 0, 20), b"\x12", tf.strings.substr(contents, 21, -1)]
        return tf.io.decode_webp(tf.strings.join(parts), channels=4)[0]

    image = _on_white(tf.cond(animated, first_frame, lambda: tf.io.decode_webp(contents, channels=0)[0]))
    stored = tf.cond(exif, lambda: chunk_orientation(contents, b"EXIF", 8), lambda: tf.constant(1, tf.int64))
    return upright(image, stored)


def _decode_bmp(contents: tf.Tensor) -> tf.Tensor:
    contents = refuse_huge(contents, *bmp_size(contents))
    image = tf.io.decode_bmp(contents, channels=0)  # with 8 bits per pixel: numbers of palette colours, not grey values

    def coloured() -> tf.Tensor:
        header, compression = (tf.io.decode_raw(tf.strings.substr(contents, at, 4), tf.int32)[0] for at in (14, 30))
        check = tf.debugging.Assert(
            tf.logical_and(header >= 40, tf.equal(compression, 0)),
            ["compressed and OS/2 BMP files with a palette are not read"],
        )
        with tf.control_dependencies([check] if check is not None else []):
            colours = tf.strings.join([tf.strings.substr(contents, 14 + header, 1024), b"\0" * 1024])
        palette = tf.reshape(tf.io.decode_raw(colours, tf.uint8), (-1, 4))[:, 2::-1]  # stored as blue, green, red, 0
        return tf.gather(palette, tf.cast(image[..., 0], tf.int32))

    return tf.cond(tf.equal(tf.shape(image)[-1], 1), coloured, lambda: image[..., :3])


def _on_white(image: tf.Tensor) -> tf.Tensor:
    """Takes uint8 pixels with 1, 3 or 4 channels to 3 channels."""

    def opaque() -> tf.Tensor:
        return tf.broadcast_to(image, tf.concat([tf.shape(image)[:2], [3]], 0))

    def laid_on_white() -> tf.Tensor:
        alpha = tf.cast(image[..., 3:], tf.float32) / 255.0
        return tf.cast(tf.round(tf.cast(image[..., :3], tf.float32) * alpha + 255.0 * (1.0 - alpha)), tf.uint8)

    return tf.cond(tf.equal(tf.shape(image)[-1], 4), laid_on_white, opaque)
