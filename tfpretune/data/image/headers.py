"""What the first bytes of an encoded image tell, read inside a graph before anything is decoded: size, frames."""

import tensorflow as tf

from tfpretune.data.image.limits import MAX_JPEG_PIXELS, MAX_PIXELS, MAX_PROGRESSIVE_PIXELS

_GIF_BLOCKS = 1 << 16  # of up to 255 bytes
_JPEG_SEGMENTS = 1 << 10
_PADDING = b"\0" * 16


def refuse_huge(
    contents: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
    frames: tf.Tensor | int = 1,
    *,
    most: tf.Tensor | int = MAX_PIXELS,
) -> tf.Tensor:
    """Returns `contents`, unless the image they announce is too large to be decoded.

    Raises:
        tf.errors.InvalidArgumentError: more than `most` pixels in all frames together.
    """
    height, width, frames = (tf.cast(number, tf.int64) for number in (height, width, frames))
    pixels = tf.cast(height, tf.float64) * tf.cast(width, tf.float64) * tf.cast(frames, tf.float64)  # cannot overflow
    size = [tf.strings.as_string(number) for number in (width, height, frames)]
    limit = tf.strings.regex_replace(tf.strings.as_string(most), r"(\d)(\d{3})(\d{3})$", r"\1,\2,\3")
    parts = ["the image has ", size[0], " x ", size[1], " pixels in ", size[2], " frame(s), more than the ", limit]
    what = tf.strings.join([*parts, " that are read"])
    check = tf.debugging.Assert(pixels <= tf.cast(most, tf.float64), [what])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(contents)


def read_number(data: tf.Tensor, at: tf.Tensor | int, size: int, *, little: tf.Tensor | bool = False) -> tf.Tensor:
    """Returns the whole number without sign that `size` bytes from `at` on stand for; `little`: its lowest byte is first.

    Args:
        data: uint8 `(bytes,)`, ending in zeros; from beyond the end come zeros.
        at: first byte.
        size: 1 to 6.
        little: a bool, or a bool scalar.
    """
    start = tf.clip_by_value(tf.cast(at, tf.int64), 0, tf.size(data, tf.int64) - size)
    part = tf.cast(tf.ensure_shape(data[start : start + size], (size,)), tf.int64)
    weights = tf.constant([256**power for power in reversed(range(size))], tf.int64)
    return tf.reduce_sum(tf.where(little, part[::-1], part) * weights)


def read_bytes(contents: tf.Tensor, most: int = -1) -> tf.Tensor:
    """Returns the first bytes (-1: all) as uint8 `(bytes + 16,)`; the last 16 are zeros."""
    return tf.io.decode_raw(tf.strings.join([tf.strings.substr(contents, 0, most), _PADDING]), tf.uint8)


def webp_size(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns height, width and frames that a WebP file announces (RFC 9649, section 2); 0 where its first chunk is odd."""
    data = read_bytes(contents, 32)
    kind = tf.strings.substr(contents, 12, 4)

    def extended() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        size = [1 + read_number(data, at, 3, little=True) for at in (27, 24)]
        animated = tf.bitwise.bitwise_and(data[20], 2) > 0
        return *size, tf.cond(animated, lambda: _count_frames(contents), lambda: tf.constant(1, tf.int64))

    def lossless() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        bits = read_number(data, 21, 4, little=True)
        return 1 + (bits // 2**14) % 2**14, 1 + bits % 2**14, tf.constant(1, tf.int64)

    def lossy() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        size = [read_number(data, at, 2, little=True) % 2**14 for at in (28, 26)]
        return *size, tf.constant(1, tf.int64)

    none = (tf.constant(0, tf.int64),) * 3
    cases = [
        (tf.equal(kind, name), read) for name, read in ((b"VP8X", extended), (b"VP8L", lossless), (b"VP8 ", lossy))
    ]
    return tuple(tf.case(cases, default=lambda: none))


def _count_frames(contents: tf.Tensor) -> tf.Tensor:
    """Counts "ANMF", the mark before each frame: at least as many as there are frames."""
    data = read_bytes(contents)
    places = tf.size(data) - 3
    marks = [tf.equal(data[at : places + at], code) for at, code in enumerate(b"ANMF")]
    return tf.reduce_sum(tf.cast(tf.reduce_all(marks, axis=0), tf.int64))


def bmp_size(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns height and width that a BMP file announces."""
    data = read_bytes(contents, 32)
    height, width = (read_number(data, at, 4, little=True) for at in (22, 18))
    return tf.minimum(height, 2**32 - height), width  # a negative height: stored from the top down


def most_of_jpeg(contents: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Returns how many pixels a JPEG file may have: those of a progressive one are held all at once before they are shrunk."""

    def by_form() -> tf.Tensor:
        return tf.where(_is_progressive(contents), MAX_PROGRESSIVE_PIXELS, MAX_JPEG_PIXELS)

    return tf.cond(pixels <= MAX_PROGRESSIVE_PIXELS, lambda: tf.constant(MAX_PROGRESSIVE_PIXELS), by_form)


def _is_progressive(contents: tf.Tensor) -> tf.Tensor:
    """Whether the mark of the frame says so (ITU-T T.81, table B.1); also where there is none."""
    data = read_bytes(contents)

    def step(at: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        marker = read_number(data, at, 2)
        table = tf.reduce_any(tf.equal(marker, tf.constant([0xFFC4, 0xFFC8, 0xFFCC], tf.int64)))
        frame = tf.logical_and(tf.equal(marker // 16, 0xFFC), tf.logical_not(table))
        forward = tf.where(tf.equal(marker, 0xFFFF), tf.constant(1, tf.int64), 2 + read_number(data, at + 2, 2))
        return tf.where(frame, at, at + forward), tf.where(frame, marker, found)

    found = tf.while_loop(
        lambda at, found: tf.logical_and(tf.equal(found, 0), at < tf.size(data, tf.int64)),
        step,
        (tf.constant(2, tf.int64), tf.constant(0, tf.int64)),
        maximum_iterations=_JPEG_SEGMENTS,
        parallel_iterations=1,
    )[1]
    return tf.logical_or(tf.equal(found, 0), tf.equal(found % 4, 2))


def png_size(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns height and width that a PNG file announces."""
    data = read_bytes(contents, 32)
    return read_number(data, 20, 4), read_number(data, 16, 4)


def first_gif_frame(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the first frame of a GIF file, so that no other is decoded (GIF89a specification, sections 18 to 22).

    Returns:
        The bytes of a GIF file with this frame alone, moved to the corner (`contents` if there is none), and int64
        `(height, width, top, left)`: the size of the picture, and where the frame lies in it.

    Raises:
        tf.errors.InvalidArgumentError: the frame begins or ends after more than 65,536 blocks.
    """
    data = read_bytes(contents)
    frame, end, done = tf.while_loop(
        lambda frame, at, done, inside: tf.logical_not(done),
        lambda frame, at, done, inside: _gif_step(data, frame, at, inside),
        (tf.constant(-1, tf.int64), 13 + _colours(data, 10), False, False),
        maximum_iterations=_GIF_BLOCKS,
        parallel_iterations=1,
    )[:3]
    check = tf.debugging.Assert(done, ["the first frame of the GIF file is in too many blocks"])
    left, top, width, height = (read_number(data, frame + at, 2, little=True) for at in (1, 3, 5, 7))
    picture = [read_number(data, at, 2, little=True) for at in (8, 6)]
    with tf.control_dependencies([check] if check is not None else []):
        parts = [(tf.constant(0, tf.int64), frame + 1), (frame + 5, end - frame - 5)]
        start, rest = (tf.strings.substr(contents, at, tf.maximum(size, 0)) for at, size in parts)
    alone = tf.where(frame < 0, contents, tf.strings.join([start, b"\0\0\0\0", rest, b";"]))
    place = tf.stack([tf.maximum(picture[0], top + height), tf.maximum(picture[1], left + width), top, left])
    return alone, tf.where(frame < 0, tf.zeros_like(place), place)


def _gif_step(
    data: tf.Tensor, frame: tf.Tensor, at: tf.Tensor, inside: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Goes on by one block, or by one piece of the data `inside` a block: a length, so many bytes, and 0 at the end."""
    byte = read_number(data, at, 1)
    extension, image = tf.equal(byte, 0x21), tf.equal(byte, 0x2C)
    last = tf.logical_and(inside, tf.equal(byte, 0))
    block = tf.where(extension, at + 2, at + 11 + _colours(data, at + 9))
    return (
        tf.where(tf.logical_and(image, tf.logical_not(inside)), at, frame),
        tf.where(inside, at + 1 + byte, block),
        tf.where(inside, tf.logical_and(last, frame >= 0), tf.logical_not(tf.logical_or(extension, image))),
        tf.logical_not(last),
    )


def _colours(data: tf.Tensor, at: tf.Tensor | int) -> tf.Tensor:
    """Returns the bytes of the table of colours that the flags at a place announce."""
    flags = read_number(data, at, 1)
    return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(tf.constant(2, tf.int64), flags % 8), 0)
