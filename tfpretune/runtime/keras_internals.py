"""Every private attribute of Keras 3.15, KerasHub 0.32 and tf.distribute 2.21 that is read or set from outside of its class.

Hooks that a subclass overrides or calls on itself are named in `OVERRIDDEN`. A test fails by name when an upgrade removes one.
Imports neither Keras nor TensorFlow.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

OVERRIDDEN = {
    "keras.Model": ("_maybe_symbolic_build", "_jit_compile", "make_train_function", "make_test_function"),
    "keras.Layer": ("_untrack_variable",),
    "keras.optimizers.AdamW": (
        *("_apply_weight_decay", "_backend_update_step", "_distribution_strategy", "_get_variable_index"),
        *("_momentums", "_use_weight_decay", "_var_key", "_velocities"),
    ),
    "keras_hub.tokenizers.WordPieceTokenizer": ("_check_vocabulary",),
}


def all_layers(model: Any, *, include_self: bool = True, recursive: bool = True) -> list[Any]:
    """Returns a model's layers and those inside them, to any depth."""
    return list(model._flatten_layers(include_self=include_self, recursive=recursive))


def inner_layers(layer: Any) -> list[Any]:
    """Returns the layers that a layer holds itself."""
    return list(layer._layers)


def own_trainable_variables(layer: Any) -> list[Any]:
    """Returns the variables that a layer has made itself as trainable ones, whatever is frozen."""
    return list(layer._trainable_variables)


def own_statistics(layer: Any) -> list[Any]:
    """Returns the variables that a layer has made itself and that gradients do not move."""
    return list(layer._non_trainable_variables)


def seed_generators(layer: Any) -> list[Any]:
    """Returns what a layer draws random numbers from."""
    return list(layer._seed_generators)


@contextlib.contextmanager
def may_change_parts(layer: Any) -> Iterator[None]:
    """Lets a built layer get or lose variables and layers."""
    layer._tracker.unlock()
    try:
        yield
    finally:
        layer._tracker.lock()


def forget(layer: Any, part: Any) -> None:
    """Takes a layer that another one holds out of what that one tracks."""
    layer._tracker.untrack(part)


def history_of(tensor: Any) -> Any:
    """Returns which operation made a symbolic tensor, and in which of its calls."""
    return tensor._keras_history


def set_history(tensor: Any, history: Any) -> None:
    """Puts back what `history_of` returned."""
    tensor._keras_history = history


def inbound_nodes(operation: Any) -> list[Any]:
    """Returns the calls of an operation in functional graphs."""
    return list(operation._inbound_nodes)


def averages_of(optimizer: Any) -> list[Any]:
    """Returns the moving averages of an optimizer's variables."""
    return list(optimizer._model_variables_moving_average)


def set_averages(optimizer: Any, averages: Sequence[Any]) -> None:
    """Replaces them; None stands for a variable that has none."""
    optimizer._model_variables_moving_average = list(averages)


def set_update_of_averages(optimizer: Any, update: Callable[[list[Any]], None]) -> None:
    """Replaces how they are moved after a step."""
    optimizer._update_model_variables_moving_average = update


def rate_of(optimizer: Any) -> Any:
    """Returns the learning rate as it was given: a variable or a schedule."""
    return optimizer._learning_rate


def set_rate(optimizer: Any, rate: Any) -> None:
    """Replaces it by a variable or a schedule, which the public setter refuses."""
    optimizer._learning_rate = rate


class TransformerParts(NamedTuple):
    """The layers of KerasHub's `TransformerEncoder`."""

    attention: Any
    attention_norm: Any
    intermediate: Any
    output: Any
    output_norm: Any


def transformer_parts(layer: Any) -> TransformerParts:
    """Returns the parts of a built `TransformerEncoder`."""
    return TransformerParts(
        layer._self_attention_layer,
        layer._self_attention_layer_norm,
        layer._feedforward_intermediate_dense,
        layer._feedforward_output_dense,
        layer._feedforward_layer_norm,
    )


def hugging_face_converter(name: str) -> Any:
    """Returns KerasHub's module that turns a Hugging Face model of this kind into a backbone.

    It has `backbone_cls`, `convert_backbone_config(config)` and `convert_weights(backbone, loader, config)`, whose loader has
    `get_tensor` and `port_weight`.
    """
    return importlib.import_module(f"keras_hub.src.utils.transformers.convert_{name}")


def replica_number(strategy: Any, index: int) -> int:
    """Returns the number over all workers of one of this worker's replicas."""
    return int(strategy.extended._get_replica_id_in_sync_group(index))


def worker_count(strategy: Any) -> int:
    """Returns the number of processes that train together."""
    several = strategy.extended._in_multi_worker_mode()
    return int(getattr(strategy.extended, "_num_workers", 1)) if several else 1
