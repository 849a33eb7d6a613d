"""Decoding of all images of a source, to name each that cannot be read."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from tfpretune.data.image.limits import DARK
from tfpretune.data.readers.masks.files import READ_ERRORS
from tfpretune.data.readers.records import Problem
from tfpretune.runtime.quiet import start_tensorflow

_SHRINK = "save it smaller, or as JPEG, of which larger ones are read at a part of their size"


def decode_all(paths: list[str], *, todo: str = "replace or remove it") -> tuple[list[Problem], list[str]]:
    """Decodes every file by itself, since TensorFlow's errors do not name the file.

    Args:
        paths: of the files.
        todo: what to do with one that cannot be read.
    """
    start_tensorflow()
    from tfpretune.data.image.decoding import DECODE_ERRORS, explain_decode_error

    facts_of = _facts_of_file()

    def look(path: str) -> tuple[int, ...] | Problem:
        try:
            return facts_of(path)
        except DECODE_ERRORS as error:
            what = explain_decode_error(error)
            return Problem(path, what, _SHRINK if what.endswith(" that are read") else todo)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(look, paths))
    problems = [item for item in seen if isinstance(item, Problem)]
    facts = [(path, item) for path, item in zip(paths, seen, strict=True) if not isinstance(item, Problem)]
    notes = []
    if facts:
        sizes = [fact[:2] for _, fact in facts]
        low, high = np.min(sizes, axis=0), np.max(sizes, axis=0)
        notes.append(f"images are {low[0]} to {high[0]} pixels high and {low[1]} to {high[1]} wide")
    notes += _clear_notes([path for path, _ in facts])
    return problems, notes + _dark_notes([(path, brightest) for path, (_, _, brightest) in facts])


@functools.cache
def _facts_of_file() -> Callable[[str], tuple[int, ...]]:
    """Returns a function from a path to height, width and the brightest value; kept, since tracing takes longest."""
    import tensorflow as tf  # here, so that checking texts does not wait for TensorFlow

    from tfpretune.data.image.decoding import decode_pixels

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def facts_of(path: tf.Tensor) -> tf.Tensor:
        pixels = decode_pixels(tf.io.read_file(path))
        return tf.concat([tf.shape(pixels)[:2], [tf.cast(tf.reduce_max(pixels), tf.int32)]], 0)

    return lambda path: tuple(facts_of(tf.constant(path)).numpy().tolist())


def _clear_notes(paths: list[str]) -> list[str]:
    """Says which GIF images are transparent, since these are laid on another ground than PNG and WebP images."""
    clear = [path for path in paths if path.lower().endswith(".gif") and _is_clear_gif(path)]
    if not clear:
        return []
    what = f"{len(clear):,} GIF images are transparent, the first is {clear[0]}"
    return [f"{what}: they are laid on black (PNG and WebP images on white); save them as PNG for white"]


def _is_clear_gif(path: str) -> bool:
    try:
        with Image.open(path) as image:
            if image.format != "GIF" or "transparency" not in image.info:
                return False
            return bool((np.asarray(image.convert("RGBA"))[..., 3] < 255).any())
    except READ_ERRORS:
        return False


def _dark_notes(images: list[tuple[str, int]]) -> list[str]:
    """Says which images are nearly black; `image_notes` tells of those that use few of their 16 bits.

    Args:
        images: path and largest value, of 255, of each.
    """
    dark = [path for path, top in images if top <= DARK]
    if not dark:
        return []
    return [f"{len(dark):,} images are nearly black (no pixel above {DARK} of 255), the first is {dark[0]}"]
