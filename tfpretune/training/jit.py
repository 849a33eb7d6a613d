"""Whether XLA pays for a model on this machine: a few steps each way."""

import time

import keras
import tensorflow as tf

from tfpretune.data.batches import StepIndexed
from tfpretune.training.checkpoints import run_variables

PROBE_STEPS = 6
WORTH_STEPS = 3000


def choose_jit(model: keras.Model, batches: StepIndexed, choice: str, total_steps: int) -> bool:
    """Says whether to compile the whole step of a compiled model with XLA.

    "auto" tries only when the run is long enough to win back the time of compiling, and never on several replicas, where XLA
    around the all-reduce is not supported. The model's variables are put back as they were.

    Args:
        model: compiled without XLA.
        batches: the training batches.
        choice: "on", "off" or "auto".
        total_steps: length of the run.
    """
    if choice != "auto":
        return choice == "on"
    if total_steps < WORTH_STEPS or model.distribute_strategy.num_replicas_in_sync > 1:
        return False
    model.optimizer.build(model.trainable_variables)
    start = {name: variable.numpy() for name, variable in run_variables(model).items()}
    batch = next(iter(batches.from_step(0, 1)))
    seconds = {}
    for jit in (False, True):
        step = tf.function(model.train_step, jit_compile=jit)
        try:
            step(batch)
        except (tf.errors.OpError, ValueError):
            return False
        times = []
        for _ in range(PROBE_STEPS):
            begin = time.perf_counter()
            float(step(batch)["loss"])
            times.append(time.perf_counter() - begin)
        seconds[jit] = min(times)
    for name, variable in run_variables(model).items():
        variable.assign(start[name])
    model.reset_metrics()
    print(f"XLA probe: {seconds[False] * 1e3:.1f} ms a step without, {seconds[True] * 1e3:.1f} ms with", flush=True)
    return seconds[True] < 0.95 * seconds[False]
