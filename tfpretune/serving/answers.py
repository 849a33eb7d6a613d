"""Example inputs and the Keras model's answers to them, by the way that training data takes."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.config import RunError, UsageError
from tfpretune.data.images import DECODE_ERRORS, decode_image, explain_decode_error
from tfpretune.data.text import clean
from tfpretune.data.tokens import encode

STORED = 8
# Empty; a byte order mark, controls and odd white space; a letter in two code points; words without spaces; an emoji.
HARD_TEXTS = (
    "",
    "\ufeff  Two\tlines\r\nand\x00 a bell\x07\u2003 ",
    "Cafe\u0301 na\u00efve",
    "\u4eca\u5929\u5929\u6c14\u5f88\u597d",
    "ok \U0001f600!",
)


def text_answers(
    model: keras.Model, tokenizer: Any, *, sequence_length: int, examples: Sequence[str]
) -> dict[str, Any]:
    """Returns the content of `checks.json` for a text model: examples, hard texts, and the answers."""
    texts = [*examples[:STORED], *HARD_TEXTS]

    # KerasHub tokenizers answer eager calls with Python lists, and calls from a tf.function with ragged tensors.
    @tf.function(autograph=False)
    def to_inputs(cleaned: tf.Tensor) -> dict[str, tf.Tensor]:
        return encode(tokenizer, cleaned, sequence_length=sequence_length)

    inputs = to_inputs(tf.constant([clean(text) for text in texts]))
    return {"inputs": [{"text": text} for text in texts], "answers": _answers(model, inputs)}


def image_answers(model: keras.Model, *, image_shape: tuple[int, int, int], examples: Sequence[Any]) -> dict[str, Any]:
    """Returns the content of `checks.json` for an image model: some of the examples, some made images, and the answers.

    Args:
        model: the model.
        image_shape: height, width, channels that the model takes.
        examples: file paths, encoded images as bytes, or uint8 arrays `(height, width, channels)`. Arrays of the
            model's own shape are given to it as they are, divided by 255.
    """
    encoded, pixels = [], []
    for example in [*examples[:STORED], *_hard_images(image_shape)]:
        contents = _encode(example)
        as_is = isinstance(example, np.ndarray) and example.shape == image_shape
        encoded.append(contents)
        pixels.append(example / np.float32(255) if as_is else _decode(contents, image_shape, example))
    answers = _answers(model, {"images": np.stack(pixels).astype(np.float32)})
    inputs = [{"base64": base64.b64encode(contents).decode("ascii")} for contents in encoded]
    return {"inputs": inputs, "answers": answers}


def _answers(model: keras.Model, inputs: dict[str, Any]) -> dict[str, list]:
    features = keras.Model(model.inputs, model.get_layer("features").output)
    with tf.device("/CPU:0"):  # the comparison runs on the CPU too: a GPU rounds otherwise
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        scores = tf.cast(model(tensors, training=False), tf.float32)
        answers = {
            "probabilities": tf.nn.softmax(scores),
            "scores": scores,
            "embedding": tf.cast(features(tensors, training=False), tf.float32),
        }
    for name, values in answers.items():
        if not np.isfinite(values.numpy()).all():
            raise RunError(f"the model's {name} for the stored examples are not all finite: its weights are damaged")
    return {name: values.numpy().tolist() for name, values in answers.items()}


def _encode(example: Any) -> bytes:
    if isinstance(example, bytes):
        return example
    if isinstance(example, str | Path):
        return Path(example).read_bytes()
    if example.dtype != np.uint8 or example.ndim != 3:
        raise UsageError(
            f"an example image must be uint8 (height, width, channels), not {example.dtype} {example.shape}"
        )
    return tf.io.encode_png(example).numpy()


def _decode(contents: bytes, image_shape: tuple[int, int, int], example: Any) -> np.ndarray:
    try:
        return decode_image(tf.constant(contents), size=image_shape[:2], channels=image_shape[2]).numpy()
    except DECODE_ERRORS as error:
        name = example if isinstance(example, str | Path) else "an example"
        raise UsageError(f"{name} is not an image that can be decoded: {explain_decode_error(error)}") from None


def _hard_images(image_shape: tuple[int, int, int]) -> list[np.ndarray]:
    """Noise of the model's own shape, and of another size in grey, in colour and with transparency."""
    random = np.random.default_rng(0)
    height, width, _ = image_shape
    other = (height + 5, 2 * width + 3)
    shapes = [image_shape, *((*other, channels) for channels in (1, 3, 4))]
    return [random.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
