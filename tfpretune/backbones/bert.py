"""BERT as its authors and Hugging Face compute it: KerasHub's network, with the activation and the tokens of the original."""

from typing import Any

import keras
import keras_hub
import tensorflow as tf
import tensorflow_text as tf_text

# Kept in this order: what becomes a space, what goes, what stands by itself.
_SPACE = r"[\t\n\r\p{Z}]"
_CONTROL = r"[\p{Cc}\p{Cf}\p{Co}\x{FFFD}]"
_PUNCTUATION = r"[!-/:-@\[-`{-~\p{P}]"
_CHINESE = (
    r"[\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}"
    r"\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{2F800}-\x{2FA1F}]"
)
LONGEST_WORD = 100  # characters; a longer word is [UNK]


@keras.saving.register_keras_serializable("tfpretune")
class BertEncoder(keras_hub.models.BertBackbone):
    """KerasHub's `BertBackbone` with the feed-forward activation and the normalisation's epsilon as settings.

    KerasHub has the tanh formula of the GELU fixed, where BERT has the exact one; features differ by 3e-3. Both settings are
    in the config, so they survive a preset, a saved model and an export.

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
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.embeddings_layer_norm.epsilon = layer_norm_epsilon
        function = gelu_tanh if activation == "gelu_tanh" else keras.activations.get(activation)
        for layer in self.transformer_layers:
            layer.activation = layer._feedforward_intermediate_dense.activation = function
            layer.layer_norm_epsilon = layer_norm_epsilon
            layer._self_attention_layer_norm.epsilon = layer._feedforward_layer_norm.epsilon = layer_norm_epsilon

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"activation": self.activation, "layer_norm_epsilon": self.layer_norm_epsilon}
        return super().get_config() | own


@keras.saving.register_keras_serializable("tfpretune")
def gelu_tanh(x: Any) -> Any:
    """The GELU by its tanh formula, as GPT-2 and some BERTs have it (`gelu_new`)."""
    return keras.activations.gelu(x, approximate=True)


@keras.saving.register_keras_serializable("tfpretune")
class BertEncoderTokenizer(keras_hub.tokenizers.BertTokenizer):
    """WordPiece with the token ids of Hugging Face's `BertTokenizer`; saved in one preset folder with a `BertEncoder`.

    KerasHub's own differs: it splits words at control characters, which the original removes; does not split at spaces beyond
    ASCII; folds case (ß to ss), where the original makes it lower; and gives up at 100 bytes of a word, not characters.
    Marks and punctuation that Unicode got after 2015 are known here and not there. [MASK] and the like in a text are
    characters as any others, as with Hugging Face's `split_special_tokens=True`.
    """

    backbone_cls = BertEncoder

    def set_vocabulary(self, vocabulary: Any) -> None:
        """Sets the vocabulary: tokens, or the path of a file with one a line."""
        super().set_vocabulary(vocabulary)
        self._pieces: Any = None
        if self.vocabulary is not None:
            self._pieces = tf_text.FastWordpieceTokenizer(
                self.vocabulary,
                self.suffix_indicator,
                max_bytes_per_word=4 * LONGEST_WORD,
                token_out_type=self.compute_dtype,
                unknown_token=self.oov_token,
                no_pretokenization=True,
            )

    def tokenize(self, inputs: Any) -> tf.RaggedTensor | tf.Tensor:
        """Returns the tokens of texts `(batch,)` as ragged `(batch, None)`, of one text as `(None,)`; no special tokens."""
        self._check_vocabulary()
        texts = tf.convert_to_tensor(inputs, tf.string)
        words = self._words(tf.reshape(texts, (-1,)))
        lengths = tf.strings.length(words.flat_values, unit="UTF8_CHAR")
        known = tf.where(lengths <= LONGEST_WORD, words.flat_values, self.oov_token)
        tokens = self._pieces.tokenize(words.with_flat_values(known)).merge_dims(-2, -1)
        return tokens.flat_values if texts.shape.rank == 0 else tokens

    def _words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        texts = tf.strings.regex_replace(texts, _SPACE, " ")
        texts = tf.strings.regex_replace(texts, _CONTROL, "")
        if self.split_on_cjk:
            texts = tf.strings.regex_replace(texts, _CHINESE, r" \0 ")
        if self.strip_accents:
            texts = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
        if self.lowercase:  # the last sigma of a word would become another letter than the others
            texts = tf.strings.lower(tf.strings.regex_replace(texts, "Σ", "σ"), encoding="utf-8")
        return tf_text.regex_split(texts, f" |{_PUNCTUATION}", _PUNCTUATION)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"split_on_cjk": self.split_on_cjk}
