"""Decoding of all images of a source, to name each that cannot be read."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tfpretune.data.rows import Problem

DARK = 16
"""An image without a pixel above this, of 255, is nearly black."""


def decode_all(paths: list[str], *, todo: str = "replace or remove it") -> tuple[list[Problem], list[str]]:
    """Decodes every file by itself, since TensorFlow's errors do not name the file.

    Args:
        paths: of the files.
        todo: what to do with one that cannot be read.
    """
    import tensorflow as tf  # here, so that checking texts does not wait for TensorFlow

    from tfpretune.data.images import DECODE_ERRORS, decode_pixels, explain_decode_error

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def facts_of(path: tf.Tensor) -> tf.Tensor:
        pixels = decode_pixels(tf.io.read_file(path))
        return tf.concat([tf.shape(pixels)[:2], [tf.cast(tf.reduce_max(pixels), tf.int32)]], 0)

    def look(path: str) -> tuple[int, ...] | Problem:
        try:
            return tuple(facts_of(tf.constant(path)).numpy().tolist())
        except DECODE_ERRORS as error:
            return Problem(path, explain_decode_error(error), todo)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(look, paths))
    problems = [item for item in seen if isinstance(item, Problem)]
    facts = [(path, item) for path, item in zip(paths, seen, strict=True) if not isinstance(item, Problem)]
    notes = []
    if facts:
        sizes = [fact[:2] for _, fact in facts]
        low, high = np.min(sizes, axis=0), np.max(sizes, axis=0)
        notes.append(f"images are {low[0]} to {high[0]} pixels high and {low[1]} to {high[1]} wide")
    dark = [path for path, (_, _, brightest) in facts if brightest <= DARK]
    return problems, notes + _dark_note(dark)


def _dark_note(paths: list[str]) -> list[str]:
    """Says which images are nearly black, and why where that can be seen: few of their 16 bits are used."""
    if not paths:
        return []
    deep = [path for path in paths if _bits_of_png(path) == 16]
    what = f"{len(paths):,} images are nearly black (no pixel above {DARK} of 255), the first is {paths[0]}"
    if deep:
        what += (
            f"; {len(deep):,} have 16 bits a pixel and use the lowest 12 or fewer: multiply their pixels by 16 or more"
        )
    return [what]


def _bits_of_png(path: str) -> int:
    with Path(path).open("rb") as file:
        head = file.read(25)
    return head[24] if head[:4] == b"\x89PNG" and len(head) == 25 else 0
