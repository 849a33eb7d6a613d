"""What is done to a text before WordPiece: the one function that learner, tokenizers, shards and served graphs share."""

import dataclasses
from typing import Literal

import tensorflow as tf
import tensorflow_text as tf_text

Rule = Literal["unicode", "bert", "keras_hub"]

PUNCTUATION = r"[!-/:-@\[-`{-~\p{P}]"
CHINESE = (
    r"[\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}"
    r"\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{2F800}-\x{2FA1F}]"
)
# Of "unicode": the zero-width space of Khmer, Lao and Thai ends a word. Of what else cannot be seen, the two joiners tell words
# apart in Persian, Malayalam and Sinhala and stay; soft hyphens, directions and variants of one sign do not, and go.
SPACE = r"\s|\p{Z}|\p{Cc}|\x{200B}"
_INVISIBLE = (
    r"[\x{AD}\x{34F}\x{61C}\x{180B}-\x{180E}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}"
    r"\x{FE00}-\x{FE0F}\x{FEFF}\x{E0000}-\x{E0FFF}]"
)
# Of "bert": what becomes a space, and what goes.
_BERT_SPACE = r"[\t\n\r\p{Z}]"
_BERT_CONTROL = r"[\p{Cc}\p{Cf}\p{Co}\x{FFFD}]"


def without_null(texts: tf.Tensor) -> tf.Tensor:
    """Puts another control character in the place of U+0000, at which operations of tensorflow-text end a text."""
    return tf.strings.regex_replace(texts, r"\x00", "\x01")


@dataclasses.dataclass(frozen=True)
class Normalizer:
    """Text to words, in TensorFlow operations only.

    Args:
        rule: "unicode": of a vocabulary that is learnt here. Unicode NFC; with `lowercase` NFKC, so that full-width letters
            are letters, and small letters: an `é` stays an `é`, a `ß` a `ß`. "bert": of Hugging Face's `BertTokenizer`, by its
            published algorithm. "keras_hub": of KerasHub's WordPiece tokenizers and of presets written before there was a
            choice; its code is KerasHub's.
        lowercase: capital and small letters are one.
        strip_accents: all combining marks (Unicode Mn) go: é is e. Hindi and Thai vowel signs and voice marks of kana go, too.
        split_on_cjk: each Chinese character is a word.
    """

    rule: Rule = "unicode"
    lowercase: bool = True
    strip_accents: bool = False
    split_on_cjk: bool = True

    def __post_init__(self) -> None:
        if self.rule not in ("unicode", "bert", "keras_hub"):
            raise ValueError(f"normalizer must be unicode, bert or keras_hub, received {self.rule!r}")

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Normalizes strings `(batch,)`, before they are split."""
        if self.rule == "bert":
            return self._bert(texts)
        form = "NFKC" if self.lowercase else "NFC"
        texts = tf.strings.regex_replace(without_null(texts), _INVISIBLE, "")
        texts = tf_text.normalize_utf8(texts, form)
        if self.strip_accents:
            texts = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
            texts = tf_text.normalize_utf8(texts, "NFC")
        if self.lowercase:  # a plain i is the small letter of the Turkish İ, which would become two characters
            texts = tf.strings.lower(tf.strings.regex_replace(texts, "İ", "i"), encoding="utf-8")
        return texts

    def split(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Splits normalized strings `(batch,)` into words `(batch, words)`; marks of punctuation stand alone."""
        alone = PUNCTUATION + (f"|{CHINESE}" if self.split_on_cjk else "")
        space = " " if self.rule == "bert" else SPACE
        return tf_text.regex_split(without_null(texts), f"{space}|{alone}", alone)

    def _bert(self, texts: tf.Tensor) -> tf.Tensor:
        texts = tf.strings.regex_replace(texts, _BERT_SPACE, " ")
        texts = tf.strings.regex_replace(texts, _BERT_CONTROL, "")
        if self.split_on_cjk:
            texts = tf.strings.regex_replace(texts, CHINESE, r" \0 ")
        if self.strip_accents:
            texts = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
        if self.lowercase:  # the last sigma of a word would become another letter than the others
            texts = tf.strings.lower(tf.strings.regex_replace(texts, "Σ", "σ"), encoding="utf-8")
        return texts
