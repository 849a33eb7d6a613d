"""Decoding of all images of a source, to name each that cannot be read."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfpretune.data.rows import Problem


def decode_all(paths: list[str]) -> tuple[list[Problem], list[str]]:
    """Decodes every file by itself, since TensorFlow's errors do not name the file."""
    import tensorflow as tf  # here, so that checking texts does not wait for TensorFlow

    from tfpretune.data.images import DECODE_ERRORS, decode_pixels, explain_decode_error

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def shape_of(path: tf.Tensor) -> tf.Tensor:
        return tf.shape(decode_pixels(tf.io.read_file(path)))

    def look(path: str) -> tuple[int, int] | Problem:
        try:
            height, width, _ = shape_of(tf.constant(path)).numpy()
        except DECODE_ERRORS as error:
            return Problem(path, explain_decode_error(error), "replace or remove it")
        return int(height), int(width)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(look, paths))
    problems = [item for item in seen if isinstance(item, Problem)]
    sizes = [item for item in seen if not isinstance(item, Problem)]
    notes = []
    if sizes:
        low, high = np.min(sizes, axis=0), np.max(sizes, axis=0)
        notes.append(f"images are {low[0]} to {high[0]} pixels high and {low[1]} to {high[1]} wide")
    return problems, notes
