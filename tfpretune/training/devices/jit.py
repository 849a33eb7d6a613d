"""Whether XLA pays for a model on this machine: a few steps each way."""

import time

import keras
import tensorflow as tf

from tfpretune.data.batches.step_indexed import Batch, StepIndexed
from tfpretune.training.run_variables import run_variables

PROBE_STEPS = 6
WORTH_STEPS = 3000


def choose_jit(model: keras.Model, batches: StepIndexed, choice: str, total_steps: int) -> bool:
    """Says whether to compile the whole step of a compiled model with XLA.

    "auto" tries only when the run is long enough to win back the time of compiling, and on one replica. On several XLA does not
    support the sum over replicas, so that "on" compiles what comes before it. The model's variables are put back as they were.

    Args:
        model: compiled without XLA.
        batches: the training batches.
        choice: "on", "off" or "auto".
        total_steps: length of the run.
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    if choice != "auto":
        return choice == "on"
    if total_steps < WORTH_STEPS or replicas > 1:
        return False
    model.build_optimizer()
    start = {name: variable.numpy() for name, variable in run_variables(model).items()}
    batch = next(iter(batches.from_step(0, 1)))
    try:
        without, with_jit = (_seconds_a_step(model, batch, jit=jit) for jit in (False, True))
    except (tf.errors.OpError, ValueError) as error:
        print(f"XLA cannot compile this model: {str(error).splitlines()[0]}", flush=True)
        return False
    finally:
        for name, variable in run_variables(model).items():
            variable.assign(start[name])
        model.reset_metrics()
    print(f"XLA probe: {without * 1e3:.1f} ms a step without, {with_jit * 1e3:.1f} ms with", flush=True)
    return with_jit < 0.95 * without


def _seconds_a_step(model: keras.Model, batch: Batch, *, jit: bool) -> float:
    step = tf.function(model.train_step, jit_compile=jit)
    step(batch)
    times = []
    for _ in range(PROBE_STEPS):
        begin = time.perf_counter()
        float(step(batch)["loss"])
        times.append(time.perf_counter() - begin)
    return min(times)
