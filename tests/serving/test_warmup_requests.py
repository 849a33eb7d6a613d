"""The stored requests, read back by the field numbers of TF Serving's messages."""

import json

import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework import tensor_pb2

from tfpretune.serving.loading import WARMUP


def prediction_log():
    """The class PredictionLog, as far as it is used, from the fields in tensorflow_serving/apis/*.proto."""
    file = descriptor_pb2.FileDescriptorProto(name="log.proto", package="log", syntax="proto3")
    kind = descriptor_pb2.FieldDescriptorProto
    fields = {
        "ModelSpec": [("name", 1, kind.TYPE_STRING, ""), ("signature_name", 3, kind.TYPE_STRING, "")],
        "Input": [("key", 1, kind.TYPE_STRING, ""), ("value", 2, kind.TYPE_BYTES, "")],
        "PredictRequest": [
            ("model_spec", 1, kind.TYPE_MESSAGE, "ModelSpec"),
            ("inputs", 2, kind.TYPE_MESSAGE, "Input"),
        ],
        "PredictLog": [("request", 1, kind.TYPE_MESSAGE, "PredictRequest")],
        "PredictionLog": [("predict_log", 6, kind.TYPE_MESSAGE, "PredictLog")],
    }
    for name, rows in fields.items():
        message = file.message_type.add(name=name)
        for field, number, of, other in rows:
            label = kind.LABEL_REPEATED if field == "inputs" else kind.LABEL_OPTIONAL
            message.field.add(
                name=field, number=number, type=of, label=label, **({"type_name": f".log.{other}"} if other else {})
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("log.PredictionLog"))


@pytest.mark.parametrize("name", ["films", "spots"])
def test_each_signature_is_asked_once_with_an_input_that_it_answers(request, name):
    served = request.getfixturevalue(name)
    records = tf.data.TFRecordDataset(str(served.folder / "assets.extra" / WARMUP))
    logs = [prediction_log().FromString(record.numpy()) for record in records]
    requests = [log.predict_log.request for log in logs]
    assert [request.model_spec.name for request in requests] == [name, name]
    assert [request.model_spec.signature_name for request in requests] == ["serving_default", "embed"]
    for one in requests:
        (entry,) = one.inputs
        assert entry.key == served.input_name
        value = tf.make_ndarray(tensor_pb2.TensorProto.FromString(entry.value))
        assert value.shape == (1,)
        assert len(served.call(one.model_spec.signature_name, list(value))) > 0
    checks = json.loads((served.folder / "assets.extra" / "checks.json").read_text("utf-8"))
    if name == "films":
        assert value[0].decode("utf-8") == checks["inputs"][0]["text"]
