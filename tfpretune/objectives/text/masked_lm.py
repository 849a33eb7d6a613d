"""Masked language model on any token backbone."""

from typing import Any

import keras
import tensorflow as tf

from tfpretune.backbones.feeding import feed, sequence_features
from tfpretune.backbones.layers import fused as islands
from tfpretune.objectives.base import Batch, Objective, Term


@keras.saving.register_keras_serializable("tfpretune")
class MaskedLM(Objective):
    """Guesses masked tokens (BERT, arXiv:1810.04805, section 3.1).

    The head works on the hidden positions only and shares its matrix with the token embedding. The loss is the cross-entropy
    averaged over the masked tokens of the global batch, so a fresh model starts at ln(vocabulary size).

    Batches: what `tfpretune.data.masking.tokens.mask_tokens` returns, and int32 `padding_mask` `(batch, length)`.

    Args:
        backbone: a KerasHub backbone with a `token_embedding`, from `token_ids`, `padding_mask` (and `segment_ids`) to
            `(batch, length, hidden_dim)`.

    Raises:
        ValueError: the backbone has no `token_embedding`.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.objectives import MaskedLM
        >>> model = MaskedLM(TextEncoder(1000, 1, num_heads=2, hidden_dim=8, intermediate_dim=16))
        >>> batch = {"token_ids": tf.constant([[2, 4, 9, 3]]), "padding_mask": tf.ones((1, 4), tf.int32)}
        >>> batch |= {"mask_positions": tf.constant([[1]]), "mask_ids": tf.constant([[7]]), "mask_weights": tf.ones((1, 1))}
        >>> loss = model.terms(batch, training=False)["masked_lm"]
        >>> round(float(loss.total / loss.count))  # ln 1000 = 6.9
        7
    """

    term_names = ("masked_lm", "masked_accuracy")

    def __init__(self, backbone: keras.Model, *, name: str | None = None):
        if isinstance(backbone, dict):
            backbone = keras.saving.deserialize_keras_object(backbone)
        if backbone.token_embedding is None:
            raise ValueError(f"MaskedLM needs a backbone with a token_embedding, received {type(backbone).__name__}")
        policy = backbone.dtype_policy
        inputs, full = feed(backbone)
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        features = sequence_features(backbone, full)
        x = GatherPositions(dtype=policy, name="masked_features")(features, positions)
        width = backbone.token_embedding.output_dim  # ELECTRA's and ALBERT's tables are narrower than their layers
        x = keras.layers.Dense(width, activation="gelu", dtype=policy, name="head_dense")(x)
        x = keras.layers.LayerNormalization(epsilon=1e-6, dtype=policy, name="head_norm")(x)
        logits = TiedLogits(backbone.token_embedding, dtype=policy, name="head_logits")(x)
        super().__init__(inputs=inputs | {"mask_positions": positions}, outputs=logits, name=name)
        self.backbone = backbone
        self.add_term_metrics()

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """Cross-entropy and accuracy over the masked tokens."""
        weights = batch["mask_weights"]
        losses, hits = self._train(batch) if islands.pay(training) else self._score(batch, training)  # (batch, slots)
        count = tf.reduce_sum(weights)
        return {
            "masked_lm": Term(tf.reduce_sum(losses * weights), count),
            "masked_accuracy": Term(tf.reduce_sum(hits * weights), count, weight=0.0),
        }

    def _score(self, batch: Batch, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        logits = self(self.pick_inputs(batch), training=training)  # (batch, slots, vocabulary)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["mask_ids"], tf.cast(logits, tf.float32))
        return losses, tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == batch["mask_ids"], tf.float32)

    def _train(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The same, from the tied product to the loss in one island: TensorFlow's own loss is slow on CPUs."""
        head = self.get_layer("head_logits")
        features = keras.Model(self.input, head.input)(self.pick_inputs(batch), training=True)
        ids = tf.reshape(batch["mask_ids"], (-1,))
        found = islands.cross_entropy(head.product(features), head.bias, ids)
        losses, hits = (tf.reshape(x, tf.shape(batch["mask_ids"])) for x in found)
        return losses, hits

    def figures(self, means: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Perplexity of the masked tokens."""
        return {"perplexity": tf.exp(tf.cast(means["masked_lm"], tf.float32))}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"backbone": keras.saving.serialize_keras_object(self.backbone), "name": self.name}


@keras.saving.register_keras_serializable("tfpretune")
class GatherPositions(keras.layers.Layer):
    """Takes `(batch, slots, dim)` at `positions` `(batch, slots)` out of `(batch, length, dim)`."""

    def call(self, features: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Returns the features at the positions, through one flat gather."""
        batch, length = tf.unstack(tf.shape(features))[:2]
        flat = tf.reshape(features, (-1, features.shape[-1]))
        return tf.gather(flat, positions + tf.range(batch)[:, tf.newaxis] * length)

    def compute_output_shape(self, features_shape: tuple, positions_shape: tuple) -> tuple[int | None, ...]:
        """`(batch, slots, dim)`."""
        return (features_shape[0], positions_shape[1], features_shape[2])


@keras.saving.register_keras_serializable("tfpretune")
class TiedLogits(keras.layers.Layer):
    """Scores `(batch, slots, dim)` against the rows of an embedding, plus a bias for each token; float32 out."""

    def __init__(
        self, embedding: keras.layers.Layer, name: str | None = None, trainable: bool = True, dtype: Any = None
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.embedding = embedding

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the bias `(vocabulary,)`."""
        self.bias = self.add_weight(name="bias", shape=(self.embedding.input_dim,), initializer="zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns logits `(batch, slots, vocabulary)`."""
        logits = tf.cast(self.product(inputs), tf.float32) + tf.cast(self.bias, tf.float32)
        return tf.reshape(logits, tf.concat([tf.shape(inputs)[:2], [self.embedding.input_dim]], axis=0))

    def product(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the scores without the bias, `(batch * slots, vocabulary)`, in the compute dtype."""
        table = tf.cast(self.embedding.embeddings, self.compute_dtype)
        return tf.matmul(tf.reshape(inputs, (-1, inputs.shape[-1])), table, transpose_b=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, slots, vocabulary)`."""
        return (*input_shape[:-1], self.embedding.input_dim)
