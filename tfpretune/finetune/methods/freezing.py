"""Which weights of a pre-trained backbone stay as they are."""

import math
import re
from typing import NamedTuple

import keras

from tfpretune.errors import UsageError
from tfpretune.finetune.methods.layerwise_rates import depths
from tfpretune.runtime.keras_internals import all_layers, inner_layers, own_trainable_variables


class FrozenRow(NamedTuple):
    """Parameters of one top-level layer."""

    layer: str
    trainable: int
    frozen: int


class Block(NamedTuple):
    """Layers of a backbone that belong together.

    Attributes:
        name: of the first layer, and of the last where there are several.
        layers: in the backbone's order.
    """

    name: str
    layers: list[keras.layers.Layer]


def freeze(model: keras.Model, frozen: str | int) -> list[FrozenRow]:
    """Freezes part of `model.backbone`. Call it before the optimizer is built, the model compiled, or LoRA enabled.

    `BatchNormalization` in a frozen layer, and everywhere with "bias", takes its stored statistics and leaves them as they are.
    A saved model knows which layers were frozen, and forgets which variables were: with "bias", freeze again after loading.

    Args:
        model: a model with a `backbone`.
        frozen: "none"; "all" (only the head learns); a number k: the first k layers that have weights, where the embedding
            (or the first convolution) is 1; "last:k": all but the last k `blocks`; "bias": all but the biases and what
            normalisation scales and shifts with (BitFit, Ben Zaken et al. 2021, arXiv:2106.10199); or a regular expression on
            the layers' names, such as "token_embedding|block_[01]". The head always learns.

    Returns:
        One row for each layer with weights, the head's last.

    Raises:
        UsageError: a depth beyond the backbone's, a pattern that fits no layer or is not a regular expression.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, freeze
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> freeze(model, "token_embedding|block_0")[0]
        FrozenRow(layer='backbone/token_embedding', trainable=0, frozen=800)
        >>> [variable.path.split("/")[-2] for variable in model.trainable_variables]
        ['final_norm', 'final_norm', 'logits', 'logits']
    """
    frozen = str(frozen)
    layers = [layer for layer in model.backbone.layers if layer.weights]
    if frozen.startswith("last:"):
        learning = _last(blocks(model.backbone), frozen)
    else:
        chosen = set[str]() if frozen == "bias" else _chosen([layer.name for layer in layers], frozen)
        learning = [layer for layer in layers if layer.name not in chosen]
    model.backbone.trainable = True
    for layer in layers:
        layer.trainable = False
    for layer in learning:
        layer.trainable = True
    if frozen == "bias":
        _keep_biases_only(layers)
    return frozen_table(model)


def blocks(backbone: keras.Model) -> list[Block]:
    """Returns the backbone in blocks, bottom first: its `depths`, where what comes after the top block belongs to that."""
    groups = [list(layers) for layers in depths(backbone)]
    inside = {id(weight) for layers in groups for layer in layers for weight in layer.weights}
    above = [layer for layer in backbone.layers if layer.weights and not {id(w) for w in layer.weights} & inside]
    groups[-1:] = [layers + above for layers in groups[-1:]]
    return [Block(_title(layers), layers) for layers in groups]


def frozen_table(model: keras.Model) -> list[FrozenRow]:
    """Returns the trainable and frozen parameters of each layer with weights, backbone first.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, frozen_table
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> frozen_table(model)[-1]  # 8 x 2 and 2 biases
        FrozenRow(layer='logits', trainable=18, frozen=0)
    """
    backbone = getattr(model, "backbone", None)
    own = [layer for layer in model.layers if layer is not backbone and layer.weights]
    shared = {id(weight) for layer in (backbone.layers if backbone else []) for weight in layer.weights}
    learning = {id(variable) for variable in model.trainable_variables}
    rows = [
        _row(f"backbone/{layer.name}", layer.weights, learning)
        for layer in (backbone.layers if backbone else [])
        if layer.weights
    ]
    rows += [_row(layer.name, [w for w in layer.weights if id(w) not in shared], learning) for layer in own]
    return [row for row in rows if row.trainable or row.frozen]


def format_table(rows: list[FrozenRow]) -> str:
    """Returns the rows and their sums as lines of text.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, format_table, freeze
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> print(format_table(freeze(model, "all")))
        layer                       trainable       frozen
        backbone/token_embedding            0          800
        backbone/block_0                    0          600
        backbone/final_norm                 0           16
        logits                             18            0
        total                              18        1,416
    """
    rows = [*rows, FrozenRow("total", sum(r.trainable for r in rows), sum(r.frozen for r in rows))]
    width = max(len(row.layer) for row in rows)
    head = f"{'layer':<{width}} {'trainable':>12} {'frozen':>12}"
    return "\n".join([head] + [f"{row.layer:<{width}} {row.trainable:>12,} {row.frozen:>12,}" for row in rows])


def _keep_biases_only(layers: list[keras.layers.Layer]) -> None:
    for layer in (inner for outer in layers for inner in all_layers(outer)):
        normalises = _is_normalization(layer)
        own = [v for v in own_trainable_variables(layer) if normalises or re.search(r"(^|_)bias$", v.name)]
        for variable in own_trainable_variables(layer):
            variable.trainable = False
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False  # its statistics are neither biases nor scales
        for variable in own:
            variable.trainable = True


def _is_normalization(layer: keras.layers.Layer) -> bool:
    return "Norm" in type(layer).__name__ and not inner_layers(layer)


def _chosen(names: list[str], frozen: str) -> set[str]:
    if frozen == "none":
        return set()
    if frozen == "all":
        return set(names)
    if not frozen:
        raise UsageError("`frozen` is empty: give none, all, a number of layers, last:NUMBER, bias or a pattern")
    if frozen.isdecimal():
        if int(frozen) > len(names):
            raise UsageError(
                f"`frozen` {frozen}: the backbone has {len(names)} layers with weights: {', '.join(names)}"
            )
        return set(names[: int(frozen)])
    try:
        chosen = {name for name in names if re.search(frozen, name)}
    except re.error as error:
        raise UsageError(f"`frozen` {frozen!r} is not a regular expression: {error}") from None
    if not chosen:
        raise UsageError(f"`frozen` {frozen!r} fits no layer of the backbone: {', '.join(names)}")
    return chosen


def _last(found: list[Block], frozen: str) -> list[keras.layers.Layer]:
    number = frozen.removeprefix("last:")
    if not number.isdecimal():
        raise UsageError(f"`frozen` {frozen}: after last: a number of blocks is expected, such as last:2")
    if int(number) > len(found):
        names = ", ".join(block.name for block in found)
        raise UsageError(f"`frozen` {frozen}: the backbone has {len(found)} blocks: {names}")
    return [layer for block in found[len(found) - int(number) :] for layer in block.layers]


def _title(layers: list[keras.layers.Layer]) -> str:
    first, last = layers[0].name, layers[-1].name
    return first if len(layers) == 1 else f"{first} … {last}"


def _row(name: str, weights: list[keras.Variable], learning: set[int]) -> FrozenRow:
    trainable = sum(math.prod(weight.shape) for weight in weights if id(weight) in learning)
    return FrozenRow(name, trainable, sum(math.prod(weight.shape) for weight in weights) - trainable)
