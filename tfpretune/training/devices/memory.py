"""When the memory is not enough: one line that says what to try, or smaller parts of the batch.

A GPU says when an allocation fails. A CPU does not: Linux kills the process, or TensorFlow breaks down without a word. So
there the rows of a step are tried few first and then twice as many, as long as the next try is sure to fit.
"""

import contextlib
import functools
import gc
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import RunError
from tfpretune.runtime.disk_space import full_disk
from tfpretune.settings.run import RunConfig
from tfpretune.training.devices.free_memory import free_memory, peak_memory
from tfpretune.training.devices.memory_estimate import memory_estimate
from tfpretune.training.devices.strategies import num_workers
from tfpretune.training.run_variables import restore, run_variables, snapshot

EXHAUSTED = (tf.errors.ResourceExhaustedError, MemoryError)
SAFETY = 1.5  # of the memory that a try is expected to need


def fewest_parts(
    model: keras.Model, batches: StepIndexed, compile_in_parts: Callable[[int], None], *, most: int
) -> int:
    """Returns the smallest number of parts (1, 2, 4, …) of a batch with which a step fits in the memory.

    The model is compiled with it, and its variables are as they were.

    Args:
        model: built; `compile_in_parts` compiles it.
        batches: the training batches.
        compile_in_parts: compiles the model for so many parts, and builds its optimizer.
        most: rows of a replica: no more parts than that.

    Raises:
        RunError: not even one row a part fits.
    """
    compile_in_parts(1)
    fitting = rows_that_fit(model, batches)
    parts = 1
    while parts * fitting < batches.batch_size or not _fits(model, batches, compile_in_parts, parts):
        if parts >= most:
            raise RunError("out of memory with one row per micro-batch: take a smaller model or shorter sequences")
        print(f"a batch in {parts} micro-batches is too big for the memory", flush=True)
        parts = min(2 * parts, most)
        gc.collect()  # what the try before has left; a traceback and a compiled model are cycles
    if parts > 1:
        print(f"each batch is trained in {parts} micro-batches (--accumulate-steps {parts})", flush=True)
    return parts


def _fits(model: keras.Model, batches: StepIndexed, compile_in_parts: Callable[[int], None], parts: int) -> bool:
    compile_in_parts(parts)
    steps = model.steps_per_execution
    try:
        with _variables_put_back(model):
            model.fit(batches.from_step(0, steps), steps_per_epoch=steps, verbose=0, shuffle=False)
    except EXHAUSTED:
        return False
    return True


def rows_that_fit(model: keras.Model, batches: StepIndexed) -> int:
    """Returns how many rows of a batch one step can surely learn at once, of a compiled model.

    On a GPU, and where several workers would have to try the same, it says all of them without a try.
    """
    rows, replicas = batches.batch_size, model.distribute_strategy.num_replicas_in_sync
    if tf.config.list_physical_devices("GPU") or num_workers(model.distribute_strategy) > 1:
        return rows
    tried = max(replicas, rows // 64)
    with _variables_put_back(model):
        _learn(model, batches, tried)  # traces the step, which takes memory of its own
        while tried < rows:
            needed = peak_memory(functools.partial(_learn, model, batches, tried))
            if 2 * SAFETY * needed > free_memory():
                return tried
            tried = min(2 * tried, rows)
    return rows


def refuse_too_big(model: keras.Model, batches: StepIndexed, run: RunConfig) -> None:
    """Raises RunError if a batch of a compiled model is too big for the memory; tries it only where that is in doubt."""
    fixed, working = memory_estimate(model, run.optimizer.name, run.batch_size // model.accumulate_steps)
    if 4 * (fixed + working) < free_memory():
        return
    fitting = rows_that_fit(model, batches) * model.accumulate_steps
    if fitting < run.batch_size:
        raise _out_of_memory(run, batches, fitting)


def _learn(model: keras.Model, batches: StepIndexed, rows: int) -> None:
    part = batches.from_step(0, 1).map(lambda batch: {name: column[:rows] for name, column in batch.items()})
    model.fit(part, steps_per_epoch=1, verbose=0, shuffle=False)


@contextlib.contextmanager
def _variables_put_back(model: keras.Model) -> Iterator[None]:
    start = snapshot(model)
    try:
        yield
    finally:
        restore(run_variables(model), start)


@contextlib.contextmanager
def out_of_memory_named(run: RunConfig, batches: StepIndexed) -> Iterator[None]:
    """Turns TensorFlow's pages about an allocation into one line with the sizes to try."""
    try:
        yield
    except EXHAUSTED as error:
        if full_disk(error):  # TensorFlow has one name for both
            raise
        raise _out_of_memory(run, batches, run.batch_size // 2) from error


def _out_of_memory(run: RunConfig, batches: StepIndexed, smaller: int) -> RunError:
    shapes = [spec.shape for spec in batches.from_step(0, 1).element_spec.values() if spec.dtype.is_integer]
    lengths = [shape[1] for shape in shapes if shape.rank == 2 and shape[1]]
    length = f", sequence length {max(lengths)}" if lengths else ""
    parts = f", in {run.accumulate_steps} parts" if run.accumulate_steps > 1 else ""
    return RunError(
        f"out of memory: batch size {run.batch_size}{length}{parts}; try `batch_size` {max(1, smaller)}"
        f"{', shorter sequences' if lengths else ''}, or `batch_size` auto, which trains each batch in micro-batches that fit"
    )
