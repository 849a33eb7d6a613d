"""WordPiece in a graph: texts to the ids of a vocabulary, with tokens that were added to it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_text as tf_text

from tfpretune.data.text.normalizers import Normalizer, without_null

BERT_LONGEST_WORD = 100  # characters; a longer word is [UNK], as Hugging Face's has it
_NO_LIMIT = 1 << 20  # bytes of a word; the algorithm's time is linear in them
_PRIVATE = "\ue000"  # no text holds it after the "bert" rule


class AddedToken(NamedTuple):
    """A token that is found in a text before it is split into words.

    Args:
        content: as it stands in the vocabulary.
        normalized: look for it in the normalized text; else in the text as it is.
    """

    content: str
    normalized: bool


class WordPiece:
    """Longest-match-first WordPiece behind a `Normalizer`.

    With the rule "unicode" words have any length: a run of Thai or of kana is written without spaces. With "bert" a word of
    over 100 characters is the unknown token, as in the original.

    Args:
        vocabulary: the tokens, by id.
        normalizer: with the rule "unicode" or "bert".
        added_tokens: of the vocabulary; the longest that fits is taken. Only with "bert".
        suffix_indicator: before tokens that go on a word.
        unknown_token: for a word that cannot be made of tokens.
        dtype: of the ids.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        normalizer: Normalizer,
        *,
        added_tokens: Sequence[AddedToken] = (),
        suffix_indicator: str = "##",
        unknown_token: str = "[UNK]",
        dtype: Any = "int32",
    ):
        self.normalizer = normalizer
        self.vocabulary = list(vocabulary)
        self.unknown_token = unknown_token
        names = {
            token.content: f"{_PRIVATE}{token.content}" for token in added_tokens if token.content != unknown_token
        }
        contents = {token.content: names.get(token.content, token.content) for token in added_tokens}
        self._raw = _Finder({text: contents[text] for text, normalized in added_tokens if not normalized})
        self._found = _Finder({self._normal(text): contents[text] for text, normalized in added_tokens if normalized})
        self._pieces = tf_text.FastWordpieceTokenizer(
            [names.get(token, token) for token in vocabulary],
            suffix_indicator,
            max_bytes_per_word=4 * BERT_LONGEST_WORD if normalizer.rule == "bert" else _NO_LIMIT,
            token_out_type=dtype,
            unknown_token=unknown_token,
            no_pretokenization=True,
        )

    @property
    def start_token_id(self) -> int:
        """The id of [CLS]."""
        return self.vocabulary.index("[CLS]")

    @property
    def end_token_id(self) -> int:
        """The id of [SEP]."""
        return self.vocabulary.index("[SEP]")

    @property
    def pad_token_id(self) -> int:
        """The id of [PAD]."""
        return self.vocabulary.index("[PAD]")

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Returns the ids of strings `(batch,)`, ragged `(batch, None)`, without tokens at the ends."""
        words = self._raw.around(texts, self._words)
        if self.normalizer.rule == "bert":
            lengths = tf.strings.length(words.flat_values, unit="UTF8_CHAR")
            words = words.with_flat_values(
                tf.where(lengths <= BERT_LONGEST_WORD, words.flat_values, self.unknown_token)
            )
        return self._pieces.tokenize(words).merge_dims(-2, -1)

    def _words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self._found.around(self.normalizer(texts), self.normalizer.split)

    def _normal(self, content: str) -> str:
        with tf.init_scope():
            return self.normalizer(tf.constant([content])).numpy()[0].decode()


class _Finder:
    """Takes added tokens out of texts. Makes the pattern: the longest first, so the longest that fits is found."""

    def __init__(self, names: dict[str, str]):
        self._texts = [token.content for token in longest_first([AddedToken(text, False) for text in names])]
        self._names = [names[text] for text in self._texts]
        self._pattern = "|".join(map(escape, self._texts))

    def around(self, texts: tf.Tensor, split: Callable[[tf.Tensor], tf.RaggedTensor]) -> tf.RaggedTensor:
        """Splits what stands around the tokens, and puts each token's name where it stood, as one word."""
        if not self._pattern:
            return split(texts)
        parts = tf_text.regex_split(without_null(texts), self._pattern, self._pattern)
        flat = parts.flat_values
        same = flat[:, tf.newaxis] == tf.constant(self._texts)
        is_token = tf.reduce_any(same, axis=1)
        names = tf.gather(self._names, tf.argmax(same, axis=1))
        own = tf.RaggedTensor.from_tensor(names[:, tf.newaxis], lengths=tf.cast(is_token, tf.int64))
        rest = split(tf.where(is_token, "", flat))
        return parts.with_flat_values(tf.concat([own, rest], axis=1)).merge_dims(-2, -1)


def longest_first(tokens: Sequence[AddedToken]) -> list[AddedToken]:
    """Orders tokens for a pattern that takes the first that fits: the longest is to be found. Empty ones are left out."""
    return sorted((token for token in tokens if token.content), key=lambda token: (-len(token.content), token))


def escape(text: str) -> str:
    """Writes a text as a pattern of RE2, which knows other escapes than Python."""
    return "".join(character if character.isalnum() else f"\\x{{{ord(character):X}}}" for character in text)
