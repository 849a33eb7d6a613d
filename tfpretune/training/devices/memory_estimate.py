"""The memory that a run is likely to need."""

import math

import keras

from tfpretune.runtime.keras_internals import inbound_nodes

SLOTS = {"adamw": 2, "adam": 2, "sgd": 1, "adagrad": 1}


def memory_estimate(model: keras.Model, optimizer: str, batch_size: int) -> tuple[int, int]:
    """Returns bytes for weights, gradients and optimizer slots, and bytes for the activations that backpropagation keeps.

    The second is a rule of thumb: the outputs of all layers of the functional graphs, once forward and once backward, at the
    width of the compute type. A block counts eight times its output, which is near the truth for a Transformer block.
    """
    learning = model.trainable_variables if model.unfreezing is None else model.unfreezing.variables
    trainable = sum(math.prod(v.shape) for v in learning)
    frozen = sum(math.prod(v.shape) for v in model.variables) - trainable
    fixed = 4 * (trainable * (2 + SLOTS[optimizer]) + frozen)
    values = 0
    for layer in _leaf_layers(model):
        for output in keras.tree.flatten(layer.output):
            size = math.prod(dim or 128 for dim in output.shape[1:])
            values += size * (8 if "block" in layer.name else 1)
    return fixed, 2 * 4 * batch_size * values


def _leaf_layers(model: keras.Model) -> list[keras.layers.Layer]:
    leaves = []
    for layer in model.layers:
        leaves += _leaf_layers(layer) if isinstance(layer, keras.Model) else [layer] if inbound_nodes(layer) else []
    return leaves
