"""BERT as its authors and Hugging Face compute it: KerasHub's network, with the activation and the tokens of the original."""

from typing import Any

import keras
import keras_hub

from tfpretune.backbones.text.tokenizer import NormalizedTokenizer
from tfpretune.data.text.normalizers import Rule
from tfpretune.runtime.keras_internals import transformer_parts


@keras.saving.register_keras_serializable("tfpretune")
class BertEncoder(keras_hub.models.BertBackbone):
    """KerasHub's `BertBackbone` with the feed-forward activation and the normalisation's epsilon as settings.

    KerasHub has the tanh formula of the GELU fixed, where BERT has the exact one; features differ by 3e-3. Both settings are
    in the config, so they survive a preset, a saved model and an export.

    Input: a dict of int32 `token_ids`, `padding_mask` and `segment_ids`, `(batch, length)`.
    Output: a dict of `sequence_output` `(batch, length, hidden_dim)` and `pooled_output` `(batch, hidden_dim)`.

    Args:
        vocabulary_size: number of token ids.
        num_layers: Transformer layers.
        num_heads: of each layer.
        hidden_dim: width.
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
        >>> from tfpretune.backbones import BertEncoder
        >>> backbone = BertEncoder(100, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
        >>> sorted(backbone.input)
        ['padding_mask', 'segment_ids', 'token_ids']
        >>> {name: output.shape for name, output in backbone.output.items()}
        {'sequence_output': (None, None, 8), 'pooled_output': (None, 8)}
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
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
            vocabulary_size,
            num_layers,
            num_heads,
            hidden_dim,
            intermediate_dim,
            dropout,
            max_sequence_length,
            num_segments,
            dtype=dtype,
            name=name,
            trainable=trainable,
        )
        set_formulas(self, activation, layer_norm_epsilon)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"activation": self.activation, "layer_norm_epsilon": self.layer_norm_epsilon}
        return super().get_config() | own


def set_formulas(backbone: Any, activation: str, layer_norm_epsilon: float) -> None:
    """Gives a fresh KerasHub encoder another activation and epsilon than those that it has fixed; its config keeps them."""
    backbone.activation, backbone.layer_norm_epsilon = activation, layer_norm_epsilon
    backbone.embeddings_layer_norm.epsilon = layer_norm_epsilon
    function = gelu_tanh if activation == "gelu_tanh" else keras.activations.get(activation)
    for layer in backbone.transformer_layers:
        parts = transformer_parts(layer)
        layer.activation = parts.intermediate.activation = function
        layer.layer_norm_epsilon = layer_norm_epsilon
        parts.attention_norm.epsilon = parts.output_norm.epsilon = layer_norm_epsilon


@keras.saving.register_keras_serializable("tfpretune")
def gelu_tanh(x: Any) -> Any:
    """The GELU by its tanh formula, as GPT-2 and some BERTs have it (`gelu_new`)."""
    return keras.activations.gelu(x, approximate=True)


@keras.saving.register_keras_serializable("tfpretune")
class BertEncoderTokenizer(NormalizedTokenizer):
    """WordPiece with the token ids of Hugging Face's `BertTokenizer`; saved in one preset folder with a `BertEncoder`.

    KerasHub's own differs: it splits words at control characters, which the original removes; does not split at spaces beyond
    ASCII; folds case (ß to ss), where the original makes it lower; and gives up at 100 bytes of a word, not characters.
    Marks and punctuation that Unicode got after 2015 are known here and not there. Without `added_tokens`, [MASK] and the like
    in a text are characters as any others, as with Hugging Face's `split_special_tokens=True`.

    Examples:
        >>> from tfpretune.backbones import BertEncoderTokenizer
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "straße", "strasse"]
        >>> tokenizer = BertEncoderTokenizer(tokens, lowercase=True)
        >>> tokenizer(["Straße", "STRASSE"])  # lower case, not folded: ß stays
        [[5], [6]]
    """

    backbone_cls = BertEncoder
    rule_before = "bert"

    def __init__(self, vocabulary: Any = None, lowercase: bool = False, *, normalizer: Rule = "bert", **kwargs: Any):
        super().__init__(vocabulary, lowercase, normalizer=normalizer, **kwargs)
