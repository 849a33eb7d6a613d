"""Tagged sentences -> rows for a model, and what the model says of the rows -> tags of the words."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.tagged import TaggedExamples, continued
from tfpretune.data.text.given_words import given_words
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import CHUNK, STRINGS
from tfpretune.data.text.words import word_inputs

IGNORED = -1


@dataclasses.dataclass(frozen=True, eq=False)
class TagInputs:
    """Sentences as rows; one that is longer than a row has several.

    The tokenizer's words may differ from the source's ("U.S." is four, a run of digits one). A label stands at the first
    token of each of the tokenizer's words: the tag of the source's word that begins there, or of the one it lies in, going on
    (B-X as I-X). Serving splits raw text the same way, so it meets what was learnt. A word of the source of which the tokenizer
    makes none, such as U+3000, is the unknown token: each word has a label, and gets a tag.

    Args:
        columns: int32 `token_ids`, `padding_mask` and `labels` `(rows, length)`; labels are -1 where nothing counts, and
            missing when the sentences have no tags.
        sentence_of: int32 `(rows,)`.
        word_counts: int32 `(sentences,)`: the source's words of each sentence.
        place: int64 `(all words,)`: for each of the source's words, which of the labelled places (row by row) speaks for it.
        inside: bool `(all words,)`: that place belongs to an earlier word too, so its tag goes on.
        tag_names: the tags, in the order of their indices.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import TagInputs
        >>> first_tokens = np.array([[False, True, False, True, False]])  # [CLS] un ##happy man [SEP]
        >>> counts = {"sentence_of": np.array([0]), "word_counts": np.array([2])}
        >>> places = {"place": np.array([0, 1]), "inside": np.array([False, False]), "first_tokens": first_tokens}
        >>> rows = TagInputs({}, **counts, **places, tag_names=("ADJ", "NOUN"))
        >>> [tags.tolist() for tags in rows.words_of(np.array([[1, 0, 1, 1, 1]]))]  # at the first token of each word
        [[0, 1]]
    """

    columns: dict[str, np.ndarray]
    sentence_of: np.ndarray
    word_counts: np.ndarray
    place: np.ndarray
    inside: np.ndarray
    first_tokens: np.ndarray
    tag_names: tuple[str, ...]

    def batches(self, batch_size: int, *, seed: int = 0) -> StepIndexed:
        """Serves the rows."""
        return StepIndexed(self.columns, batch_size, seed=seed)

    def words_of(self, predicted: np.ndarray) -> list[np.ndarray]:
        """Puts predictions together again.

        Args:
            predicted: ints `(rows, length)`, tag indices, all rows in order.

        Returns:
            int32 `(words,)` for each sentence, as `TaggedExamples.tags` has them.
        """
        if predicted.shape != self.first_tokens.shape:
            raise ValueError(f"expected predictions {self.first_tokens.shape}, received {predicted.shape}")
        tags = predicted[self.first_tokens].astype(np.int32)[self.place]
        tags = np.where(self.inside, continued(self.tag_names)[tags], tags)
        return np.split(tags, np.cumsum(self.word_counts)[:-1])


def tag_batches(
    examples: TaggedExamples, batch_size: int, *, tokenizer: Tokenizer, sequence_length: int, seed: int = 0
) -> StepIndexed:
    """Serves sentences as int32 `token_ids`, `padding_mask` and `labels` `(batch, sequence_length)`; see `TagInputs`."""
    return tag_inputs(examples, tokenizer=tokenizer, sequence_length=sequence_length).batches(batch_size, seed=seed)


def tag_inputs(examples: TaggedExamples, *, tokenizer: Tokenizer, sequence_length: int) -> TagInputs:
    """Turns sentences into rows.

    Args:
        examples: the sentences.
        tokenizer: a KerasHub WordPiece tokenizer, such as BERT's or `TextEncoderTokenizer`.
        sequence_length: length of the rows, at least 3.

    Raises:
        UsageError: the tokenizer does not split text into words.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> from tfpretune.data import TaggedExamples, tag_inputs
        >>> tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"])
        >>> examples = TaggedExamples([("good", "bad")], [np.array([1, 0], "int32")], ("O", "B-X"), ["mine:1"], "mine")
        >>> tag_inputs(examples, tokenizer=tokenizer, sequence_length=5).columns["labels"].tolist()
        [[-1, 1, 0, -1, -1]]
    """
    call = _graph(tokenizer, sequence_length, examples.joiner)
    parts: list[dict[str, np.ndarray]] = []
    places = words = 0
    for start in range(0, len(examples), CHUNK):
        chunk = examples.words[start : start + CHUNK]
        flat = tf.constant([word for sentence in chunk for word in sentence], tf.string)
        part = {name: value.numpy() for name, value in call(flat, [len(sentence) for sentence in chunk]).items()}
        part["sentence_of"] += start
        part["place"] += places
        part["source_of"] += words
        parts.append(part)
        places, words = places + len(part["source_of"]), words + len(flat)
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    first_tokens = found["word_of"] >= 0
    columns = {"token_ids": found["token_ids"], "padding_mask": found["padding_mask"]}
    if examples.tags is not None:
        tags = np.concatenate(examples.tags)[found["source_of"]]
        columns["labels"] = np.full(first_tokens.shape, IGNORED, np.int32)
        columns["labels"][first_tokens] = np.where(found["goes_on"], continued(examples.tag_names)[tags], tags)
    counts = np.array([len(words) for words in examples.words], np.int32)
    return TagInputs(
        columns, found["sentence_of"], counts, found["place"], found["inside"], first_tokens, examples.tag_names
    )


@functools.lru_cache(maxsize=4)
def _graph(tokenizer: Tokenizer, sequence_length: int, joiner: str) -> Callable[..., dict[str, tf.Tensor]]:
    # Kept, since tracing takes longer than cutting a short list; few, since each holds its tokenizer in memory.
    def rows(words: tf.Tensor, counts: tf.Tensor) -> dict[str, tf.Tensor]:
        given = given_words(tokenizer, tf.RaggedTensor.from_row_lengths(words, counts), joiner=joiner)
        cut = word_inputs(tokenizer, given.words, sequence_length=sequence_length)
        return {
            "token_ids": cut.token_ids,
            "padding_mask": cut.padding_mask,
            "sentence_of": cut.text_of,
            "word_of": cut.word_of,
            "place": given.place,
            "inside": given.inside,
            "source_of": given.source_of,
            "goes_on": given.goes_on,
        }

    return tf.function(rows, input_signature=[STRINGS, tf.TensorSpec((None,), tf.int64)])
