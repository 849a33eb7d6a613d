"""A tagger as it is served: the words of each text with their tags and places, or the tags of words that are sent."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tfpretune.data.examples.tagged import continued
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.words import WordInputs, Words
from tfpretune.serving.heads.base import Answers, Head, runner_up_is_near
from tfpretune.serving.raw import RawPreprocessing, SentWords, given_word_preprocessing


class TagHead(Head):
    """A tag for each word of a text; a word speaks at its first token."""

    says = "tags"
    padded = ("words", "tags", "probabilities", "starts", "ends")

    def answers(self, outputs: tf.Tensor, context: tuple[Words, WordInputs] | None = None) -> Answers:
        """The words, tags, tags' probabilities and places, padded with "" and 0 to the longest text of the batch."""
        words, probabilities = self._of_words(outputs, context)
        tags = tf.gather(tf.constant(self.class_names), tf.argmax(probabilities, axis=-1))
        ragged = {
            "words": words.words,
            "tags": words.words.with_flat_values(tags),
            "probabilities": words.words.with_flat_values(tf.reduce_max(probabilities, axis=-1)),
            "starts": words.starts,
            "ends": words.ends,
        }
        return {name: values.to_tensor() for name, values in ragged.items()} | {
            "num_words": tf.cast(words.words.row_lengths(), tf.int32)
        }

    def unsure(self, outputs: tf.Tensor, context: tuple[Words, WordInputs] | None = None) -> Answers:
        """Words whose second tag is near."""
        words, probabilities = self._of_words(outputs, context)
        return {"tags": words.words.with_flat_values(runner_up_is_near(probabilities)).to_tensor()}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        places = "int32 `(batch, n)`: characters (Unicode code points) of the text as it was sent"
        return {
            "words": 'string `(batch, n)`, padded with ""',
            "tags": "string `(batch, n)`",
            "probabilities": "float32 `(batch, n)`: of the tag",
            "starts": f"{places}, of the word's first",
            "ends": f"{places}, behind the word's last",
            "num_words": "int32 `(batch,)`: so many of the n count",
        }

    def _of_words(self, outputs: tf.Tensor, context: Any) -> tuple[Words, tf.Tensor]:
        """Returns the words, and the probabilities `(all words, tags)` in their order."""
        words, rows = context
        return words, self.target.activate(tf.boolean_mask(outputs, rows.word_of >= 0))


class GivenTagHead(Head):
    """A tag for each word that is sent; the first of the tokenizer's words that stands in it speaks for it."""

    says = "tags"
    padded = ("tags", "probabilities")

    def answers(self, outputs: tf.Tensor, context: SentWords | None = None) -> Answers:
        """The tags and their probabilities, in the places of the words; "" and 0 where the words are filled up."""
        sent: Any = context
        probabilities = self._of_given(outputs, sent)
        tags = tf.argmax(probabilities, axis=-1)
        tags = tf.where(sent.given.inside, tf.gather(continued(self.class_names), tags), tf.cast(tags, tf.int32))
        best = tf.reduce_max(probabilities, axis=-1)
        return {
            "tags": _in_place(tf.gather(tf.constant(self.class_names), tags), sent, ""),
            "probabilities": _in_place(best, sent, 0.0),
        }

    def unsure(self, outputs: tf.Tensor, context: SentWords | None = None) -> Answers:
        """Words whose second tag is near."""
        sent: Any = context
        return {"tags": _in_place(runner_up_is_near(self._of_given(outputs, sent)), sent, False)}

    def described(self) -> dict[str, str]:
        """See `Head`."""
        return {
            "tags": 'string `(batch, n)`, one for each word in its place, "" where the words are filled up',
            "probabilities": "float32 `(batch, n)`: of the tag",
        }

    def _of_given(self, outputs: tf.Tensor, sent: SentWords) -> tf.Tensor:
        """Returns the probabilities `(all given words, tags)`."""
        spoken = self.target.activate(tf.boolean_mask(outputs, sent.rows.word_of >= 0))
        return tf.gather(spoken, sent.given.place)


class Served(NamedTuple):
    """What is sent to some of an export's signatures, and what answers."""

    reading: RawPreprocessing
    heads: Mapping[str, Head]


def given_words_of(
    heads: Mapping[str, Head], settings: Mapping[str, Any], *, tokenizer: Tokenizer | None, joiner: str
) -> Served | None:
    """Returns how a tagger is served on words that are sent; None of other models.

    Args:
        heads: from `heads_of`.
        settings: from `preprocessing`.
        tokenizer: of the tagger.
        joiner: what stood between the words in training.
    """
    head = heads.get("")
    if tokenizer is None or not isinstance(head, TagHead):
        return None
    reading = given_word_preprocessing(tokenizer, settings["sequence_length"], joiner)
    return Served(reading, {"": GivenTagHead(head.target, head.class_names)})


def _in_place(flat: tf.Tensor, sent: SentWords, filling: Any) -> tf.Tensor:
    return tf.RaggedTensor.from_row_lengths(flat, sent.counts).to_tensor(filling, shape=sent.shape)
