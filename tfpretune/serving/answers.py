"""Example inputs and the Keras model's answers to them, by the way that training data takes."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.image.decoding import DECODE_ERRORS, decode_sized, explain_decode_error
from tfpretune.data.image.fitting import Resize, axes, put_back
from tfpretune.data.image.resizing import Places
from tfpretune.errors import RunError, UsageError
from tfpretune.serving import signatures
from tfpretune.serving.heads.base import Head
from tfpretune.serving.heads.pixels import PixelsHead
from tfpretune.serving.loading import filled
from tfpretune.serving.raw import ModelInputs, RawPreprocessing

STORED = 8
MOST_PIXELS = 200_000  # of the maps in checks.json
# White space, marks and an emoji of several characters as words; words that running text splits otherwise; a gap.
HARD_WORDS = (
    ("\u3000", "\u200b", "a", "\u00a0", "\u0301", "\U0001f469\u200d\U0001f469\u200d\U0001f467"),
    ("do", "n't", "U.S.", "New York", "", "\u98df\u3079", "\u307e\u3057", "\u305f"),
    ("",),
)
# Empty; a byte order mark, controls and odd white space; a letter in two code points; words without spaces; an emoji;
# bytes that are no UTF-8.
HARD_TEXTS = (
    "",
    "\ufeff  Two\tlines\r\nand\x00 a bell\x07\u2003 ",
    "Cafe\u0301 na\u00efve",
    "\u4eca\u5929\u5929\u6c14\u5f88\u597d",
    "ok \U0001f600!",
    b"caf\xe9 \xff\xfe ok",
)


def text_answers(
    model: keras.Model, reading: RawPreprocessing, heads: Mapping[str, Head], examples: Sequence[Any]
) -> dict[str, Any]:
    """Returns the content of `checks.json` for a text model: examples, hard texts, and the answers.

    Args:
        model: the model.
        reading: of texts, or of several texts at once.
        heads: from `heads_of`.
        examples: texts, or tuples of as many texts as the reading has names.
    """
    sent = [_texts(example, reading) for example in examples[:STORED]] + _hard_texts(len(reading.names))

    # KerasHub tokenizers answer eager calls with Python lists, and calls from a tf.function with ragged tensors.
    @tf.function(autograph=False)
    def to_rows(*cleaned: tf.Tensor) -> ModelInputs:
        return reading.rows(*cleaned)

    columns = zip(*sent, strict=True)
    rows = to_rows(*(tf.constant([reading.clean_one(_decoded(text)) for text in column]) for column in columns))
    return {"inputs": [_stored(one, reading) for one in sent]} | _answers(model, heads, rows)


def word_answers(
    model: keras.Model, reading: RawPreprocessing, heads: Mapping[str, Head], examples: Sequence[Any]
) -> dict[str, Any]:
    """Returns the content of `checks.json` for a tagger of words that are sent; arguments as for `text_answers`.

    Args:
        model: the model.
        reading: of words.
        heads: of words.
        examples: lists of words, or texts with white space between the words.
    """
    some = [example.split() if isinstance(example, str) else list(example) for example in examples[:STORED]]
    sent = [*some, *map(list, HARD_WORDS)]
    rows = tf.function(reading.rows, autograph=False)(reading.clean(tf.constant(filled(sent))))
    return {"inputs": sent} | _answers(model, heads, rows)


def image_answers(
    model: keras.Model, reading: RawPreprocessing, heads: Mapping[str, Head], examples: Sequence[Any]
) -> dict[str, Any]:
    """Returns the content of `checks.json` for an image model: some of the examples, some made images, and the answers.

    Args:
        model: the model.
        reading: of images; pixels are decoded here, outside of its graph.
        heads: from `heads_of`.
        examples: file paths, encoded images as bytes, or uint8 arrays `(height, width, channels)`. Arrays of the
            model's own shape are given to it as they are, divided by 255.
    """
    encoded, pixels, sizes, image_shape = [], [], [], tuple(model.inputs[0].shape[1:])
    resize: Resize = reading.sizes.get("resize", "squeeze")
    maps = sum(isinstance(head, PixelsHead) for head in heads.values())
    room = STORED if not maps else max(1, MOST_PIXELS // (maps * image_shape[0] * image_shape[1]) - 4)
    for example in [*examples[: min(STORED, room)], *_hard_images(image_shape)]:
        contents = _encode(example)
        as_is = isinstance(example, np.ndarray) and example.shape == image_shape
        encoded.append(contents)
        image, size = _decode(contents, image_shape, example, resize)
        pixels.append(example / np.float32(255) if as_is else image)
        sizes.append(size)
    inputs = [{"base64": base64.b64encode(contents).decode("ascii")} for contents in encoded]
    context = None if resize == "squeeze" else _places(sizes, image_shape[:2], resize)
    rows = ModelInputs({"images": np.stack(pixels).astype(np.float32)}, context)
    return {"inputs": inputs} | _answers(model, heads, rows)


def _places(sizes: Sequence[np.ndarray], seen: tuple[int, int], resize: Resize) -> Places:
    """Returns in NumPy what the served graph finds by TensorFlow."""
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for size in sizes:
        height, width = map(int, size)
        for places, axis, pixels, there in zip(
            found, axes(height, width, seen, resize), seen, (height, width), strict=True
        ):
            places.append(put_back(axis, pixels, there).astype(np.int32))
    return Places(*(tf.constant(np.stack(places)) for places in found))


def _answers(model: keras.Model, heads: Mapping[str, Head], rows: ModelInputs) -> dict[str, Any]:
    vectors = signatures.embedding_model(model)
    with tf.device("/CPU:0"):  # the comparison runs on the CPU too: a GPU rounds otherwise
        inputs = {name: tf.constant(value) for name, value in rows.inputs.items()}
        outputs = tf.nest.map_structure(lambda x: tf.cast(x, tf.float32), model(inputs, training=False))
        answers = signatures.all_answers(heads, outputs, rows.context)
        if vectors is not None:
            answers["embedding"] = tf.cast(vectors(inputs, training=False), tf.float32)
        unsure = signatures.all_unsure(heads, outputs, rows.context)
    for name, values in answers.items():
        if values.dtype.is_floating and not np.isfinite(values.numpy()).all():
            raise RunError(f"the model's {name} for the stored examples are not all finite: its weights are damaged")
    return {
        "answers": {name: _plain(values.numpy()) for name, values in answers.items()},
        "unsure": {name: np.argwhere(values.numpy()).tolist() for name, values in unsure.items()},
        "padded": sorted({name for head in heads.values() for name in head.padded}),
    }


def _plain(values: np.ndarray) -> list:
    """Returns values as JSON has them."""
    if values.dtype == object:
        return np.vectorize(lambda text: text.decode("utf-8"), otypes=[object])(values).tolist()
    # Far below what is compared, and half as long as all digits.
    return np.round(values.astype(np.float64), 8).tolist() if values.dtype.kind == "f" else values.tolist()


def _texts(example: Any, reading: RawPreprocessing) -> tuple[str | bytes, ...]:
    texts = (example,) if isinstance(example, str | bytes) else tuple(example)
    if len(texts) != len(reading.names):
        raise UsageError(
            f"an example must be {len(reading.names)} texts ({', '.join(reading.names)}), received {texts!r}"
        )
    return texts


def _hard_texts(count: int) -> list[tuple[str | bytes, ...]]:
    """Each hard text; where several are sent at once, with the hard texts that follow it."""
    return [
        tuple(HARD_TEXTS[(index + step) % len(HARD_TEXTS)] for step in range(count)) for index in range(len(HARD_TEXTS))
    ]


def _decoded(text: str | bytes) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _stored(sent: tuple[str | bytes, ...], reading: RawPreprocessing) -> dict[str, Any]:
    """Returns {"text": …} or {"base64": …}; of several texts such for each name."""
    stored = [
        {"base64": base64.b64encode(text).decode("ascii")} if isinstance(text, bytes) else {"text": text}
        for text in sent
    ]
    return stored[0] if len(stored) == 1 else dict(zip(reading.names, stored, strict=True))


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


def _decode(
    contents: bytes, image_shape: tuple[int, int, int], example: Any, resize: Resize
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels that the model sees, and height and width of the image."""
    try:
        size, channels = image_shape[:2], image_shape[2]
        image, there = decode_sized(tf.constant(contents), size=size, channels=channels, resize=resize)
        return image.numpy(), there.numpy()
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
