"""A KerasHub tokenizer whose text is normalized by a rule that is stored with it."""

from collections.abc import Sequence
from typing import Any, Self

import keras_hub
import tensorflow as tf
from keras_hub.src.utils.tensor_utils import preprocessing_function

from tfpretune.data.text.normalizers import Normalizer, Rule
from tfpretune.data.text.wordpiece import AddedToken, WordPiece


class NormalizedTokenizer(keras_hub.tokenizers.BertTokenizer):
    """WordPiece with [PAD], [UNK], [CLS], [SEP] and [MASK] behind a `Normalizer`.

    Args:
        vocabulary: tokens by id, or the path of a file with one per line.
        lowercase: see `Normalizer`.
        normalizer: the rule, see `Normalizer`. A tokenizer that was saved without one has `rule_before`.
        added_tokens: found in a text before it is split; `AddedToken`, or pairs of its values.
        **kwargs: of KerasHub's tokenizer: `strip_accents`, `split_on_cjk` and more.
    """

    rule_before: Rule = "keras_hub"

    def __init__(
        self,
        vocabulary: Any = None,
        lowercase: bool = False,
        *,
        normalizer: Rule = "unicode",
        added_tokens: Sequence[Any] = (),
        **kwargs: Any,
    ):
        self.rule: Rule = normalizer
        self.added_tokens = tuple(AddedToken(*token) for token in added_tokens)
        super().__init__(vocabulary, lowercase, **kwargs)

    @property
    def normalizer(self) -> Normalizer:
        """What is done to a text before WordPiece."""
        return Normalizer(self.rule, bool(self.lowercase), bool(self.strip_accents), bool(self.split_on_cjk))

    def set_vocabulary(self, vocabulary: Any) -> None:
        """Sets the vocabulary: tokens, or the path of a file with one per line."""
        super().set_vocabulary(vocabulary)
        self._wordpiece: WordPiece | None = None
        if self.vocabulary is not None and self.rule != "keras_hub":
            self._wordpiece = WordPiece(
                self.vocabulary,
                self.normalizer,
                added_tokens=self.added_tokens,
                suffix_indicator=self.suffix_indicator,
                unknown_token=self.oov_token,
                dtype=self.compute_dtype,
            )

    def tokenize(self, inputs: Any) -> Any:
        """Returns the tokens of texts `(batch,)`, of one text as `(None,)`; no special tokens.

        As of KerasHub's tokenizers, those of a batch are ragged `(batch, None)` in a graph, a list of lists outside of one.
        """
        self._check_vocabulary()
        return super().tokenize(inputs) if self._wordpiece is None else self._tokenize_normalized(inputs)

    @preprocessing_function
    def _tokenize_normalized(self, texts: tf.Tensor) -> Any:
        tokens = self._wordpiece(tf.reshape(texts, (-1,)))  # type: ignore[misc]
        return tokens.flat_values if texts.shape.rank == 0 else tokens

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config() | {"split_on_cjk": self.split_on_cjk, "normalizer": self.rule}
        return config | ({"added_tokens": [list(token) for token in self.added_tokens]} if self.added_tokens else {})

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the tokenizer that `get_config` describes."""
        return super().from_config({"normalizer": cls.rule_before} | config)
