"""Which devices a run uses, and which number format they are good at."""

import functools
import typing
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfpretune.errors import UsageError
from tfpretune.runtime.keras_internals import all_layers, replica_number, worker_count
from tfpretune.runtime.workers import Task, this_task
from tfpretune.settings.run import Precision


def make_strategy(replicas: int = 0) -> tf.distribute.Strategy:
    """Returns the strategy for `replicas` copies of the model.

    With TF_CONFIG in the environment (Kubeflow, Slurm launchers and Ray Train set it) this process is one of several workers:
    MultiWorkerMirroredStrategy, with all GPUs of this worker.

    Args:
        replicas: 0 takes all GPUs, or the CPU. With more replicas than GPUs and no GPU at all, logical CPUs are made, to try
            things out; that must happen before TensorFlow has touched a device.

    Returns:
        The strategy, one and the same for each number in a process; of one replica TensorFlow's default one.

    Raises:
        UsageError: more replicas than GPUs, logical CPUs asked for too late or by one of several workers, or a wrong TF_CONFIG.

    Examples:
        >>> from tfpretune.training import make_strategy
        >>> strategy = make_strategy(1)  # 2 for two GPUs, or for two logical CPUs where there is no GPU
        >>> strategy.num_replicas_in_sync
        1
        >>> with strategy.scope():
        ...     pass  # make and compile the model here
    """
    gpus = tf.config.list_physical_devices("GPU")
    if replicas < 0:
        raise UsageError(f"`make_strategy(replicas)` must not be negative, received {replicas}")
    if gpus and replicas > len(gpus):
        raise UsageError(f"`make_strategy(replicas)` {replicas}: this machine has {len(gpus)} GPUs")
    wanted = replicas or max(1, len(gpus))
    if this_task() is not None:
        if replicas not in (0, max(1, len(gpus))):
            raise UsageError(
                f"`make_strategy(replicas)` {replicas}: one of several workers takes all its {len(gpus)} GPUs"
            )
        return _several_workers()
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
                    f"`make_strategy(replicas)` {wanted}: TensorFlow already runs with {have} logical CPUs"
                ) from None
    kind = "GPU" if gpus else "CPU"
    return _mirrored(kind, wanted)


@functools.cache
def _several_workers() -> tf.distribute.Strategy:
    return tf.distribute.MultiWorkerMirroredStrategy()


@functools.cache
def _mirrored(kind: str, replicas: int) -> tf.distribute.Strategy:
    """Makes one strategy a process: the all-reduces of a second one would take the first one's numbers and shapes.

    TensorFlow 2.21 says then: "Shape mismatch in the collective instance 100".
    """
    return tf.distribute.MirroredStrategy([f"{kind}:{index}" for index in range(replicas)])


def separate_dropout(model: keras.Model) -> None:
    """Gives the dropout of each replica its own random numbers. Call it after building and after restoring a model.

    Keras keeps one seed for all copies, so that every replica would drop the same units: replica i, counted over all workers,
    gets the seed plus i. What is saved is replica 0's, the seed itself.
    """
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return
    for variable in model.variables:
        if "seed_generator" in variable.path:
            copies = strategy.experimental_local_results(variable.value)
            start = copies[0].numpy()
            for index, copy in enumerate(copies):
                replica = replica_number(strategy, index)
                copy.assign(start + np.array([replica, 0], start.dtype))


def synchronize_normalization(model: keras.Model) -> None:
    """Lets BatchNormalization take its means over all replicas: Keras' own way is each replica's, and saves the first one's."""
    if model.distribute_strategy.num_replicas_in_sync > 1:
        for layer in all_layers(model, include_self=False):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True


class CrossWorkerSync:
    """What all workers do together: a signal reaches one of them, and one clock says that it is time to save.

    On one worker it returns what it is given; on several it costs one sum of two numbers over the workers.

    Args:
        strategy: the run's strategy.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._sum = None
        if num_workers(strategy) > 1:

            def sum_of(values: tf.Tensor) -> tf.Tensor:
                values = tf.identity(values)  # puts them on the replica's device, which the sum asks for
                return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

            run = tf.function(lambda values: strategy.run(sum_of, args=(values,)), autograph=False)
            local = strategy.experimental_local_results
            self._replicas = strategy.num_replicas_in_sync // num_workers(strategy)
            self._sum = lambda values: local(run(tf.constant(values, tf.float64)))[0].numpy() / self._replicas
            self._chief = is_chief(strategy)

    def __call__(self, code: int, late: bool) -> tuple[int, bool]:
        """Returns the exit code that a worker wants to stop with, and the chief's `late`."""
        if self._sum is None:
            return code, late
        interrupts, terms, lates = self._sum([code == 130, code == 143, late and self._chief])
        return 143 if terms else 130 if interrupts else 0, bool(lates)

    def step(self, own: int | None) -> int | None:
        """Returns the chief's step."""
        if self._sum is None:
            return own
        (total,) = self._sum([0 if own is None or not self._chief else own + 1])
        return int(total) - 1 if total else None


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of processes that train together."""
    return worker_count(strategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the checkpoints, logs and presets: the chief, or worker 0 where there is none.

    Examples:
        >>> from tfpretune.training import is_chief, make_strategy
        >>> is_chief(make_strategy(1))  # one process alone writes its files itself
        True
    """
    resolver = strategy.cluster_resolver
    if num_workers(strategy) == 1 or resolver is None:
        return True
    return Task(resolver.task_type, resolver.task_id, "chief" in resolver.cluster_spec().jobs).writes


def resolve_precision(precision: str) -> str:
    """Turns "auto" into "mixed_bfloat16" where the processor multiplies bfloat16 itself, and into "float32" elsewhere.

    Args:
        precision: "auto", "float32", "mixed_bfloat16" or "mixed_float16".

    Returns:
        The name of a Keras dtype policy, for a backbone's `dtype`.

    Raises:
        ValueError: it is none of these.

    Examples:
        >>> from tfpretune.training import resolve_precision
        >>> resolve_precision("auto") in ("float32", "mixed_bfloat16")  # depends on the machine
        True
        >>> resolve_precision("mixed_float16")
        'mixed_float16'
    """
    if precision not in typing.get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(typing.get_args(Precision))}, received {precision!r}")
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
