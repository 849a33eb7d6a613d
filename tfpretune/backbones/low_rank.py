"""Layers with LoRA (Hu et al. 2021, arXiv:2106.09685, section 4.1): a kernel that stays, and beside it two small matrices.

`add_low_rank` turns a built layer into its kind with LoRA, in place, as Keras' own `enable_lora` does; `remove_low_rank` turns
it back. Keras' own adds the product to the kernel at each step: dropout has no place there, in bfloat16 small changes are
rounded away, and the gradient of the whole kernel is computed. It also forgets alpha when a `Dense` is rebuilt from its config.
"""

import dataclasses
from typing import Any

import keras
import keras_hub
import numpy as np
import tensorflow as tf
from keras import ops

from tfpretune.backbones.einsum import Letters
from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True)
class LowRank:
    """How a layer is changed.

    Args:
        rank: columns of A and rows of B.
        alpha: the product is multiplied by alpha / rank.
        dropout: rate on the input of the product, in [0, 1); the lookup of an `Embedding` has none.
        parts: for a `Dense` that computes several things of equal width: which of them have an A and a B, each its own.
        num_parts: how many things the layer computes.
    """

    rank: int
    alpha: float
    dropout: float = 0.0
    parts: tuple[int, ...] = (0,)
    num_parts: int = 1


class _LowRankLayer:
    """Before a Keras layer's class among the bases: what all kinds have in common."""

    def start(self: Any, low_rank: LowRank) -> None:
        """Creates A and B, one of them 0, so that nothing changes at first."""
        a, b = self.shapes(low_rank)
        first, second = self.initializers()
        self.lora_a = self.add_weight(name="lora_a", shape=a, initializer=first, dtype="float32")
        self.lora_b = self.add_weight(name="lora_b", shape=b, initializer=second, dtype="float32")
        self.lora_dropout = keras.layers.Dropout(low_rank.dropout, dtype=self.dtype_policy, name="lora_dropout")
        self.low_rank = low_rank

    def stop(self: Any) -> None:
        """Removes A and B."""
        for variable in (self.lora_a, self.lora_b):
            self._untrack_variable(variable)
        self._tracker.untrack(self.lora_dropout)
        for name in ("lora_a", "lora_b", "lora_dropout", "low_rank"):
            super(keras.layers.Layer, self).__delattr__(name)  # Layer's own collects all garbage each time

    def save_own_variables(self: Any, store: Any) -> None:
        """Refuses: Keras files by the class's name, so that the plain layer would not find its kernel again."""
        raise UsageError(
            f"layer {self.path} has LoRA: write the model with training.presets.save_preset, which merges a copy, or "
            "with training.adapters.save_adapter, or call finetune.lora.merge_lora first"
        )

    @property
    def scale(self: Any) -> float:
        """What the product of A and B is multiplied by."""
        return self.low_rank.alpha / self.low_rank.rank

    @staticmethod
    def initializers() -> tuple[Any, Any]:
        """A uniform within 1 / sqrt(inputs), as in the paper's code and in PEFT; B zero."""
        return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"), "zeros"

    @classmethod
    def from_config(cls: Any, config: dict[str, Any]) -> keras.layers.Layer:
        """Returns the plain layer: a copy takes the weights that `finetune.lora.merged_weights` gives."""
        return cls.plain.from_config(config)


class _LowRankKernel(_LowRankLayer):
    """What `Dense` and `EinsumDense` have in common. `delta` is A times B in the kernel's shape."""

    @property
    def base(self) -> keras.Variable:
        """The kernel without LoRA's part."""
        return super().kernel  # type: ignore[misc]

    @property
    def kernel(self: Any) -> tf.Tensor:
        """The kernel with LoRA's part, for whoever asks for it; training and inference keep the two apart."""
        return ops.add(self.base, self.scale * self.delta())

    def call(self: Any, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns what the plain layer does, with LoRA's part added before bias and activation."""
        x = self.product(inputs)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)


@keras.saving.register_keras_serializable("tfpretune")
class LowRankDense(_LowRankKernel, keras.layers.Dense):
    """A `Dense` with A `(inputs, rank * parts)` and B `(parts, rank, units / num_parts)`."""

    plain = keras.layers.Dense

    def shapes(self, low_rank: LowRank) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns the shapes of A and B."""
        (inputs, units), parts = self.base.shape, len(low_rank.parts)
        return (inputs, low_rank.rank * parts), (parts, low_rank.rank, units // low_rank.num_parts)

    def product(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `x` times the kernel, plus LoRA's part: without bias and activation."""
        beside = ops.matmul(ops.matmul(self.lora_dropout(x), self.lora_a) * self.scale, self._up())
        return ops.add(ops.matmul(x, self.base), ops.cast(beside, x.dtype))

    def delta(self) -> tf.Tensor:
        """Returns A times B, `(inputs, units)`."""
        return ops.matmul(self.lora_a, self._up())

    def _up(self) -> tf.Tensor:
        """B as one matrix `(rank * parts, units)`: zero where the rows of one part meet the columns of another."""
        width, places = self.lora_b.shape[-1], enumerate(self.low_rank.parts)
        sides = [(i, part * width, (self.low_rank.num_parts - 1 - part) * width) for i, part in places]
        return ops.concatenate([ops.pad(self.lora_b[i], ((0, 0), (left, right))) for i, left, right in sides], axis=0)


@keras.saving.register_keras_serializable("tfpretune")
class LowRankEinsumDense(_LowRankKernel, keras.layers.EinsumDense):
    """An `EinsumDense` with A (the kernel's axes that the input has, rank) and B (rank, the axes that the output has)."""

    plain = keras.layers.EinsumDense

    def shapes(self, low_rank: LowRank) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns the shapes of A and B."""
        _, kernel, _, read, written, _ = Letters.of(self.equation)
        size = dict(zip(kernel, self.base.shape, strict=True))
        return (*(size[c] for c in read), low_rank.rank), (low_rank.rank, *(size[c] for c in written))

    def product(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the input times the kernel, plus LoRA's part: without bias and activation."""
        inputs, _, output, read, written, rank = Letters.of(self.equation)
        middle = "".join(c for c in inputs if c not in read) + rank
        small = ops.einsum(f"{inputs},{read}{rank}->{middle}", self.lora_dropout(x), self.lora_a) * self.scale
        beside = ops.einsum(f"{middle},{rank}{written}->{output}", small, self.lora_b)
        return ops.add(ops.einsum(self.equation, x, self.base), ops.cast(beside, x.dtype))

    def delta(self) -> tf.Tensor:
        """Returns A times B in the kernel's shape."""
        _, kernel, _, read, written, rank = Letters.of(self.equation)
        return ops.einsum(f"{read}{rank},{rank}{written}->{kernel}", self.lora_a, self.lora_b)


class _LowRankTable(_LowRankLayer):
    """What embeddings have in common: A `(rows, rank)` starts at zero, so that only rows that are looked up change."""

    @staticmethod
    def initializers() -> tuple[Any, Any]:
        """A zero, B normal, as in the paper's code and in PEFT."""
        return "zeros", keras.initializers.RandomNormal(stddev=1.0)

    def shapes(self: Any, low_rank: LowRank) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns the shapes of A and B."""
        return (self.input_dim, low_rank.rank), (low_rank.rank, self.output_dim)

    @property
    def base(self) -> keras.Variable:
        """The table without LoRA's part."""
        return super().embeddings  # type: ignore[misc]

    @property
    def embeddings(self: Any) -> tf.Tensor:
        """The whole table with LoRA's part, as tied output layers take it."""
        return ops.add(self.base, self.scale * ops.matmul(self.lora_a, self.lora_b))

    def look_up(self: Any, ids: tf.Tensor) -> tf.Tensor:
        """Returns the rows of the table and LoRA's part of them, in the compute dtype."""
        ids = ops.cast(ids, "int32")
        beside = ops.matmul(ops.take(self.lora_a, ids, axis=0) * self.scale, self.lora_b)
        return ops.cast(ops.add(ops.take(self.base, ids, axis=0), beside), self.compute_dtype)


@keras.saving.register_keras_serializable("tfpretune")
class LowRankEmbedding(_LowRankTable, keras.layers.Embedding):
    """An `Embedding` with LoRA."""

    plain = keras.layers.Embedding

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the rows that belong to the ids."""
        return self.look_up(inputs)


@keras.saving.register_keras_serializable("tfpretune")
class LowRankReversibleEmbedding(_LowRankTable, keras_hub.layers.ReversibleEmbedding):
    """KerasHub's `ReversibleEmbedding` with LoRA; backwards, it takes the whole table."""

    plain = keras_hub.layers.ReversibleEmbedding

    def call(self, inputs: tf.Tensor, reverse: bool = False) -> tf.Tensor:
        """Returns the rows that belong to the ids, or in reverse the scores of all rows."""
        return super().call(inputs, reverse=True) if reverse else self.look_up(inputs)


KINDS = {kind.plain: kind for kind in (LowRankDense, LowRankEinsumDense, LowRankEmbedding, LowRankReversibleEmbedding)}


def takes_low_rank(layer: keras.layers.Layer) -> bool:
    """Says whether `add_low_rank` can change this layer: of a plain kind, built, not quantised, without constraints."""
    if type(layer) not in KINDS or not layer.built or layer.quantization_mode or layer.lora_enabled:
        return False
    if isinstance(layer, keras.layers.Embedding):
        return layer.embeddings_constraint is None and (type(layer) is keras.layers.Embedding or not layer.mask_zero)
    return layer.kernel_constraint is None and (
        type(layer) is keras.layers.Dense or Letters.of(layer.equation).are_a_product
    )


def has_low_rank(layer: keras.layers.Layer) -> bool:
    """Says whether this layer itself has LoRA."""
    return isinstance(layer, _LowRankLayer)


def add_low_rank(layer: keras.layers.Layer, low_rank: LowRank) -> None:
    """Gives a layer that `takes_low_rank` its A and B; its answers stay as they are."""
    layer._tracker.unlock()
    layer.__class__ = KINDS[type(layer)]
    layer.start(low_rank)
    layer._tracker.lock()


def remove_low_rank(layer: keras.layers.Layer) -> None:
    """Takes A and B away; the kernel is as it was before `add_low_rank`."""
    layer._tracker.unlock()
    layer.stop()
    layer.__class__ = type(layer).plain
    layer._tracker.lock()


def merged(layer: keras.layers.Layer) -> np.ndarray:
    """Returns the kernel or table with LoRA's part."""
    return np.asarray(layer.embeddings if isinstance(layer, _LowRankTable) else layer.kernel)


def product(layer: keras.layers.Dense, x: tf.Tensor) -> tf.Tensor:
    """Returns `x` times the kernel of a `Dense`, with or without LoRA: without bias and activation."""
    return layer.product(x) if isinstance(layer, LowRankDense) else tf.matmul(x, layer.kernel)
