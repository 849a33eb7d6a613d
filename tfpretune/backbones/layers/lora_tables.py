"""Tables with LoRA: the embeddings of `backbones/layers/lora.py`."""

from typing import Any

import keras
import keras_hub
import tensorflow as tf
from keras import ops

from tfpretune.backbones.layers.lora_kernels import LowRank, LowRankLayer


class _LowRankTable(LowRankLayer):
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
