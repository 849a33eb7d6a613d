"""Kernels with LoRA: the layers of `backbones/layers/lora.py` that multiply, and what they share with its tables.

`Dense`, `EinsumDense` and the convolutions answer what the plain layer does, with A and B beside the kernel.
"""

import dataclasses
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfpretune.backbones.layers.einsum import Letters
from tfpretune.errors import UsageError
from tfpretune.runtime.keras_internals import forget


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


class LowRankLayer:
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
        forget(self, self.lora_dropout)
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
        """Returns the plain layer: a copy takes the weights that `finetune.methods.lora.merged_weights` gives."""
        return cls.plain.from_config(config)


class LowRankKernel(LowRankLayer):
    """What `Dense`, `EinsumDense` and the convolutions have in common. `delta` is A times B in the kernel's shape."""

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
class LowRankDense(LowRankKernel, keras.layers.Dense):
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
class LowRankEinsumDense(LowRankKernel, keras.layers.EinsumDense):
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


class _LowRankConv(LowRankKernel):
    """A convolution with A (the kernel's window and inputs, rank) and B (rank, filters), as in PEFT: A has the window, the
    strides and the padding, B works on each place by itself.
    """

    def shapes(self: Any, low_rank: LowRank) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns the shapes of A and B."""
        return (*self.base.shape[:-1], low_rank.rank), (low_rank.rank, self.filters)

    def product(self: Any, x: tf.Tensor) -> tf.Tensor:
        """Returns `x` convolved with the kernel, plus LoRA's part: without bias and activation."""
        small = self._convolved(self.lora_dropout(x), self.lora_a) * self.scale
        beside = ops.matmul(small, self.lora_b)
        return ops.add(self._convolved(x, self.base), ops.cast(beside, x.dtype))

    def delta(self) -> tf.Tensor:
        """Returns A times B in the kernel's shape."""
        return ops.matmul(self.lora_a, self.lora_b)

    def _convolved(self: Any, x: tf.Tensor, kernel: keras.Variable) -> tf.Tensor:
        padding = self.padding
        if padding == "causal":
            before = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            x, padding = ops.pad(x, ((0, 0), (before, 0), (0, 0))), "valid"
        return ops.conv(x, kernel, self.strides, padding, "channels_last", self.dilation_rate)


@keras.saving.register_keras_serializable("tfpretune")
class LowRankConv1D(_LowRankConv, keras.layers.Conv1D):
    """A `Conv1D` with LoRA: A `(width, inputs, rank)`, B `(rank, filters)`."""

    plain = keras.layers.Conv1D


@keras.saving.register_keras_serializable("tfpretune")
class LowRankConv2D(_LowRankConv, keras.layers.Conv2D):
    """A `Conv2D` with LoRA: A `(height, width, inputs, rank)`, B `(rank, filters)`."""

    plain = keras.layers.Conv2D
