"""How texts become rows of shards, as it stands in their manifest."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfpretune.data.text.normalizers import Normalizer, Rule
from tfpretune.data.text.wordpiece import AddedToken, WordPiece
from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Packing:
    """How texts become rows; the tokenizer is `TextEncoderTokenizer` of `FOLDER/vocabulary.txt` with these settings.

    Args:
        sequence_length: tokens in a row.
        lowercase: see `Normalizer`.
        strip_accents: see `Normalizer`.
        shares: the fractions of texts for training, validation and test, as `Examples.split` takes them.
        normalizer: the rule of the `Normalizer`.
        split_on_cjk: see `Normalizer`.
        added_tokens: of a preset's tokenizer.

    Examples:
        >>> from tfpretune.data import Packing
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good"]
        >>> Packing(sequence_length=128, lowercase=True).tokenizer(tokens)(["Good"]).to_list()
        [[5]]
    """

    sequence_length: int
    lowercase: bool = True
    strip_accents: bool = False
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    normalizer: Rule = "unicode"
    split_on_cjk: bool = True
    added_tokens: tuple[AddedToken, ...] = ()

    def __post_init__(self) -> None:
        if self.sequence_length < 3:
            raise UsageError(f"`sequence_length` must be at least 3, received {self.sequence_length}")
        if min(self.shares) < 0 or not abs(sum(self.shares) - 1) < 1e-6:
            raise UsageError(
                f"the fractions of validation and test must leave some for training, received {self.shares}"
            )

    def tokenizer(self, vocabulary: Sequence[str]) -> Any:
        """Returns what turns texts into ids: the tokenizer with these settings and a vocabulary."""
        case = {"lowercase": self.lowercase, "strip_accents": self.strip_accents, "split_on_cjk": self.split_on_cjk}
        if self.normalizer == "keras_hub":
            import keras_hub

            return keras_hub.tokenizers.BertTokenizer(vocabulary, **case)
        return WordPiece(vocabulary, Normalizer(self.normalizer, **case), added_tokens=self.added_tokens)
