"""Which weights of a pre-trained backbone stay as they are."""

import math
import re
from typing import NamedTuple

import keras

from tfpretune.config import UsageError


class FrozenRow(NamedTuple):
    """Parameters of one top-level layer."""

    layer: str
    trainable: int
    frozen: int


def freeze(model: keras.Model, frozen: str) -> list[FrozenRow]:
    """Freezes part of `model.backbone`. Call it before the optimizer is built and the model compiled.

    Args:
        model: a model with a `backbone`.
        frozen: "none"; "all" (only the head learns); a number k: the first k layers that have weights, where the embedding
            (or the first convolution) is 1; or a regular expression on the layers' names, such as "token_embedding|block_[01]".

    Returns:
        One row for each layer with weights, the head's last.

    Raises:
        UsageError: a depth beyond the backbone's, a pattern that fits no layer or is no regular expression.
    """
    layers = [layer for layer in model.backbone.layers if layer.weights]
    chosen = _chosen(layers, frozen)
    model.backbone.trainable = True
    for layer in layers:
        layer.trainable = layer.name not in chosen
    return frozen_table(model)


def frozen_table(model: keras.Model) -> list[FrozenRow]:
    """Returns the trainable and frozen parameters of each layer with weights, backbone first."""
    backbone = getattr(model, "backbone", None)
    own = [layer for layer in model.layers if layer is not backbone and layer.weights]
    shared = {id(weight) for layer in (backbone.layers if backbone else []) for weight in layer.weights}
    rows = [
        _row(layer, f"backbone/{layer.name}", set()) for layer in (backbone.layers if backbone else []) if layer.weights
    ]
    rows += [_row(layer, layer.name, shared) for layer in own]
    return [row for row in rows if row.trainable or row.frozen]


def format_table(rows: list[FrozenRow]) -> str:
    """Returns the rows and their sums as lines of text."""
    rows = [*rows, FrozenRow("total", sum(r.trainable for r in rows), sum(r.frozen for r in rows))]
    width = max(len(row.layer) for row in rows)
    head = f"{'layer':<{width}} {'trainable':>12} {'frozen':>12}"
    return "\n".join([head] + [f"{row.layer:<{width}} {row.trainable:>12,} {row.frozen:>12,}" for row in rows])


def _chosen(layers: list[keras.layers.Layer], frozen: str) -> set[str]:
    names = [layer.name for layer in layers]
    if frozen == "none":
        return set()
    if frozen == "all":
        return set(names)
    if not frozen:
        raise UsageError("--frozen is empty: give none, all, a number of layers or a pattern")
    if frozen.isdecimal():
        if int(frozen) > len(names):
            raise UsageError(
                f"--frozen {frozen}: the backbone has {len(names)} layers with weights: {', '.join(names)}"
            )
        return set(names[: int(frozen)])
    try:
        chosen = {name for name in names if re.search(frozen, name)}
    except re.error as error:
        raise UsageError(f"--frozen {frozen!r} is no regular expression: {error}") from None
    if not chosen:
        raise UsageError(f"--frozen {frozen!r} fits no layer of the backbone: {', '.join(names)}")
    return chosen


def _row(layer: keras.layers.Layer, name: str, shared: set[int]) -> FrozenRow:
    def size(weights: list[keras.Variable]) -> int:
        return sum(math.prod(weight.shape) for weight in weights if id(weight) not in shared)

    return FrozenRow(name, size(layer.trainable_weights), size(layer.non_trainable_weights))
