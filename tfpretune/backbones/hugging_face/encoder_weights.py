"""Where the weights of each variable of an encoder with BERT's layers stand in a checkpoint of Hugging Face's."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tfpretune.backbones.hugging_face.weights import Weights
from tfpretune.runtime.keras_internals import transformer_parts


def load_encoder(
    backbone: Any, names: tuple[str, Mapping[str, str]], weights: Weights, *, first_position: int = 0
) -> None:
    """Puts the weights of a checkpoint into a network; a pooler that it lacks stays fresh.

    Args:
        backbone: a fresh KerasHub encoder with BERT's layers.
        names: where the layers stand, and the names of their parts.
        weights: of the checkpoint.
        first_position: rows of positions before the first token's.

    Raises:
        RunError: a weight is missing or does not fit.
    """
    _load_tables(backbone, weights, first_position)
    for name, layer in _layers(backbone, *names):
        if not name.startswith("pooler.") or weights.name_of(f"{name}.weight"):
            _load_layer(layer, name, weights)


def _load_tables(backbone: Any, weights: Weights, first_position: int) -> None:
    tokens = backbone.token_embedding.embeddings
    tokens.assign(weights.fitting("embeddings.word_embeddings.weight", tuple(tokens.shape)))
    positions = getattr(backbone, "position_embedding", None) or _embeddings(backbone).position_embedding
    length, width = positions.position_embeddings.shape
    rows = weights.fitting("embeddings.position_embeddings.weight", (length + first_position, width))[first_position:]
    segments = "embeddings.token_type_embeddings.weight"
    if hasattr(backbone, "segment_embedding"):
        table = backbone.segment_embedding.embeddings
        table.assign(weights.fitting(segments, tuple(table.shape)))
    elif weights.name_of(segments):  # RoBERTa's, of which each token has the first
        rows = rows + weights.get_tensor(segments)[0]
    positions.position_embeddings.assign(rows)


def _embeddings(backbone: Any) -> Any:
    return getattr(backbone, "embeddings", None) or backbone.get_layer("token_and_position_embedding")


def _load_layer(layer: Any, name: str, weights: Weights) -> None:
    """Kernels are (out, in) in the file, and heads are no axis there."""
    if isinstance(layer, keras.layers.LayerNormalization):
        pairs = ((layer.gamma, "weight"), (layer.beta, "bias"))
        for variable, part in pairs:
            variable.assign(weights.fitting(f"{name}.{part}", tuple(variable.shape)))
        return
    width = math.prod(layer.bias.shape)
    kernel = weights.fitting(f"{name}.weight", (width, math.prod(layer.kernel.shape) // width))
    layer.kernel.assign(np.reshape(kernel.T, layer.kernel.shape))
    layer.bias.assign(np.reshape(weights.fitting(f"{name}.bias", (width,)), layer.bias.shape))


def _layers(backbone: Any, place: str, names: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    yield "embeddings.LayerNorm", backbone.embeddings_layer_norm
    if hasattr(backbone, "embeddings_projection"):
        yield "embeddings_project", backbone.embeddings_projection
    for index, layer in enumerate(backbone.transformer_layers):
        parts = transformer_parts(layer)
        found = {
            "query": parts.attention.query_dense,
            "key": parts.attention.key_dense,
            "value": parts.attention.value_dense,
            "attention": parts.attention.output_dense,
            "attention_norm": parts.attention_norm,
            "intermediate": parts.intermediate,
            "output": parts.output,
            "output_norm": parts.output_norm,
        }
        for part, name in names.items():
            yield f"{place}.{index}.{name}", found[part]
    if hasattr(backbone, "pooled_dense"):
        yield "pooler.dense", backbone.pooled_dense
