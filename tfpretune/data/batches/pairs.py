"""Batches of pairs of texts."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.examples import label_columns
from tfpretune.data.batches.step_indexed import StepIndexed, Transform
from tfpretune.data.examples.examples import Examples
from tfpretune.data.text.pairs import encode_pairs, require_room
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import CHUNK, STRINGS
from tfpretune.errors import UsageError


def pair_batches(
    examples: Examples,
    batch_size: int,
    *,
    tokenizer: Tokenizer,
    sequence_length: int,
    seed: int = 0,
    transform: Transform | None = None,
    more_labels: Sequence[str] = (),
) -> StepIndexed:
    """Serves pairs as int32 `token_ids`, `padding_mask` and `segment_ids` `(batch, sequence_length)`, with `labels` if any.

    Args:
        examples: of kind "text", with second texts.
        batch_size: pairs per step.
        tokenizer: a KerasHub BERT-like tokenizer.
        sequence_length: length of the rows, at least 5.
        seed: decides order and transforms.
        transform: applied to batches.
        more_labels: further label columns of the examples, served under their own names.

    Returns:
        The batches: each row is `[CLS] first [SEP] second [SEP]`; `segment_ids` are 0 to the first [SEP], 1 to the second.

    Raises:
        UsageError: the examples are not pairs, or the rows too short.

    Examples:
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> from tfpretune.data import Examples, pair_batches
        >>> tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"])
        >>> pairs = Examples("text", ["good"], None, (), ["mine:1"], "mine", seconds=["bad"])
        >>> batch = next(iter(pair_batches(pairs, 1, tokenizer=tokenizer, sequence_length=6).in_order()))
        >>> batch["token_ids"].numpy().tolist(), batch["segment_ids"].numpy().tolist()
        ([[2, 5, 3, 6, 3, 0]], [[0, 0, 0, 1, 1, 0]])
    """
    examples.require_kind("text")
    if examples.seconds is None:
        raise UsageError(f"`source` {examples.name} holds single texts, expected pairs: name the second text's column")
    columns = encode_all_pairs(tokenizer, examples.inputs, examples.seconds, sequence_length=sequence_length)
    columns |= label_columns(examples, more_labels)
    return StepIndexed(columns, batch_size, seed=seed, transform=transform)


def encode_all_pairs(
    tokenizer: Tokenizer, firsts: Sequence[str], seconds: Sequence[str], *, sequence_length: int
) -> dict[str, np.ndarray]:
    """Encodes all pairs once, before training; arrays as `encode_pairs` gives them."""
    require_room(sequence_length)
    call = _encoder(tokenizer, sequence_length)
    parts = [
        call(*(tf.constant(list(texts[start : start + CHUNK])) for texts in (firsts, seconds)))
        for start in range(0, len(firsts), CHUNK)
    ]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


@functools.lru_cache(maxsize=4)
def _encoder(tokenizer: Tokenizer, sequence_length: int) -> Callable[..., dict[str, tf.Tensor]]:
    return tf.function(
        lambda firsts, seconds: encode_pairs(tokenizer, firsts, seconds, sequence_length=sequence_length),
        input_signature=[STRINGS, STRINGS],
    )
