"""The requests that TF Serving sends to a model when it loads it, so that the first caller does not wait for start-up work."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpretune.serving.loading import WARMUP, WORDS, raw_inputs

# Numbers of the fields in tensorflow_serving/apis: prediction_log.proto, predict.proto and model.proto.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_NAME, _SIGNATURE = 1, 3
_KEY, _VALUE = 1, 2


def write_warmup(assets: Path, asked: Mapping[str, tuple[Sequence[str], Any]], *, name: str) -> None:
    """Writes one request for each signature, as a TFRecord file of `PredictionLog` messages.

    The messages are put together here: they are three levels of named fields around a `TensorProto`, and the package
    tensorflow-serving-api, which has them as classes, is needed for nothing else.

    Args:
        assets: the folder `assets.extra` of an export.
        asked: signature -> the names of its raw inputs, and an input as `checks.json` has it.
        name: the model's name.
    """
    with tf.io.TFRecordWriter(str(assets / WARMUP)) as writer:
        for signature, (inputs, example) in asked.items():
            raw = raw_inputs(example, inputs)
            values: Sequence[Any] = [raw] if tuple(inputs) == (WORDS,) else raw
            entries = b""
            for key, value in zip(inputs, values, strict=True):
                tensor = tf.make_tensor_proto([value], tf.string).SerializeToString()
                entries += _field(_INPUTS, _field(_KEY, key.encode("utf-8")) + _field(_VALUE, tensor))  # of the map
            model = _field(_NAME, name.encode("utf-8")) + _field(_SIGNATURE, signature.encode("utf-8"))
            writer.write(_field(_PREDICT_LOG, _field(_REQUEST, _field(_MODEL_SPEC, model) + entries)))


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
