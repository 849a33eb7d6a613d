"""Teacher and students beside each other: how good, how large, how fast."""

import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.metrics.classification import accuracy
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.objectives import Supervised
from tfpretune.tasks.finetuning.kinds import MakeBatches
from tfpretune.training.presets import in_float32

PREDICT_BATCH_SIZE = 128


def comparison(models: Mapping[str, tuple[Supervised, MakeBatches]], test: Examples) -> Table:
    """Returns one row for each classifier, in float32 as it is saved: its accuracy, its size and its time.

    Args:
        models: name -> a classifier and `(examples, batch_size) -> StepIndexed`, how it reads them.
        test: examples with labels that none of them was trained on.
    """
    rows: list[list[Cell]] = []
    for name, (trained, make_batches) in models.items():
        model = in_float32(trained)
        found = predict_outputs(model, make_batches(test, PREDICT_BATCH_SIZE).in_order())
        seconds = milliseconds(model, make_batches(test, 1).in_order())
        rows.append([name, accuracy(found, test), model.count_params(), seconds])
    return Table(
        "Teacher and student",
        ("", "test accuracy", "parameters", f"ms {test.of_kind.one}"),
        rows,
        note=f"{len(test)} test {test.kind}s; the time is the median for one at a time, float32, on this machine's CPU.",
    )


def milliseconds(model: Supervised, batches: tf.data.Dataset, *, times: int = 30) -> float:
    """Measures how long a model takes for one example on the CPU, one at a time.

    Args:
        model: a classifier.
        batches: batches of one example; the first `times` of them are answered, once to warm up and once for the figure.
        times: examples.

    Returns:
        The median, milliseconds.
    """
    call = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    found: list[float] = []
    with tf.device("CPU:0"):
        rows = [model.pick_inputs(batch) for batch in batches.take(times)]
        for measured in (False, True):
            for row in rows:
                start = time.perf_counter()
                call(row).numpy()
                found += [1000.0 * (time.perf_counter() - start)] if measured else []
    return float(np.median(found))
