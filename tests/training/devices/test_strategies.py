"""Strategies, number formats, and dropout that differs between replicas."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import Toy
from tfpretune.errors import UsageError
from tfpretune.training.devices import strategies as devices
from tfpretune.training.devices.strategies import is_chief, make_strategy, resolve_precision, separate_dropout


def test_strategies():
    for replicas in (0, 1):
        assert make_strategy(replicas) is tf.distribute.get_strategy()
    assert make_strategy(2).num_replicas_in_sync == 2
    assert make_strategy(2) is make_strategy(2)  # two in one process would mix up their sums
    with pytest.raises(UsageError, match=r"`make_strategy\(replicas\)` must not be negative, received -1"):
        make_strategy(-1)
    tf.config.list_logical_devices()  # from now on TensorFlow has its devices
    with pytest.raises(UsageError, match=r"`make_strategy\(replicas\)` 3: TensorFlow already runs with 2 logical CPUs"):
        make_strategy(3)


def test_more_replicas_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] if kind == "GPU" else [])
    with pytest.raises(UsageError, match=r"`make_strategy\(replicas\)` 2: this machine has 1 GPUs"):
        make_strategy(2)


@pytest.mark.parametrize(
    ("config", "replicas", "message"),
    [
        ('{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}', 2, "takes all its 0 GPUs"),
        ('{"cluster": {"worker": ["localhost:1"]}}', 0, "TF_CONFIG does not say which worker this is"),
    ],
)
def test_one_of_several_workers(monkeypatch, config, replicas, message):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UsageError, match=message):
        make_strategy(replicas)


@pytest.mark.parametrize(
    ("kind", "index", "kinds", "expected"),
    [
        ("worker", 0, ["worker"], True),
        ("worker", 1, ["worker"], False),
        ("chief", 0, ["chief", "worker"], True),
        ("worker", 0, ["chief", "worker"], False),
    ],
)
def test_one_of_several_workers_writes(monkeypatch, kind, index, kinds, expected):
    cluster = SimpleNamespace(task_type=kind, task_id=index, cluster_spec=lambda: SimpleNamespace(jobs=kinds))
    monkeypatch.setattr(devices, "num_workers", lambda strategy: 2)
    assert is_chief(SimpleNamespace(cluster_resolver=cluster)) is expected


def test_one_process_writes():
    assert is_chief(make_strategy(1))
    assert is_chief(make_strategy(2))


@pytest.mark.parametrize(("has", "expected"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_precision_follows_the_processor(monkeypatch, has, expected):
    monkeypatch.setattr(devices, "_cpu_has_bfloat16", lambda: has)
    assert resolve_precision("auto") == expected
    assert resolve_precision("mixed_float16") == "mixed_float16"


def test_a_precision_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="precision must be one of auto, float32, .*, received 'bf16'"):
        resolve_precision("bf16")


@pytest.mark.parametrize(
    ("capability", "expected"), [((9, 0), "mixed_bfloat16"), ((8, 0), "mixed_bfloat16"), ((7, 5), "float32")]
)
def test_precision_follows_the_gpu(monkeypatch, capability, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    assert resolve_precision("auto") == expected


def masks(strategy, model):
    """Which of 64 units each replica drops."""
    ones = tf.ones((1, 64))
    dropped = strategy.run(tf.function(lambda: model.get_layer("dropout")(ones, training=True)))
    return [copy.numpy()[0] > 0 for copy in strategy.experimental_local_results(dropped)]


def test_replicas_drop_different_units():
    strategy = make_strategy(2)
    with strategy.scope():
        model = Toy(0.5)
    np.testing.assert_array_equal(*masks(strategy, model))  # what Keras does
    for _ in range(2):  # again after a restore: the same as before
        separate_dropout(model)
        one, other = masks(strategy, model)
        assert (one != other).mean() > 0.2


def test_one_replica_is_left_alone():
    keras.utils.set_random_seed(0)
    model = Toy(0.5)
    before = [variable.numpy() for variable in model.variables]
    separate_dropout(model)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(variable, old)
