"""The requests that TF Serving sends to a model when it loads it, so that the first caller does not wait for start-up work."""

import base64
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from tfpretune.serving.loading import WARMUP

# Numbers of the fields in tensorflow_serving/apis: prediction_log.proto, predict.proto and model.proto.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_NAME, _SIGNATURE = 1, 3
_KEY, _VALUE = 1, 2


def write_warmup(assets: Path, example: Mapping[str, str], *, name: str, input_name: str) -> None:
    """Writes one request for each signature, as a TFRecord file of `PredictionLog` messages.

    The messages are put together here: they are three levels of named fields around a `TensorProto`, and the package
    tensorflow-serving-api, which has them as classes, is needed for nothing else.

    Args:
        assets: the folder `assets.extra` of an export.
        example: an input as `checks.json` has it: {"text": …} or {"base64": …}.
        name: the model's name.
        input_name: name of the strings in both signatures.
    """
    raw = base64.b64decode(example["base64"]) if "base64" in example else example["text"].encode("utf-8")
    tensor = tf.make_tensor_proto([raw], tf.string).SerializeToString()
    entry = _field(_KEY, input_name.encode("utf-8")) + _field(_VALUE, tensor)  # an entry of the map `inputs`
    with tf.io.TFRecordWriter(str(assets / WARMUP)) as writer:
        for signature in ("serving_default", "embed"):
            model = _field(_NAME, name.encode("utf-8")) + _field(_SIGNATURE, signature.encode("utf-8"))
            request = _field(_MODEL_SPEC, model) + _field(_INPUTS, entry)
            writer.write(_field(_PREDICT_LOG, _field(_REQUEST, request)))


def _field(number: int, content: bytes) -> bytes:
    """Encodes a field with bytes, a string or a message in it: number and wire type 2, length, content."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Encodes a whole number in groups of 7 bits, the lowest first; all but the last have the top bit set."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
