"""What tf.distribute leaves to the model: sums over replicas, and the function that `fit` calls for some steps."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

Logs = Mapping[str, tf.Tensor]


def sum_over_replicas(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the sums over all replicas of all workers; on one replica the tensors as they are. For replica context."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1 or not tensors:
        return tensors
    return list(context.all_reduce(tf.distribute.ReduceOp.SUM, tensors))


def gather_from_replicas(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rows of all replicas and the place of this replica's first one among them. For replica context.

    Gradients flow back to the replica that a row came from. It cannot be compiled with XLA.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows, tf.constant(0)
    sizes = context.all_gather(tf.shape(rows)[:1], axis=0)
    before = tf.range(tf.size(sizes)) < context.replica_id_in_sync_group
    return context.all_gather(rows, axis=0), tf.reduce_sum(tf.where(before, sizes, 0))


def training_function(model: keras.Model) -> Callable[[Iterator], Logs]:
    """Returns `iterator -> logs of the last step`, which makes `model.steps_per_execution` training steps.

    Keras 3.15 raises here with several steps on several replicas, with XLA on several, and on several workers. All replicas
    return the same logs, so the first one's are taken.
    """
    one_step = _one_step(model, model.train_step)

    def next_step(iterator: Any) -> Logs:
        data = iterator.get_next()
        # Without this, a step whose batch cannot be read still counts on, draws new seeds and decays weights.
        whole = tf.nest.flatten(data) if isinstance(iterator, tf.data.Iterator) else []
        with tf.control_dependencies(whole):
            return one_step(data)

    def several_steps(iterator: Any) -> Logs:
        steps = model.steps_per_execution
        if steps > 1:  # a loop, and the last step apart from it for its logs: two copies of the step in the graph

            def body(step: tf.Tensor) -> tf.Tensor:
                next_step(iterator)
                return step + 1

            tf.while_loop(lambda step: step < steps - 1, body, [tf.constant(0)], parallel_iterations=1)
        return next_step(iterator)

    compiled = one_step if model.run_eagerly else tf.function(one_step, reduce_retracing=True)
    compiled_steps = tf.function(several_steps, reduce_retracing=True)

    def function(iterator: Any) -> Logs:
        if not model.run_eagerly and isinstance(iterator, tf.data.Iterator | tf.distribute.DistributedIterator):
            return compiled_steps(iterator)
        logs: Logs = {}
        for _, data in zip(range(model.steps_per_execution), iterator, strict=False):
            logs = compiled(data)
        return logs

    return function


def test_function(model: keras.Model) -> Callable[[Iterator], Logs]:
    """Returns `iterator -> logs of the last step`, which makes up to `model.steps_per_execution` test steps."""
    one_step = _one_step(model, model.test_step)
    compiled = one_step if model.run_eagerly else tf.function(one_step, reduce_retracing=True)
    # Traced for the batches that the iterator says it has, of any size: not again for a smaller last one.
    compiled_next = tf.function(lambda iterator: one_step(iterator.get_next()), reduce_retracing=True)

    def function(iterator: Any) -> Logs:
        logs: Logs | None = None
        for _ in range(model.steps_per_execution):
            try:
                if not model.run_eagerly and isinstance(iterator, tf.data.Iterator):
                    logs = compiled_next(iterator)
                else:
                    logs = compiled(next(iterator))
            except (StopIteration, tf.errors.OutOfRangeError):
                break
        if logs is None:
            raise StopIteration
        return logs

    return function


def _one_step(model: keras.Model, step: Callable[[Any], Logs]) -> Callable[[Any], Logs]:
    strategy = model.distribute_strategy
    whole = model.jit_compile and strategy.num_replicas_in_sync == 1
    call = tf.function(step, jit_compile=True, reduce_retracing=True) if whole else step

    def run(data: Any) -> Logs:
        logs = strategy.run(call, args=(data,))
        return {name: strategy.experimental_local_results(value)[0] for name, value in logs.items()}

    return tf.autograph.experimental.do_not_convert(run)
