"""The graphs of a served model: raw texts or encoded images in, probabilities, labels and features out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from tfpretune.data.images import decode_image
from tfpretune.data.tokens import encode

ToInputs = Callable[[tf.Tensor], dict[str, tf.Tensor]]

# What `data.text.clean` calls white space, line breaks and unwanted, in the notation of RE2.
_SPACE = r"\t-\r\x{1c}-\x{1f}\x{85}\p{Z}"
_LINE_BREAK = r"\n-\r\x{1c}-\x{1e}\x{85}\x{2028}\x{2029}"
_UNWANTED = r"[\x{0}-\x{8}\x{e}-\x{1b}\x{7f}-\x{84}\x{86}-\x{9f}\x{feff}]"


def clean_in_graph(texts: tf.Tensor) -> tf.Tensor:
    """Cleans strings `(batch,)` as `data.text.clean` does, inside a graph.

    Bytes that are no UTF-8 become U+FFFD. Lines over 4,096 bytes are not split: a line end is white space to the
    tokenizers, so only a single word of that length would come out otherwise.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    texts = tf_text.normalize_utf8(texts, "NFC")
    texts = tf.strings.regex_replace(texts, _UNWANTED, "")
    texts = tf.strings.regex_replace(texts, f"[{_SPACE}]*[{_LINE_BREAK}][{_SPACE}]*", "\n")
    texts = tf.strings.regex_replace(texts, r"[\t\x{1f}\p{Z}]+", " ")
    return tf.strings.strip(texts)


def text_inputs(tokenizer: Any, sequence_length: int) -> ToInputs:
    """Returns the function from raw strings `(batch,)` to `token_ids` and `padding_mask`."""
    return lambda texts: encode(tokenizer, clean_in_graph(texts), sequence_length=sequence_length)


def image_inputs(image_shape: tuple[int, int, int]) -> ToInputs:
    """Returns the function from encoded images `(batch,)` to float32 `images` in [0, 1]."""
    height, width, channels = image_shape
    pixels = tf.TensorSpec((height, width, channels), tf.float32)

    def decode(contents: tf.Tensor) -> tf.Tensor:
        return decode_image(contents, size=(height, width), channels=channels)

    return lambda contents: {"images": tf.map_fn(decode, contents, fn_output_signature=pixels)}


def write_saved_model(
    model: keras.Model,
    folder: Path,
    *,
    input_name: str,
    to_inputs: ToInputs,
    class_names: Sequence[str],
    tokenizer: Any = None,
) -> None:
    """Writes a SavedModel with the signatures `serving_default` and `embed`, both from strings `(batch,)`.

    Args:
        model: from the inputs that `to_inputs` makes to float32 logits `(batch, classes)`, with a layer "features".
        folder: where to.
        input_name: name of the strings: "texts" or "image_bytes".
        to_inputs: TensorFlow operations only.
        class_names: label of each logit.
        tokenizer: has been called once; its look-up tables, if any, go into the SavedModel.
    """
    features = keras.Model(model.inputs, model.get_layer("features").output)

    def serve(raw: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = _call(model, to_inputs(raw))
        label = tf.gather(tf.constant(list(class_names)), tf.argmax(scores, axis=-1))
        return {"probabilities": tf.nn.softmax(scores), "label": label, "scores": scores}

    def embed(raw: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"embedding": _call(features, to_inputs(raw))}

    archive = keras.export.ExportArchive()
    # Tracking the model as well would write every weight twice: the endpoints' variables are found without it.
    if tokenizer is not None:
        archive.track(tokenizer)
    strings = [tf.TensorSpec((None,), tf.string, name=input_name)]
    archive.add_endpoint("serving_default", serve, strings)
    archive.add_endpoint("embed", embed, strings)
    archive.write_out(str(folder), verbose=False)


def _call(model: keras.Model, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """Calls a model on any number of rows. With none it sees one row of zeros, whose answer is dropped.

    TensorFlow 2.21 rewrites convolution and batch normalisation to a product that fails on an empty batch.
    """
    rows = tf.shape(next(iter(inputs.values())))[0]
    missing = 1 - tf.minimum(rows, 1)
    filled = {
        name: tf.ensure_shape(tf.pad(values, [[0, missing], *[[0, 0]] * (len(values.shape) - 1)]), values.shape)
        for name, values in inputs.items()
    }
    return tf.cast(model(filled, training=False), tf.float32)[:rows]
