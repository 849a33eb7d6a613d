"""One process for all tests: two logical CPUs, fixed seeds, warnings are errors."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

_cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(autouse=True)
def _fresh_seed():
    keras.utils.set_random_seed(1)
    yield
    keras.utils.clear_session(free_memory=False)
    disable_op_determinism()  # `fit` switches it on for the process


@pytest.fixture(autouse=True, scope="module")
def _quick_collections():
    """What a module leaves in TensorFlow's own tables for ever is not looked through again at each collection."""
    yield
    gc.collect()
    gc.freeze()
