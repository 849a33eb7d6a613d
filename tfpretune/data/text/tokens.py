"""Text to token ids: a vocabulary trained on the corpus, rows for training, and the same encoding inside a serving graph."""

import collections
import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfpretune.data.text.learner import SPECIAL_TOKENS, learn
from tfpretune.data.text.normalizers import Normalizer
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.runtime.phases import phase

CHUNK = 1024
STRINGS = tf.TensorSpec((None,), tf.string)


@phase("learning a vocabulary")
def train_wordpiece(
    texts: Sequence[str], vocabulary_size: int, *, lowercase: bool = True, strip_accents: bool = False
) -> list[str]:
    """Learns a WordPiece vocabulary (Schuster and Nakajima 2012) with tensorflow-text's learner.

    Texts are normalized and split by the `Normalizer` that the tokenizer has, so that what is learnt can be found again.

    Args:
        texts: the corpus.
        vocabulary_size: upper bound of the number of tokens, the five special ones included.
        lowercase: see `Normalizer`; the tokenizer must do the same.
        strip_accents: see `Normalizer`; the tokenizer must do the same.

    Returns:
        Tokens; the special ones come first, [PAD] with id 0.

    Raises:
        UsageError: `vocabulary_size` is below 105.

    Examples:
        >>> from tfpretune.data import train_wordpiece
        >>> tokens = train_wordpiece(["low lower lowest", "new newer newest"] * 5, 200)
        >>> tokens[:5], "newest" in tokens, "##w" in tokens
        (['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'], True, True)
    """
    if vocabulary_size < len(SPECIAL_TOKENS) + 100:
        raise UsageError(f"`vocabulary_size` must be at least {len(SPECIAL_TOKENS) + 100}, received {vocabulary_size}")
    normalizer = Normalizer(lowercase=lowercase, strip_accents=strip_accents)
    counts: collections.Counter[bytes] = collections.Counter()
    for start in range(0, len(texts), CHUNK):
        words = normalizer.split(normalizer(tf.constant(list(texts[start : start + CHUNK]))))
        counts.update(words.flat_values.numpy().tolist())
    return learn({word.decode("utf-8"): count for word, count in counts.items()}, vocabulary_size)


def encode(tokenizer: Tokenizer, texts: tf.Tensor, *, sequence_length: int) -> dict[str, tf.Tensor]:
    """Turns texts into `[CLS] tokens [SEP]`, cut and padded. Call it in a `tf.function` or a SavedModel.

    Args:
        tokenizer: a KerasHub BERT-like tokenizer. (Outside a graph it would answer with Python lists.)
        texts: strings `(batch,)`.
        sequence_length: length of the rows, at least 3.

    Returns:
        int32 `token_ids` and `padding_mask`, `(batch, sequence_length)`.
    """
    rows = with_ends(tokenizer, tokenizer(texts)[:, : sequence_length - 2])
    token_ids = rows.to_tensor(tokenizer.pad_token_id, shape=(None, sequence_length))
    lengths = tf.cast(rows.row_lengths(), tf.int32)
    return {"token_ids": token_ids, "padding_mask": tf.sequence_mask(lengths, sequence_length, tf.int32)}


def encode_all(tokenizer: Tokenizer, texts: Sequence[str], *, sequence_length: int) -> dict[str, np.ndarray]:
    """Encodes a whole list of texts once, before training; arrays as `encode` gives them.

    Examples:
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> from tfpretune.data import encode_all
        >>> tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"])
        >>> encode_all(tokenizer, ["good bad"], sequence_length=5)["token_ids"].tolist()
        [[2, 5, 6, 3, 0]]
    """
    _require_length(sequence_length)
    call = _encoder(tokenizer, sequence_length)
    parts = [call(tf.constant(list(texts[start : start + CHUNK]))) for start in range(0, len(texts), CHUNK)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


@functools.lru_cache(maxsize=4)
def _encoder(tokenizer: Tokenizer, sequence_length: int) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    # Kept, since tracing takes longer than encoding a short list; few, since each holds its tokenizer in memory.
    return tf.function(
        lambda texts: encode(tokenizer, texts, sequence_length=sequence_length), input_signature=[STRINGS]
    )


@phase("cutting the texts into tokens")
def pack(tokenizer: Tokenizer, texts: Sequence[str], *, sequence_length: int) -> np.ndarray:
    """Joins all texts, each as `[CLS] tokens [SEP]`, and cuts the stream into full rows: no padding at all.

    Returns:
        int32 `(rows, sequence_length)`. The last tokens that fill no row are left out, unless they are all there is: then
        they are padded to one row.
    """
    _require_length(sequence_length)
    call = tf.function(lambda part: with_ends(tokenizer, tokenizer(part)).flat_values, input_signature=[STRINGS])
    stream = [call(tf.constant(list(texts[start : start + CHUNK]))).numpy() for start in range(0, len(texts), CHUNK)]
    return cut_rows(np.concatenate(stream), sequence_length, padding=tokenizer.pad_token_id)


def cut_rows(tokens: np.ndarray, length: int, *, padding: int) -> np.ndarray:
    """Cuts a stream of tokens into full rows; the rest is left out, unless it is all there is: then it is padded to a row.

    Args:
        tokens: `(tokens,)`, any int type.
        length: of a row.
        padding: the id that fills up.

    Returns:
        `(rows, length)`, of the same type; no rows for no tokens.
    """
    if 0 < len(tokens) < length:
        tokens = np.pad(tokens, (0, length - len(tokens)), constant_values=padding)
    rows = len(tokens) // length
    return tokens[: rows * length].reshape(rows, length)


def _require_length(sequence_length: int) -> None:
    if sequence_length < 3:
        raise UsageError(f"`sequence_length` must be at least 3, received {sequence_length}")


def with_ends(tokenizer: Tokenizer, pieces: tf.RaggedTensor) -> tf.RaggedTensor:
    """Puts [CLS] before each row of token ids and [SEP] behind it; int32."""
    batch = pieces.nrows()
    start = tf.fill([batch, 1], tokenizer.start_token_id)
    end = tf.fill([batch, 1], tokenizer.end_token_id)
    return tf.concat([start, tf.cast(pieces, tf.int32), end], axis=1)


def unigram_entropy(rows: np.ndarray, *, special_token_ids: tuple[int, ...]) -> float:
    """Returns the entropy in nats of the tokens, special ones left out: the loss of a model that knows word counts only.

    A masked language model sits on this plateau first; pre-training helps only once it has left it.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import unigram_entropy
        >>> rows = np.array([[2, 5, 6, 3], [2, 7, 8, 3]])  # four words, each as often as the others: ln 4
        >>> round(unigram_entropy(rows, special_token_ids=(2, 3)), 4)
        1.3863
    """
    counts = np.bincount(rows.ravel())
    counts[[token for token in special_token_ids if token < len(counts)]] = 0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
