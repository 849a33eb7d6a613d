"""The layers that backbones and heads share: a pre-norm Transformer block on flat tokens, positions, pooling."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfpretune.backbones.layers import fused as islands
from tfpretune.backbones.layers.lora import product


@keras.saving.register_keras_serializable("tfpretune")
class EncoderBlock(keras.layers.Layer):
    """A pre-norm Transformer encoder block (Xiong et al. 2020, arXiv:2002.04745, figure 1b).

    Dense layers work on `(batch * length, hidden_dim)` matrices with one fused projection for query, key and value, so that
    each is one matrix product. Softmax and layer-norm statistics are float32.

    Args:
        num_heads: attention heads; must divide `hidden_dim`.
        hidden_dim: width of the input and output.
        intermediate_dim: width of the feed-forward layer.
        dropout: dropout rate on the attention weights and on both residual branches, in [0, 1).
        rotary: tell positions by turning queries and keys (RoFormer, arXiv:2104.09864, section 3.2.2), so that any length can
            be read; without it the block itself knows no order.
    """

    fused_parts: ClassVar = {"query_key_value": ("query", "key", "value")}
    """Sublayers that compute several things at once, side by side in their output and equally wide."""

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        *,
        intermediate_dim: int,
        dropout: float = 0.0,
        rotary: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        if hidden_dim % num_heads:
            raise ValueError(f"num_heads must divide hidden_dim, received {num_heads} and {hidden_dim}")
        if rotary and hidden_dim // num_heads % 2:
            raise ValueError(f"rotary needs an even number of features a head, received {hidden_dim // num_heads}")
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.rotary = rotary
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)

        def dense(units: int, name: str, activation: Any = None) -> keras.layers.Dense:
            return keras.layers.Dense(
                units, activation=activation, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
            )

        self.attention_norm = keras.layers.LayerNormalization(
            epsilon=1e-6, dtype=self.dtype_policy, name="attention_norm"
        )
        self.query_key_value = dense(3 * hidden_dim, "query_key_value")
        self.attention_output = dense(hidden_dim, "attention_output")
        self.feedforward_norm = keras.layers.LayerNormalization(
            epsilon=1e-6, dtype=self.dtype_policy, name="feedforward_norm"
        )
        self.intermediate = dense(intermediate_dim, "intermediate", keras.activations.gelu)
        self.output_dense = dense(hidden_dim, "output_dense")
        self.attention_dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="attention_dropout")
        self.residual_dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="residual_dropout")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the weights for inputs `(batch, length, hidden_dim)`."""
        flat = (None, self.hidden_dim)
        for layer in (self.attention_norm, self.query_key_value, self.attention_output, self.feedforward_norm):
            layer.build(flat)
        self.intermediate.build(flat)
        self.output_dense.build((None, self.intermediate_dim))
        self.built = True

    def call(self, inputs: tf.Tensor, padding_mask: tf.Tensor | None = None, training: bool | None = None) -> tf.Tensor:
        """Maps `(batch, length, hidden_dim)` to the same shape; `padding_mask` is 1 for real tokens `(batch, length)`."""
        x = tf.reshape(inputs, (-1, self.hidden_dim))
        if islands.pay(training):
            return tf.reshape(self._train(x, tf.shape(inputs), padding_mask), tf.shape(inputs))
        query, key, value = self._heads(self.attention_norm(x), tf.shape(inputs))
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)  # (batch, heads, length, length)
        if padding_mask is not None:
            scores += tf.cast(1 - tf.cast(padding_mask, tf.int32), tf.float32)[:, tf.newaxis, tf.newaxis, :] * -1e9
        weights = tf.cast(tf.nn.softmax(scores), value.dtype)
        weights = self.attention_dropout(weights, training=training)
        x += self.residual_dropout(self.attention_output(join(tf.matmul(weights, value))), training=training)
        branch = self.output_dense(self.intermediate(self.feedforward_norm(x)))
        x += self.residual_dropout(branch, training=training)
        return tf.reshape(x, tf.shape(inputs))

    def _heads(self, x: tf.Tensor, shape: tf.Tensor) -> list[tf.Tensor]:
        """Returns query (scaled), key and value `(batch, heads, length, hidden_dim / heads)`."""
        features = self.hidden_dim // self.num_heads
        heads = [
            tf.transpose(tf.reshape(part, (shape[0], shape[1], self.num_heads, features)), (0, 2, 1, 3))
            for part in tf.split(self.query_key_value(x), 3, axis=-1)
        ]
        if self.rotary:
            heads[:2] = turn(heads[0]), turn(heads[1])
        return [heads[0] * features**-0.5, *heads[1:]]

    def _train(self, x: tf.Tensor, shape: tf.Tensor, padding_mask: tf.Tensor | None) -> tf.Tensor:
        """The same in training on a CPU, on `(batch * length, hidden_dim)`: Dense and LayerNormalization lend their weights."""
        mask = tf.ones(shape[:2], tf.int32) if padding_mask is None else tf.cast(padding_mask, tf.int32)
        one, two = self.attention_norm, self.feedforward_norm
        query, key, value = self._heads(islands.norm(x, one.gamma, one.beta, epsilon=one.epsilon), shape)
        scores = tf.matmul(query, key, transpose_b=True)
        seed, rate = islands.draw(self.attention_dropout), self.attention_dropout.rate
        weights = islands.attend(scores, mask, seed, rate=rate)
        branch = product(self.attention_output, join(tf.matmul(weights, value)))
        bias, seed, rate = self.attention_output.bias, islands.draw(self.residual_dropout), self.residual_dropout.rate
        x, normed = islands.add_norm(x, branch, bias, seed, two.gamma, two.beta, rate=rate, epsilon=two.epsilon)
        hidden = islands.gelu(product(self.intermediate, normed), self.intermediate.bias)
        branch = product(self.output_dense, hidden)
        return islands.add(x, branch, self.output_dense.bias, islands.draw(self.residual_dropout), rate=rate)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Same as the input's."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "rotary": self.rotary,
        }


def turn(x: tf.Tensor) -> tf.Tensor:
    """Rotates pairs of features by angles that grow with the position: `(batch, heads, length, features)` in and out."""
    length, features = tf.shape(x)[2], x.shape[-1]
    frequencies = 10000.0 ** (-tf.range(features // 2, dtype=tf.float32) / (features // 2))
    angles = tf.range(length, dtype=tf.float32)[:, tf.newaxis] * frequencies
    cosine, sine = tf.cast(tf.cos(angles), x.dtype), tf.cast(tf.sin(angles), x.dtype)
    first, second = tf.split(x, 2, axis=-1)
    return tf.concat([first * cosine - second * sine, first * sine + second * cosine], axis=-1)


def join(x: tf.Tensor) -> tf.Tensor:
    """Puts heads `(batch, heads, length, features)` side by side: `(batch * length, heads * features)`."""
    return tf.reshape(tf.transpose(x, (0, 2, 1, 3)), (-1, x.shape[1] * x.shape[3]))


@keras.saving.register_keras_serializable("tfpretune")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to each position of `(batch, length, hidden_dim)`; `length` may be shorter than `max_length`."""

    def __init__(self, max_length: int, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.max_length = max_length

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the table `(max_length, hidden_dim)`."""
        self.embeddings = self.add_weight(
            name="position_embedding",
            shape=(self.max_length, input_shape[-1]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `inputs` plus the first `length` rows of the table."""
        return inputs + tf.cast(self.embeddings[: tf.shape(inputs)[1]], inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Same as the input's."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"max_length": self.max_length}


@keras.saving.register_keras_serializable("tfpretune")
class MeanPool(keras.layers.Layer):
    """Mean over all axes between the first and the last; padded tokens left out where a padding mask is given."""

    def call(self, features: tf.Tensor, padding_mask: tf.Tensor | None = None) -> tf.Tensor:
        """Returns `(batch, dim)`."""
        if padding_mask is None:
            return tf.reduce_mean(features, axis=list(range(1, len(features.shape) - 1)))  # image maps or patches
        weights = tf.cast(padding_mask, features.dtype)[..., tf.newaxis]
        return tf.math.divide_no_nan(tf.reduce_sum(features * weights, axis=1), tf.reduce_sum(weights, axis=1))

    def compute_output_shape(self, features_shape: tuple, padding_mask_shape: Any = None) -> tuple[int | None, ...]:
        """`(batch, dim)`."""
        return (features_shape[0], features_shape[-1])
