"""Layers with LoRA (Hu et al. 2021, arXiv:2106.09685, section 4.1): a kernel that stays, and beside it two small matrices.

`add_low_rank` turns a built layer into its kind with LoRA, in place, as Keras' own `enable_lora` does; `remove_low_rank` turns
it back. Keras' own adds the product to the kernel at each step: dropout has no place there, in bfloat16 small changes are
rounded away, and the gradient of the whole kernel is computed. It also forgets alpha when a `Dense` is rebuilt from its config.
"""

import keras
import numpy as np
import tensorflow as tf

from tfpretune.backbones.layers.einsum import Letters
from tfpretune.backbones.layers.lora_kernels import (
    LowRank,
    LowRankConv1D,
    LowRankConv2D,
    LowRankDense,
    LowRankEinsumDense,
    LowRankLayer,
)
from tfpretune.backbones.layers.lora_tables import LowRankEmbedding, LowRankReversibleEmbedding
from tfpretune.runtime.keras_internals import may_change_parts

_KERNELS = (LowRankDense, LowRankEinsumDense, LowRankConv1D, LowRankConv2D)
KINDS = {kind.plain: kind for kind in (*_KERNELS, LowRankEmbedding, LowRankReversibleEmbedding)}


def takes_low_rank(layer: keras.layers.Layer) -> bool:
    """Says whether `add_low_rank` can change this layer: of a plain kind, built, not quantised, without constraints."""
    if type(layer) not in KINDS or not layer.built or layer.quantization_mode or layer.lora_enabled:
        return False
    if isinstance(layer, keras.layers.Embedding):
        return layer.embeddings_constraint is None and (type(layer) is keras.layers.Embedding or not layer.mask_zero)
    return layer.kernel_constraint is None and _is_a_product(layer)


def _is_a_product(layer: keras.layers.Layer) -> bool:
    """Whether the kernel is one matrix, from all that is read for a place to all that is written there."""
    if isinstance(layer, keras.layers.EinsumDense):
        return Letters.of(layer.equation).are_a_product
    return isinstance(layer, keras.layers.Dense) or (layer.groups == 1 and layer.data_format == "channels_last")


def has_low_rank(layer: keras.layers.Layer) -> bool:
    """Says whether this layer itself has LoRA."""
    return isinstance(layer, LowRankLayer)


def add_low_rank(layer: keras.layers.Layer, low_rank: LowRank) -> None:
    """Gives a layer that `takes_low_rank` its A and B; its answers stay as they are."""
    with may_change_parts(layer):
        layer.__class__ = KINDS[type(layer)]
        layer.start(low_rank)


def remove_low_rank(layer: keras.layers.Layer) -> None:
    """Takes A and B away; the kernel is as it was before `add_low_rank`."""
    with may_change_parts(layer):
        layer.stop()
        layer.__class__ = type(layer).plain


def merged(layer: keras.layers.Layer) -> np.ndarray:
    """Returns the kernel or table with LoRA's part."""
    return np.asarray(layer.embeddings if isinstance(layer, keras.layers.Embedding) else layer.kernel)


def product(layer: keras.layers.Dense, x: tf.Tensor) -> tf.Tensor:
    """Returns `x` times the kernel of a `Dense`, with or without LoRA: without bias and activation."""
    return layer.product(x) if isinstance(layer, LowRankDense) else tf.matmul(x, layer.kernel)
