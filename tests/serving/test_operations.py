"""A graph that does more than compute is refused before it is loaded."""

import pytest
import tensorflow as tf

from tfpretune.errors import RunError
from tfpretune.serving.operations import check_operations


class Module(tf.Module):
    """A variable, a signature, and whatever else a test puts into it."""

    def __init__(self, extra):
        super().__init__()
        self.factor = tf.Variable(2.0)
        self.extra = extra

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32)])
    def serve(self, x):
        y = tf.cond(tf.reduce_any(x > 3.0), lambda: self.extra(x), lambda: x)
        return {"y": self.factor * y}


def save(folder, extra):
    module = Module(extra)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return folder


def write(x):
    tf.io.write_file("/tmp/never", "x")
    return x


def read(x):
    return x + tf.strings.to_number(tf.io.read_file("/tmp/never"))


def call_python(x):
    return tf.ensure_shape(tf.py_function(lambda value: value, [x], tf.float32), (None,))


def restore(x):
    return x + tf.raw_ops.RestoreV2(prefix="x", tensor_names=["y"], shape_and_slices=[""], dtypes=[tf.float32])[0]


def tell(x):
    tf.print(x)
    return x


@pytest.mark.parametrize(
    ("extra", "operation"),
    [(write, "WriteFile"), (read, "ReadFile"), (call_python, "EagerPyFunc"), (restore, "RestoreV2"), (tell, "PrintV2")],
)
def test_what_is_not_computation_is_refused_by_name(tmp_path, extra, operation):
    with pytest.raises(RunError, match=rf"operation {operation} \(.* in .*\) is not one that an export may hold"):
        check_operations(save(tmp_path, extra))


def test_computation_passes(tmp_path):
    check_operations(save(tmp_path, tf.nn.softmax))


def test_a_file_that_is_no_saved_model_is_named(tmp_path):
    with pytest.raises(RunError, match=r"saved_model\.pb cannot be read"):
        check_operations(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(RunError, match=r"saved_model\.pb cannot be read"):
        check_operations(tmp_path)
