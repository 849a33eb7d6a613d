"""When the memory is not enough: one line that says what to try, or smaller parts of the batch."""

import contextlib
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from tfpretune.config import RunConfig, RunError
from tfpretune.data.batches import StepIndexed
from tfpretune.training.checkpoints import restore, run_variables, snapshot


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
    parts = 1
    while True:
        compile_in_parts(parts)
        start = snapshot(model)
        steps = model.steps_per_execution
        try:
            model.fit(batches.from_step(0, steps), steps_per_epoch=steps, verbose=0, shuffle=False)
        except tf.errors.ResourceExhaustedError:
            if parts >= most:
                raise RunError("out of memory with one row a part: take a smaller model or shorter sequences") from None
            print(f"a batch in {parts} parts is too big for the memory", flush=True)
            parts = min(2 * parts, most)
            continue
        finally:
            restore(run_variables(model), start)
        if parts > 1:
            print(f"each batch is learnt in {parts} parts (--accumulate-steps {parts})", flush=True)
        return parts


@contextlib.contextmanager
def out_of_memory_named(run: RunConfig, batches: StepIndexed) -> Iterator[None]:
    """Turns TensorFlow's pages about an allocation into one line with the sizes to try."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        shapes = {name: spec.shape for name, spec in batches.from_step(0, 1).element_spec.items()}
        lengths = [shape[1] for shape in shapes.values() if shape.rank == 2 and shape[1]]
        length = f", sequence length {max(lengths)}" if lengths else ""
        smaller = f"try --batch-size {max(1, run.batch_size // 2)}" + (", shorter sequences" if lengths else "")
        raise RunError(
            f"out of memory: batch size {run.batch_size}{length}, {run.accumulate_steps} parts; {smaller}, or "
            "--batch-size auto, which learns each batch in parts that fit"
        ) from error
