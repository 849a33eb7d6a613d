"""ELECTRA's discriminator as Hugging Face computes it."""

from typing import Any

import keras
import keras_hub

from tfpretune.backbones.text.bert import BertEncoderTokenizer, set_formulas


@keras.saving.register_keras_serializable("tfpretune")
class ElectraEncoder(keras_hub.models.ElectraBackbone):
    """KerasHub's `ElectraBackbone` with the feed-forward activation and the normalisation's epsilon as settings.

    KerasHub has the tanh formula of the GELU fixed, where ELECTRA has the exact one, as in `BertEncoder`.

    Input: a dict of int32 `token_ids`, `padding_mask` and `segment_ids`, `(batch, length)`.
    Output: a dict of `sequence_output` `(batch, length, hidden_dim)` and `pooled_output` `(batch, hidden_dim)`.

    Args:
        vocab_size: number of token ids.
        num_layers: Transformer layers.
        num_heads: of each layer.
        hidden_dim: width.
        embedding_dim: width of the tables; where it is another than `hidden_dim`, a projection follows them.
        intermediate_dim: of the feed-forward layers.
        dropout: rate, in [0, 1).
        max_sequence_length: the longest row.
        num_segments: segment ids there are.
        activation: "gelu" (exact), "gelu_tanh" or a Keras activation.
        layer_norm_epsilon: of all normalisation layers.
        dtype: Keras dtype policy.
        name: of the model.
        trainable: whether its weights learn.

    Examples:
        >>> from tfpretune.backbones import ElectraEncoder
        >>> sizes = {"num_heads": 2, "hidden_dim": 8, "embedding_dim": 4, "intermediate_dim": 16}
        >>> backbone = ElectraEncoder(100, num_layers=1, **sizes)
        >>> backbone.output["sequence_output"].shape, tuple(backbone.token_embedding.embeddings.shape)
        ((None, None, 8), (100, 4))
    """

    def __init__(
        self,
        vocab_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        embedding_dim: int,
        intermediate_dim: int,
        dropout: float = 0.1,
        max_sequence_length: int = 512,
        num_segments: int = 2,
        *,
        activation: str = "gelu",
        layer_norm_epsilon: float = 1e-12,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(
            vocab_size,
            num_layers,
            num_heads,
            hidden_dim,
            embedding_dim,
            intermediate_dim,
            dropout,
            max_sequence_length,
            num_segments,
            dtype=dtype,
            name=name,
            trainable=trainable,
        )
        self.vocabulary_size = vocab_size
        set_formulas(self, activation, layer_norm_epsilon)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"activation": self.activation, "layer_norm_epsilon": self.layer_norm_epsilon}
        return super().get_config() | own


@keras.saving.register_keras_serializable("tfpretune")
class ElectraEncoderTokenizer(BertEncoderTokenizer):
    """The tokenizer of BERT, saved in one preset folder with an `ElectraEncoder`.

    Examples:
        >>> from tfpretune.backbones import ElectraEncoderTokenizer
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good"]
        >>> ElectraEncoderTokenizer(tokens, lowercase=True)(["Good", "bad"])
        [[5], [1]]
    """

    backbone_cls = ElectraEncoder  # type: ignore[assignment]
