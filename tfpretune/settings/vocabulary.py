"""Settings of what makes rows of tokens from texts. Imports no TensorFlow."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class VocabularyConfig:
    """How a vocabulary is learnt from texts and how they become rows.

    Examples:
        >>> from tfpretune.settings import VocabularyConfig
        >>> VocabularyConfig(lowercase=False).case
        {'lowercase': False, 'strip_accents': False}
    """

    vocabulary_size: int = 8000
    """Upper bound of the tokens of a vocabulary that is learnt from the texts. Not used with --preset and shards."""
    lowercase: bool = True
    """Capital and small letters are one; accents and other marks stay. Not used with --preset and shards."""
    strip_accents: bool = False
    """Drop all marks, so that é is e: for European languages, since vowel signs of Hindi and Thai and voice marks of kana go,
    too; and for an uncased vocabulary of BERT. Not used with --preset and shards."""
    most_unknown: float = 0.2
    """Refuse texts of which a larger fraction of the tokens is [UNK] than this, in [0, 1]; 1 refuses nothing."""
    sequence_length: int = 128
    """Tokens in a row. Texts are joined and cut, so no row is padded."""

    @property
    def case(self) -> dict[str, Any]:
        """What a new vocabulary does to letters, as the learner and the tokenizer name it."""
        return {"lowercase": self.lowercase, "strip_accents": self.strip_accents}
