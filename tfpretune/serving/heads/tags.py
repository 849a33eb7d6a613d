"""A tagger as it is served: the words of each text with their tags and places."""

from typing import Any

import tensorflow as tf

from tfpretune.data.text.words import WordInputs, Words
from tfpretune.serving.heads.base import Answers, Head, runner_up_is_near


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
