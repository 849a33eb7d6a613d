"""LoRA: the backbone stays as it is, and beside chosen kernels two small matrices learn (`backbones/layers/lora.py`)."""

import dataclasses
import math
import re
from typing import Any, NamedTuple

import keras
import numpy as np

from tfpretune.backbones.layers.lora import (
    LowRank,
    add_low_rank,
    has_low_rank,
    merged,
    remove_low_rank,
    takes_low_rank,
)
from tfpretune.errors import UsageError
from tfpretune.runtime.keras_internals import all_layers, inner_layers

ATTENTION = r"(^|/)(query|value|[qv])(_proj|_dense|_dense_layer)?$"


class LoraRow(NamedTuple):
    """A changed layer: its path in the backbone, the parameters of its kernel, and those of A and B."""

    layer: str
    kernel: int
    lora: int


@dataclasses.dataclass(frozen=True)
class LoraSettings:
    """What `enable_lora` was told: all that is needed to do it again; `layers` are whole paths."""

    rank: int
    alpha: float
    dropout: float
    layers: tuple[str, ...]


class _Place(NamedTuple):
    """A layer, or one of the parts that it computes side by side."""

    layer: keras.layers.Layer
    part: int
    num_parts: int
    frozen: bool


def enable_lora(
    model: keras.Model, rank: int, *, alpha: float = 0.0, dropout: float = 0.0, layers: str = ""
) -> list[LoraRow]:
    """Adds LoRA to `model.backbone`; from then on only LoRA's matrices and the head learn. Call it before compiling.

    Layers that `freeze` has frozen get none. After `freeze(model, "bias")` biases and normalisation learn, too. B starts
    at zero, so that the answers are the same at first.

    Args:
        model: a model with a `backbone`.
        rank: columns of A and rows of B, at least 1.
        alpha: the product is multiplied by alpha / rank (section 4.1 of the paper); 0: rank.
        dropout: rate on the input of A, in [0, 1). The ids of an embedding are not dropped.
        layers: a regular expression on paths such as `block_0/query_key_value/query` or `block_0/intermediate`. Empty: the
            projections to queries and values; where there are none, all `Dense`, `EinsumDense`, `Conv1D` and `Conv2D`.
            Embeddings only by name.

    Returns:
        One row for each changed layer.

    Raises:
        UsageError: no layer can take it, all that could are frozen, no path fits, or the model has LoRA already.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, enable_lora
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> enable_lora(model, rank=2)  # for queries and values each A (8, 2) and B (2, 8)
        [LoraRow(layer='block_0/query_key_value', kernel=192, lora=64)]
        >>> sum(variable.shape.num_elements() for variable in model.trainable_variables)  # and the head's 18
        82
    """
    if rank < 1 or alpha < 0 or not 0 <= dropout < 1:
        raise UsageError(
            f"LoRA needs a rank above 0, an alpha of at least 0 and a dropout in [0, 1), received {rank}, {alpha}, {dropout}"
        )
    if lora_settings(model) is not None:
        raise UsageError("the model has LoRA already: merge_lora or remove_lora first")
    chosen = _choose(model.backbone, layers)
    parts: dict[int, list[_Place]] = {}
    for place in chosen.values():
        parts.setdefault(id(place.layer), []).append(place)
    only_some_learn = any(
        not kernel_of.trainable for kernel_of in (place.layer.weights[0] for place in chosen.values())
    )
    if not only_some_learn:
        _let_learn(model.backbone, False)
    for places in parts.values():
        indices = tuple(place.part for place in places)
        low_rank = LowRank(rank, alpha or float(rank), dropout, parts=indices, num_parts=places[0].num_parts)
        _add(places[0].layer, low_rank)
    _forget_compiled(model)
    return lora_table(model)


def _add(layer: keras.layers.Layer, low_rank: LowRank) -> None:
    learning = [weight.trainable for weight in layer.weights]
    add_low_rank(layer, low_rank)
    layer.trainable = True
    for weight, learns in zip(layer.weights, [*learning, True, True], strict=True):
        weight.trainable = learns


def lora_paths(backbone: keras.Model) -> list[str]:
    """Returns the paths of all layers that can have LoRA, or have it, frozen or not."""
    return list(_places(backbone))


def lora_settings(model: keras.Model) -> LoraSettings | None:
    """Returns what `enable_lora` was told; None where the model has no LoRA."""
    changed = {
        path: place.layer.low_rank
        for path, place in _places(model.backbone).items()
        if has_low_rank(place.layer) and place.part in place.layer.low_rank.parts
    }
    if not changed:
        return None
    first = next(iter(changed.values()))
    return LoraSettings(first.rank, first.alpha, first.dropout, tuple(changed))


def lora_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns LoRA's matrices by path in the backbone, such as `block_0/query_key_value/lora_a`."""
    return {
        f"{path}/{variable.name}": variable
        for path, layer in _walk(model.backbone)
        if has_low_rank(layer)
        for variable in (layer.lora_a, layer.lora_b)
    }


def lora_table(model: keras.Model) -> list[LoraRow]:
    """Returns one row for each layer with LoRA."""
    return [
        LoraRow(path, math.prod(layer.base.shape), math.prod(layer.lora_a.shape) + math.prod(layer.lora_b.shape))
        for path, layer in _walk(model.backbone)
        if has_low_rank(layer)
    ]


def format_lora(model: keras.Model) -> str:
    """Returns the table as lines of text, with all parameters that learn and their fraction of all.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, enable_lora, format_lora
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> rows = enable_lora(model, rank=2)
        >>> print(format_lora(model))
        layer                         kernel         LoRA    share
        block_0/query_key_value          192           64   33.33%
        64 of LoRA and 18 more learn: 5.47% of 1,498 parameters
    """
    rows = lora_table(model)
    width = max(len(name) for name in ("layer", *(row.layer for row in rows)))
    lines = [f"{'layer':<{width}} {'kernel':>12} {'LoRA':>12} {'share':>8}"]
    lines += [f"{row.layer:<{width}} {row.kernel:>12,} {row.lora:>12,} {row.lora / row.kernel:>8.2%}" for row in rows]
    learning = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    total = sum(math.prod(variable.shape) for variable in model.weights)
    lora = sum(row.lora for row in rows)
    lines.append(f"{lora:,} of LoRA and {learning - lora:,} more learn: {learning / total:.2%} of {total:,} parameters")
    return "\n".join(lines)


def merge_lora(model: keras.Model) -> None:
    """Adds alpha / rank * A * B to each kernel and takes A and B away; all of the backbone can learn again.

    The model has to be compiled again. `training.presets.in_float32` makes a merged copy and leaves the model as it is.

    Examples:
        >>> import numpy as np, tensorflow as tf
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, enable_lora, merge_lora
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> rows = enable_lora(model, rank=2)
        >>> batch = {"token_ids": tf.constant([[2, 7, 9, 3]]), "padding_mask": tf.ones((1, 4), tf.int32)}
        >>> before = model(batch)
        >>> merge_lora(model)
        >>> bool(np.allclose(model(batch), before, atol=1e-6)), [v.path for v in model.weights if "lora" in v.path]
        (True, [])
    """
    for layer in _changed(model):
        kernel, value = layer.base, merged(layer)
        remove_low_rank(layer)
        kernel.assign(value)
    _let_learn(model.backbone, True)
    _forget_compiled(model)


def remove_lora(model: keras.Model) -> None:
    """Takes A and B away: the backbone is as it was before `enable_lora`, and all of it can learn again.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, enable_lora, remove_lora
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> size = model.count_params()
        >>> rows = enable_lora(model, rank=2)
        >>> remove_lora(model)
        >>> model.count_params() == size, len(model.trainable_variables) == len(model.weights)
        (True, True)
    """
    for layer in _changed(model):
        remove_low_rank(layer)
    _let_learn(model.backbone, True)
    _forget_compiled(model)


def merged_weights(model: keras.Model) -> list[np.ndarray]:
    """Returns the values that the same model without LoRA takes by `set_weights` to answer alike."""
    changed = _changed(model)
    values = {id(layer.base): merged(layer) for layer in changed}
    own = {id(variable) for layer in changed for variable in (layer.lora_a, layer.lora_b)}
    return [values.get(id(weight), weight.numpy()) for weight in model.weights if id(weight) not in own]


def _changed(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in all_layers(model) if has_low_rank(layer)]


def _let_learn(backbone: keras.Model, learns: bool) -> None:
    for layer in all_layers(backbone, include_self=False):
        layer.trainable = not learns  # Keras does nothing where the value is the same, whatever its variables say
        layer.trainable = learns


def _forget_compiled(model: keras.Model) -> None:
    """Compiled functions hold the old variables, and the optimizer has slots for others."""
    for one in (model, model.backbone):
        one.train_function = one.test_function = one.predict_function = None
        one.compiled = False


def _choose(backbone: keras.Model, pattern: str) -> dict[str, _Place]:
    places = _places(backbone)
    if not places:
        kinds = sorted(
            {type(layer).__name__ for _, layer in _walk(backbone) if layer.weights and not inner_layers(layer)}
        )
        raise UsageError(
            f"LoRA changes Dense, EinsumDense, Conv and Embedding layers, and {type(backbone).__name__} has none: its weights "
            f"are in {', '.join(kinds)}; `frozen` and `enable_lora(rank)` 0 train part of it"
        )
    free = {path: place for path, place in places.items() if not place.frozen}
    if not free:
        raise UsageError("no layer is left for LoRA: `frozen` holds all that could take it; give `frozen` none")
    if pattern:
        chosen = {path: place for path, place in free.items() if _fits(pattern, path)}
    else:
        kernels = {path: place for path, place in free.items() if not isinstance(place.layer, keras.layers.Embedding)}
        chosen = {path: place for path, place in kernels.items() if re.search(ATTENTION, path)} or kernels
    if not chosen:
        wanted = (
            f"`enable_lora(layers)` {pattern!r} fits no layer that can take LoRA"
            if pattern
            else "no layer but embeddings is left for LoRA"
        )
        raise UsageError(f"{wanted}; there are {', '.join(list(free)[:8])}{', …' * (len(free) > 8)}")
    return chosen


def _fits(pattern: str, path: str) -> bool:
    try:
        return re.search(pattern, path) is not None
    except re.error as error:
        raise UsageError(f"`enable_lora(layers)` {pattern!r} is not a regular expression: {error}") from None


def _places(backbone: keras.Model) -> dict[str, _Place]:
    """All layers that can have LoRA or have it, by path; one that computes several things at once stands there in parts."""
    places: dict[str, _Place] = {}
    fused: dict[int, tuple[str, ...]] = {}
    for path, layer in _walk(backbone):
        for name, parts in getattr(layer, "fused_parts", {}).items():
            fused[id(getattr(layer, name))] = parts
        if has_low_rank(layer) or takes_low_rank(layer):
            frozen = not layer.trainable or not backbone.trainable
            parts = fused.get(id(layer), ("",))
            for index, part in enumerate(parts):
                places["/".join(filter(None, (path, part)))] = _Place(layer, index, len(parts), frozen)
    return places


def _walk(outer: Any, path: str = "", seen: set[int] | None = None) -> list[tuple[str, keras.layers.Layer]]:
    """All layers within another, each once, an outer one before the inner ones, with paths made of their names."""
    seen = set() if seen is None else seen
    found: list[tuple[str, keras.layers.Layer]] = []
    for layer in inner_layers(outer):
        if id(layer) not in seen:
            seen.add(id(layer))
            here = f"{path}/{layer.name}" if path else layer.name
            found += [(here, layer), *_walk(layer, here, seen)]
    return found
