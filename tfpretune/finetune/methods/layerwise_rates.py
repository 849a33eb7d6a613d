"""Layer-wise rate decay: the nearer a layer is to the input, the smaller its rate."""

import math
import re
from typing import NamedTuple

import keras

from tfpretune.errors import UsageError
from tfpretune.runtime.keras_internals import all_layers

# Names of the layers of flat convolutional backbones: stack0_block1_2_conv, block2a_dwconv, stage_0_conv_1.
_BLOCK_OF_LAYER = re.compile(r"(?=.)(?:(?:stack|stage)_?\d+_?)?(?:block_?\d+[a-z]?)?")
_BLOCK_CLASS = re.compile("Block|Layer|Encoder|Decoder|Stage")


class RateRow(NamedTuple):
    """The layers of one depth.

    Attributes:
        depth: 0 for the head, 1 for the top block, and so on down to the embedding.
        layers: the block's name, or the first and the last layer.
        factor: what the rate of its weights is multiplied with.
        parameters: how many it has.
    """

    depth: int
    layers: str
    factor: float
    parameters: int


def layerwise_rates(model: keras.Model, decay: float) -> list[RateRow]:
    """Gives every depth of `model.backbone` its own rate: `decay ** depth` of the head's.

    Discriminative fine-tuning (Howard and Ruder 2018, arXiv:1801.06146, section 3.1) with one factor from layer to layer, as
    in ELECTRA (Clark et al. 2020, arXiv:2003.10555, appendix B) and BEiT (Bao et al. 2021, arXiv:2106.08254). The depths
    are those of `depths`; what comes after the top block, such as a final normalisation, learns at the head's rate.

    The factors are kept as `model.rate_factors`, pairs of a pattern on variables' paths and a factor, for `make_optimizer`.
    A pattern fits all variables of a layer, also those that LoRA adds, and is the same in every copy of a backbone whose
    layers have fixed names. They are not saved with the model: call this again after loading.

    Args:
        model: a model with a `backbone`. Call it before the model is compiled; a second call replaces the first.
        decay: in (0, 1]; 1 gives all the same rate. 0.65 to 0.95 are usual.

    Returns:
        One row for each depth, the embedding first, the head last.

    Raises:
        UsageError: `decay` is out of its range, or the backbone has no weights.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, layerwise_rates
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> [(row.layers, row.factor) for row in layerwise_rates(model, 0.5)]
        [('token_embedding', 0.25), ('block_0', 0.5), ('head', 1.0)]
    """
    if not 0.0 < decay <= 1.0:
        raise UsageError(f"`layerwise_rates(decay)` must be in (0, 1], received {decay}")
    groups = depths(model.backbone)
    if not groups:
        raise UsageError("`layerwise_rates(decay)`: the backbone has no layer with weights")
    rows, factors = [], []
    for depth, layers in zip(range(len(groups), 0, -1), groups, strict=True):
        rows.append(RateRow(depth, _title(layers), decay**depth, sum(map(_size, layers))))
        factors.append((_pattern(layers), decay**depth))
    rest = _size(model) - sum(row.parameters for row in rows)
    model.rate_factors = tuple(factors) if decay < 1.0 else ()
    return [*rows, RateRow(0, "head", 1.0, rest)]


def format_rates(rows: list[RateRow]) -> str:
    """Returns the rows as lines of text.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, format_rates, layerwise_rates
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> print(format_rates(layerwise_rates(model, 0.5)))
        layers          learning rate x   parameters
        token_embedding            0.25          800
        block_0                     0.5          600
        head                          1           34
    """
    width = max(len(row.layers) for row in rows)
    head = f"{'layers':<{width}} {'learning rate x':>15} {'parameters':>12}"
    return "\n".join([head] + [f"{row.layers:<{width}} {row.factor:>15.4g} {row.parameters:>12,}" for row in rows])


def depths(backbone: keras.Model) -> list[list[keras.layers.Layer]]:
    """Returns the backbone's layers with weights, those of one depth together, from the input to the output.

    A depth is one block: a layer made of layers, such as a Transformer's, or, in a convolutional backbone of single layers,
    those whose names start with the same block (`stack0_block1`, `block2a`), or stage where it has no blocks. All embedding
    layers, or the stem, are the lowest depth. What stands between two blocks belongs to the lower one. Where no block is to
    be seen, each layer with a matrix is a depth. What comes after the top block is left out.
    """
    parts = [part for layer in backbone.layers if layer.weights for part in _parts(layer)]
    blocks = [_block(part) for part in parts]
    if not any(blocks):
        blocks = [part.name if any(len(v.shape) > 1 for v in part.weights) else "" for part in parts]
    groups: dict[str, list[keras.layers.Layer]] = {}
    name, top = "", max((index for index, block in enumerate(blocks) if block), default=len(parts) - 1)
    for part, block in zip(parts[: top + 1], blocks, strict=False):
        name = block or name
        groups.setdefault(name, []).append(part)
    return list(groups.values())


def _parts(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the layer itself, or what is in it where it holds several numbered blocks (KerasHub's `ViTEncoder`)."""
    inner = _inner(layer)
    blocks = [x for x in inner if _inner(x) and x.name[-1].isdecimal() and _BLOCK_CLASS.search(type(x).__name__)]
    return [part for x in inner for part in _parts(x)] if len(blocks) > 1 else [layer]


def _inner(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    return [x for x in all_layers(layer, include_self=False, recursive=False) if x.weights]


def _block(layer: keras.layers.Layer) -> str:
    if _inner(layer):
        return "" if "embed" in f"{layer.name} {type(layer).__name__}".lower() else layer.path
    found = _BLOCK_OF_LAYER.match(layer.name)
    return found[0] if found else ""


def _title(layers: list[keras.layers.Layer]) -> str:
    first, last = layers[0].path, layers[-1].path
    return first if first == last else f"{first} … {last}"


def _size(layer: keras.layers.Layer) -> int:
    return sum(math.prod(weight.shape) for weight in layer.weights)


def _pattern(layers: list[keras.layers.Layer]) -> str:
    """Returns a regular expression for the paths of all variables of these layers, those to come included."""
    inside = tuple(f"{layer.path}/" for layer in layers)
    strays = {v.path for layer in layers for v in layer.weights if not v.path.startswith(inside)}  # T5's position table
    choices = [re.escape(path) for path in inside] + [f"{re.escape(path)}$" for path in sorted(strays)]
    return f"^(?:{'|'.join(choices)})"
