"""A small pre-norm Transformer encoder for text, and its tokenizer."""

from typing import Any

import keras
import keras_hub

from tfpretune.backbones.layers.blocks import EncoderBlock
from tfpretune.backbones.text.tokenizer import NormalizedTokenizer


@keras.saving.register_keras_serializable("tfpretune")
class TextEncoder(keras_hub.models.Backbone):
    """Pre-norm BERT-like encoder that leaves the plateau of the unigram entropy in a small budget.

    "Cramming" (Geiping and Goldstein 2023, arXiv:2212.14034, section 4.2) found pre-norm, no dropout in pre-training and a
    high rate to matter most when the budget is small. Positions are rotary, so there is no longest row.

    Input: a dict of int32 `token_ids` and `padding_mask`, `(batch, length)`.
    Output: `(batch, length, hidden_dim)`.

    Args:
        vocabulary_size: number of token ids.
        num_layers: Transformer blocks.
        num_heads: of each block; must divide `hidden_dim` into even parts.
        hidden_dim: width.
        intermediate_dim: of the feed-forward layers.
        dropout: rate, in [0, 1).
        dtype: Keras dtype policy.
        name: of the model.
        trainable: whether its weights learn.

    Raises:
        ValueError: heads that do not divide the width so.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import TextEncoder
        >>> backbone = TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16)
        >>> rows = {"token_ids": tf.constant([[2, 7, 9, 3, 0]]), "padding_mask": tf.constant([[1, 1, 1, 1, 0]])}
        >>> tuple(backbone(rows).shape)
        (1, 5, 8)
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        *,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        dropout: float = 0.0,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
    ):
        dtype = keras.dtype_policies.get(dtype)
        embedding = keras_hub.layers.ReversibleEmbedding(
            vocabulary_size,
            hidden_dim,
            embeddings_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=dtype,
            name="token_embedding",
        )
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        padding_mask = keras.Input((None,), dtype="int32", name="padding_mask")
        x = embedding(token_ids)
        x = keras.layers.Dropout(dropout, dtype=dtype, name="embedding_dropout")(x)
        for index in range(num_layers):
            block = EncoderBlock(
                num_heads,
                hidden_dim,
                intermediate_dim=intermediate_dim,
                dropout=dropout,
                rotary=True,
                dtype=dtype,
                name=f"block_{index}",
            )
            x = block(x, padding_mask)
        x = keras.layers.LayerNormalization(epsilon=1e-6, dtype=dtype, name="final_norm")(x)
        super().__init__(
            inputs={"token_ids": token_ids, "padding_mask": padding_mask},
            outputs=x,
            dtype=dtype,
            name=name,
            trainable=trainable,
        )
        self.token_embedding = embedding
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
        }


@keras.saving.register_keras_serializable("tfpretune")
class TextEncoderTokenizer(NormalizedTokenizer):
    """WordPiece with [PAD], [UNK], [CLS], [SEP] and [MASK], saved in one preset folder with a `TextEncoder`.

    Its text is normalized as `train_wordpiece` normalizes the corpus; one of a preset that says nothing of it, as by KerasHub.

    Args:
        vocabulary: tokens in the order of their ids, or the path of a file with one per line; the five above are among them.
        lowercase: as the vocabulary was learnt.
        normalizer: the rule of `Normalizer`.
        added_tokens: found in a text before it is split.
        **kwargs: of KerasHub's tokenizer: `strip_accents`, `split_on_cjk` and more.

    Examples:
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "un", "##happy"]
        >>> tokenizer = TextEncoderTokenizer(tokens, lowercase=True)
        >>> tokenizer(["Good", "unhappy", "sad"])
        [[5], [6, 7], [1]]
    """

    backbone_cls = TextEncoder
