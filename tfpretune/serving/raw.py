"""From what a caller sends to rows for a model: cleaning, tokens, pixels, inside a graph."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_text as tf_text

from tfpretune.data.image.decoding import decode_sized
from tfpretune.data.image.fitting import Resize
from tfpretune.data.image.resizing import Places, places_of
from tfpretune.data.text.cleaning import clean
from tfpretune.data.text.given_words import GivenWords, given_words
from tfpretune.data.text.pairs import encode_pairs, require_room
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import encode
from tfpretune.data.text.windows import question_windows
from tfpretune.data.text.words import WordInputs, Words, split_for, word_inputs
from tfpretune.serving.loading import WORDS

# What `data.text.cleaning.clean` calls white space, line breaks and unwanted, in the notation of RE2.
_SPACE = r"\t-\r\x{1c}-\x{1f}\x{85}\p{Z}"
_LINE_BREAK = r"\n-\r\x{1c}-\x{1e}\x{85}\x{2028}\x{2029}"
_UNWANTED = r"[\x{0}-\x{8}\x{e}-\x{1b}\x{7f}-\x{84}\x{86}-\x{9f}\x{feff}]"


class ModelInputs(NamedTuple):
    """What a model is called with.

    Attributes:
        inputs: the model's inputs by name, a row or several for each thing sent.
        context: what a head needs beside the model's outputs to answer; None where one row is one answer.
    """

    inputs: dict[str, tf.Tensor]
    context: Any = None


@dataclasses.dataclass(frozen=True)
class RawPreprocessing:
    """How raw strings become rows.

    Args:
        names: of the raw inputs, each strings `(batch,)`; words `(batch, n)`.
        clean: strings -> strings, TensorFlow operations only.
        clean_one: the same for one string, in Python, as the training data was cleaned.
        rows: the cleaned strings of each input -> rows, TensorFlow operations only.
        steps: what is done, for people.
        sizes: what else is stored with the export of how it reads; JSON values.
        shape: of each raw input.
    """

    names: tuple[str, ...]
    clean: Callable[[tf.Tensor], tf.Tensor]
    clean_one: Callable[[str], str]
    rows: Callable[..., ModelInputs]
    steps: str
    sizes: dict[str, Any] = dataclasses.field(default_factory=dict)
    shape: tuple[int | None, ...] = (None,)


class SentWords(NamedTuple):
    """The context of given words.

    Attributes:
        shape: int64 `(2,)`, of the words as they were sent.
        counts: int64 `(batch,)`: so many of each row are words, the others fill it up.
        given: the words, matched with the tokenizer's.
        rows: those as rows.
    """

    shape: tf.Tensor
    counts: tf.Tensor
    given: GivenWords
    rows: WordInputs


def clean_in_graph(texts: tf.Tensor) -> tf.Tensor:
    """Cleans strings `(batch,)` as `data.text.cleaning.clean` does, inside a graph.

    Bytes that are no UTF-8 become U+FFFD. Lines over 4,096 bytes are not split: a line end is white space to the
    tokenizers, so only a single word of that length would come out otherwise.
    """
    texts = valid_utf8(texts)
    texts = tf_text.normalize_utf8(texts, "NFC")
    texts = tf.strings.regex_replace(texts, _UNWANTED, "")
    texts = tf.strings.regex_replace(texts, f"[{_SPACE}]*[{_LINE_BREAK}][{_SPACE}]*", "\n")
    texts = tf.strings.regex_replace(texts, r"[\t\x{1f}\p{Z}]+", " ")
    return tf.strings.strip(texts)


def valid_utf8(texts: tf.Tensor) -> tf.Tensor:
    """Replaces bytes that are no UTF-8 by U+FFFD; every other character stays where it is."""
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace", replace_control_characters=False)


def words_in_place(tokenizer: Tokenizer, texts: tf.Tensor) -> Words:
    """Splits texts that were not cleaned, so that offsets count the characters of the text as it was sent.

    Cleaning's white space separates words, and so do control and format characters. The words are as they stand in the text;
    `word_tokens_form` makes of them what the tokenizer is to see.
    """
    return split_for(tokenizer, tf.strings.regex_replace(texts, r"\p{Z}", " "))  # one character for one


def word_tokens_form(words: tf.RaggedTensor) -> tf.RaggedTensor:
    """Returns words in Unicode NFC, as cleaned training data has them."""
    return words.with_flat_values(tf_text.normalize_utf8(words.flat_values, "NFC"))


def text_preprocessing(tokenizer: Tokenizer, sequence_length: int) -> RawPreprocessing:
    """One text per row, cut after `sequence_length` tokens."""

    def rows(texts: tf.Tensor) -> ModelInputs:
        return ModelInputs(encode(tokenizer, texts, sequence_length=sequence_length))

    return RawPreprocessing(("texts",), clean_in_graph, clean, rows, f"{_CLEANED}, tokenized")


def pair_preprocessing(tokenizer: Tokenizer, sequence_length: int) -> RawPreprocessing:
    """Two texts per row; where they are too long, the longer one is cut first."""
    require_room(sequence_length)

    def rows(firsts: tf.Tensor, seconds: tf.Tensor) -> ModelInputs:
        return ModelInputs(encode_pairs(tokenizer, firsts, seconds, sequence_length=sequence_length))

    return RawPreprocessing(
        ("texts", "text_pairs"), clean_in_graph, clean, rows, f"{_CLEANED}, tokenized, both in one row"
    )


def word_preprocessing(tokenizer: Tokenizer, sequence_length: int) -> RawPreprocessing:
    """The words of a text in one row or several; the context is the `Words` and the `WordInputs`."""

    def rows(texts: tf.Tensor) -> ModelInputs:
        words = words_in_place(tokenizer, texts)
        cut = word_inputs(tokenizer, word_tokens_form(words.words), sequence_length=sequence_length)
        return ModelInputs({"token_ids": cut.token_ids, "padding_mask": cut.padding_mask}, (words, cut))

    steps = (
        "invalid UTF-8 replaced, split into words at white space, control characters, punctuation and Chinese characters, "
        "Unicode NFC, tokenized"
    )
    return RawPreprocessing(("texts",), valid_utf8, str, rows, steps)


def given_word_preprocessing(tokenizer: Tokenizer, sequence_length: int, joiner: str) -> RawPreprocessing:
    """Words that the caller has split, `(batch, n)`, each row filled up with ""; the context is the `SentWords`."""

    def rows(words: tf.Tensor) -> ModelInputs:
        counts = _used(words)
        sent = tf.RaggedTensor.from_tensor(words, lengths=counts)
        cleaned = clean_in_graph(sent.flat_values)
        kept = tf.where(cleaned == "", sent.flat_values, cleaned)  # white space alone stays, as in training
        given = given_words(tokenizer, sent.with_flat_values(kept), joiner=joiner)
        cut = word_inputs(tokenizer, given.words, sequence_length=sequence_length)
        inputs = {"token_ids": cut.token_ids, "padding_mask": cut.padding_mask}
        return ModelInputs(inputs, SentWords(tf.shape(words, tf.int64), counts, given, cut))

    steps = f"{_CLEANED} in each word, joined by {joiner!r} and tokenized as in training"
    return RawPreprocessing((WORDS,), valid_utf8, str, rows, steps, {"joiner": joiner}, (None, None))


def _used(words: tf.Tensor) -> tf.Tensor:
    """Returns how many values of each row `(batch, n)` stand before the "" that fill it up; int64 `(batch,)`."""
    numbers = tf.where(words == "", tf.constant(0, tf.int64), tf.range(1, tf.shape(words, tf.int64)[1] + 1))
    return tf.reduce_max(tf.pad(numbers, [[0, 0], [1, 0]]), axis=1)


def context_preprocessing(tokenizer: Tokenizer, sequence_length: int, stride: int) -> RawPreprocessing:
    """Questions and contexts in rows, see `question_windows`; the head's context is the contexts and the windows."""
    require_room(sequence_length)

    def rows(questions: tf.Tensor, contexts: tf.Tensor) -> ModelInputs:
        windows = question_windows(tokenizer, questions, contexts, sequence_length=sequence_length, stride=stride)
        inputs = {name: getattr(windows, name) for name in ("token_ids", "padding_mask", "segment_ids")}
        return ModelInputs(inputs, (contexts, windows))

    steps = "invalid UTF-8 replaced, tokenized, the question and a part of the context in each row"
    return RawPreprocessing(("questions", "contexts"), valid_utf8, str, rows, steps, {"stride": stride})


_RESIZED = {
    "squeeze": "",
    "crop": "what is too long for the aspect ratio cut off on both sides, ",
    "pad": "padded with black to the aspect ratio, ",
}


def image_preprocessing(image_shape: tuple[int, int, int], resize: Resize = "squeeze") -> RawPreprocessing:
    """Encoded images as float32 `images` in [0, 1]; the head's context is `Places`, None where images are squeezed."""
    height, width, channels = image_shape
    size = (height, width)
    places = Places(tf.TensorSpec((height,), tf.int32), tf.TensorSpec((width,), tf.int32))
    signature = (tf.TensorSpec(image_shape, tf.float32), places)

    def decode(contents: tf.Tensor) -> tuple[tf.Tensor, Places]:
        image, shape = decode_sized(contents, size=size, channels=channels, resize=resize)
        return image, places_of(shape, size, resize)

    def rows(contents: tf.Tensor) -> ModelInputs:
        if resize == "squeeze":
            images = tf.map_fn(lambda one: decode(one)[0], contents, fn_output_signature=signature[0])
            return ModelInputs({"images": images})
        images, found = tf.map_fn(decode, contents, fn_output_signature=signature)
        return ModelInputs({"images": images}, found)

    steps = (
        f"decoded, put upright as Exif says, transparency laid on white, {_RESIZED[resize]}"
        "resized bilinearly with antialiasing, scaled to [0, 1]"
    )
    said = {} if resize == "squeeze" else {"resize": resize}
    return RawPreprocessing(("image_bytes",), tf.identity, str, rows, steps, said)


_CLEANED = "invalid UTF-8 replaced, Unicode NFC, control characters removed, white space joined"
