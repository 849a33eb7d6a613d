"""Steps that loss scaling skips: they must leave no trace but a smaller scale."""

from typing import Any

import keras
import tensorflow as tf

from tfpretune.runtime.keras_internals import all_layers, own_statistics

Kept = list[tuple[keras.Variable, tf.Tensor]]


def may_be_skipped(model: Any) -> bool:
    """Says whether the model's optimizer leaves out steps whose gradient is not a finite number."""
    return isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


def statistics(model: Any) -> Kept:
    """Returns the variables that a step changes outside the optimizer, such as moving means, each with its value now.

    Weights are not among them, frozen or not, nor are seeds: the next step has its own dropout.
    """
    layers = all_layers(model)
    found = {id(v): v for layer in layers for v in own_statistics(layer) if v.dtype.startswith("float")}
    return [(variable, tf.identity(tf.convert_to_tensor(variable))) for variable in found.values()]


def put_back_unless(made: tf.Tensor, kept: Kept) -> None:
    """Gives variables the values that were kept, unless the step was made (a scalar, bool)."""
    for variable, value in kept:
        variable.assign(tf.where(made, tf.convert_to_tensor(variable), value))
