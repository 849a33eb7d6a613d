"""How a photo is stored, from its Exif block, and turning it upright, inside a graph; `exif` does the same in NumPy."""

import tensorflow as tf

from tfpretune.data.image.headers import read_bytes, read_number

_JPEG_HEAD = 1 << 18  # bytes in which a photo's Exif block must begin
_JPEG_SEGMENTS = 64
_EXIF = 0x457869660000  # "Exif" and two zeros
_TIFF = ((73, 73, 42, 0), (77, 77, 0, 42))  # how the block itself begins, in either order of bytes
_ORIENTATION, _SHORT = 0x0112, 3


def orientation(contents: tf.Tensor) -> tf.Tensor:
    """Returns how a JPEG photo is stored: 1 (upright, or nothing is said) to 8, from its Exif block; never fails.

    The block must begin in the first 256 KiB (Exif 2.32, sections 4.5.2 and 4.6.4).
    """
    data = read_bytes(contents, _JPEG_HEAD)

    def step(at: tf.Tensor, found: tf.Tensor, done: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        marker = read_number(data, at, 2)
        exif = tf.logical_and(tf.equal(marker, 0xFFE1), tf.equal(read_number(data, at + 4, 6), _EXIF))
        fill = tf.equal(marker, 0xFFFF)
        other = tf.logical_or(marker < 0xFFC0, tf.logical_and(marker >= 0xFFD0, marker <= 0xFFDA))  # 0xFFDA: the pixels
        forward = tf.where(fill, tf.constant(1, tf.int64), 2 + read_number(data, at + 2, 2))
        return at + forward, tf.where(exif, at + 10, found), tf.logical_or(exif, other)

    found = tf.while_loop(
        lambda at, found, done: tf.logical_not(done),
        step,
        (tf.constant(2, tf.int64), tf.constant(0, tf.int64), False),
        maximum_iterations=_JPEG_SEGMENTS,
        parallel_iterations=1,
    )[1]
    return tf.cond(found > 0, lambda: _exif_orientation(data, found), lambda: tf.constant(1, tf.int64))


def chunk_orientation(contents: tf.Tensor, name: bytes, header: int) -> tf.Tensor:
    """Returns how a PNG or WebP photo is stored, as `orientation` does: from the chunk that holds its Exif block.

    The chunk is found by its name, since one among thousands would take a loop of as many steps.

    Args:
        contents: the file.
        name: of the chunk, 4 bytes.
        header: bytes from the start of the name to what the chunk holds.
    """
    data = read_bytes(contents)
    last = tf.size(data) - len(name) + 1
    marks = [tf.equal(data[at : last + at], code) for at, code in enumerate(name)]
    starts = tf.where(tf.reduce_all(marks, axis=0))[:, 0] + header
    starts += tf.where(_begins(data, starts, (tuple(b"Exif\0\0"),)), tf.constant(6, tf.int64), 0)
    blocks = tf.boolean_mask(starts, _begins(data, starts, _TIFF))
    return tf.cond(tf.size(blocks) > 0, lambda: _exif_orientation(data, blocks[0]), lambda: tf.constant(1, tf.int64))


def _begins(data: tf.Tensor, starts: tf.Tensor, words: tuple[tuple[int, ...], ...]) -> tf.Tensor:
    """Whether one of the words, all of one length, stands at each start."""
    places = tf.minimum(starts[:, tf.newaxis] + tf.range(len(words[0]), dtype=tf.int64), tf.size(data, tf.int64) - 1)
    found = tf.gather(data, places)[:, tf.newaxis]
    return tf.reduce_any(tf.reduce_all(tf.equal(found, tf.constant(words, tf.uint8)), axis=-1), axis=-1)


def _exif_orientation(data: tf.Tensor, tiff: tf.Tensor) -> tf.Tensor:
    """Reads the tag from the first directory of the TIFF structure that begins at `tiff`."""
    little = tf.equal(read_number(data, tiff, 1), ord("I"))
    directory = tiff + read_number(data, tiff + 4, 4, little=little)
    room = (tf.size(data, tf.int64) - directory - 2) // 12
    count = tf.clip_by_value(read_number(data, directory, 2, little=little), 0, tf.maximum(room, 0))
    start = tf.where(count > 0, directory + 2, 0)
    entries = tf.cast(tf.reshape(data[start : start + 12 * count], (-1, 12)), tf.int64)
    pairs = tf.reshape(entries, (-1, 6, 2))
    tag, kind, _, _, value, _ = tf.unstack(
        tf.where(little, pairs[..., 0] + 256 * pairs[..., 1], 256 * pairs[..., 0] + pairs[..., 1]), axis=1
    )
    told = tf.logical_and(tf.logical_and(tf.equal(tag, _ORIENTATION), tf.equal(kind, _SHORT)), value <= 8)
    return tf.reduce_max(tf.concat([tf.where(told, value, 1), [1]], axis=0))


def upright(image: tf.Tensor, stored: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors pixels `(height, width, channels)` that are stored as `orientation` says."""

    def put_right() -> tf.Tensor:
        across = tf.cond(stored >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        mirrored = tf.reduce_any(tf.equal(stored, tf.constant([2, 3, 6, 7], tf.int64)))
        flipped = tf.cond(mirrored, lambda: across[:, ::-1], lambda: across)
        upside_down = tf.reduce_any(tf.equal(stored, tf.constant([3, 4, 7, 8], tf.int64)))
        return tf.cond(upside_down, lambda: flipped[::-1], lambda: flipped)

    return tf.cond(stored > 1, put_right, lambda: image)
