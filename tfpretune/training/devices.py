"""Which devices a run uses, and which number format they are good at."""

import functools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfpretune.config import UsageError


def make_strategy(replicas: int = 0) -> tf.distribute.Strategy:
    """Returns the strategy for `replicas` copies of the model.

    0 takes all GPUs, or the CPU. With more replicas than GPUs and no GPU at all, logical CPUs are made, to try things out;
    that must happen before TensorFlow has touched a device.

    Raises:
        UsageError: more replicas than GPUs, or logical CPUs asked for too late.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if replicas < 0:
        raise UsageError(f"--devices.replicas must not be negative, received {replicas}")
    if gpus and replicas > len(gpus):
        raise UsageError(f"--devices.replicas {replicas}: this machine has {len(gpus)} GPUs")
    wanted = replicas or max(1, len(gpus))
    if wanted == 1:
        return tf.distribute.get_strategy()
    if not gpus:
        cpu = tf.config.list_physical_devices("CPU")[0]
        try:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * wanted)
        except RuntimeError:
            have = len(tf.config.list_logical_devices("CPU"))
            if have < wanted:
                raise UsageError(
                    f"--devices.replicas {wanted}: TensorFlow already runs with {have} logical CPUs"
                ) from None
    kind = "GPU" if gpus else "CPU"
    return _mirrored(kind, wanted)


@functools.cache
def _mirrored(kind: str, replicas: int) -> tf.distribute.Strategy:
    """Makes one strategy a process: the all-reduces of a second one would take the first one's numbers and shapes.

    TensorFlow 2.21 says then: "Shape mismatch in the collective instance 100".
    """
    return tf.distribute.MirroredStrategy([f"{kind}:{index}" for index in range(replicas)])


def separate_dropout(model: keras.Model) -> None:
    """Gives the dropout of each replica its own random numbers. Call it after building and after restoring a model.

    Keras keeps one seed for all copies, so that every replica would drop the same units: replica i gets the seed plus i.
    """
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return
    for variable in model.variables:
        if "seed_generator" in variable.path:
            copies = strategy.experimental_local_results(variable.value)
            start = copies[0].numpy()
            for replica, copy in enumerate(copies):
                copy.assign(start + np.array([replica, 0], start.dtype))


def resolve_precision(precision: str) -> str:
    """Turns "auto" into "mixed_bfloat16" where the processor multiplies bfloat16 itself, and into "float32" elsewhere."""
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "float32"
    return "mixed_bfloat16" if _cpu_has_bfloat16() else "float32"


def _cpu_has_bfloat16() -> bool:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return False
    flags = info.read_text().partition("flags")[2].partition("\n")[0].split()
    return "avx512_bf16" in flags or "amx_bf16" in flags
