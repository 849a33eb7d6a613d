"""Input pipeline, tokenizer and masks, tfpretune beside KerasHub; and what bfloat16 changes in the loss."""

import dataclasses
import functools
import itertools
import time
from collections.abc import Iterable
from typing import Any

import keras
import keras_hub
import tensorflow as tf

from sides.inputs import DECAY, MASK, SPECIAL_IDS, Sizes, answer, rate, texts, token_rows, vocabulary
from sides.keras_side import keras_hub_preprocessor, masked_lm, step_indexed
from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.masking.tokens import mask_tokens
from tfpretune.data.text.tokens import encode_all
from tfpretune.training.optimizers.from_settings import MultiRateAdamW

ROWS = 4096
REPEATS = 8  # of the texts: `encode_all` has a fixed cost of a third of a second, for tracing
BATCHES = 200
CHANGE_STEPS = 50


def measure(name: str, dtype: str, sizes: Sizes) -> dict[str, Any]:
    """Times the "pipeline", or answers with the losses of the "change" that a number format makes."""
    keras.utils.set_random_seed(sizes.seed)
    return pipeline(sizes) if name == "pipeline" else change(dtype, sizes)


def pipeline(sizes: Sizes) -> dict[str, Any]:
    """Milliseconds a batch, MB of text a second, masked examples per second: (tfpretune, KerasHub) each."""
    rows = token_rows(sizes, ROWS)
    lines = texts(sizes, rows) * REPEATS
    megabytes = sum(map(len, lines)) / 1e6
    preprocessor = keras_hub_preprocessor(sizes, slots=sizes.masked)
    strings = tf.data.Dataset.from_tensor_slices(lines).repeat().batch(sizes.batch_size)
    drawn = strings.map(preprocessor, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)  # as in `fit`
    ours, theirs = TextEncoderTokenizer(vocabulary(sizes)), keras_hub.tokenizers.BertTokenizer(vocabulary(sizes))
    text, ids, seed = tf.constant(lines), tf.constant(rows), tf.constant([sizes.seed, 0])
    size, length, mask_rate = sizes.vocabulary_size, sizes.sequence_length, sizes.mask_rate
    generator = keras_hub.layers.MaskedLMMaskGenerator(
        size, mask_rate, MASK, mask_selection_length=sizes.masked, unselectable_token_ids=list(SPECIAL_IDS)
    )
    special: dict[str, Any] = {"mask_token_id": MASK, "special_token_ids": SPECIAL_IDS}
    tokenise = tf.function(lambda: theirs(text).flat_values)
    mask_ours = tf.function(lambda: mask_tokens(ids, seed, vocabulary_size=size, mask_rate=mask_rate, **special))
    mask_theirs = tf.function(lambda: generator(ids))
    encode = functools.partial(encode_all, ours, lines, sequence_length=length)
    return {
        "draw_ms": [milliseconds_a_batch(step_indexed(sizes, rows).from_step()), milliseconds_a_batch(drawn)],
        "tokenise": [rate(encode, megabytes), rate(tokenise, megabytes)],
        "mask": [rate(mask_ours, ROWS), rate(mask_theirs, ROWS)],
    }


def milliseconds_a_batch(batches: Iterable[Any]) -> float:
    """Draws batches and does nothing with them; the first are not counted."""
    drawn = iter(batches)
    for _ in itertools.islice(drawn, 20):
        pass
    begin = time.perf_counter()
    for _ in itertools.islice(drawn, BATCHES):
        pass
    return (time.perf_counter() - begin) / BATCHES * 1e3


def change(dtype: str, sizes: Sizes) -> dict[str, Any]:
    """Loss on rows that are not trained on, before and after the same steps: equal start weights, batches and masks.

    Without dropout: its masks are drawn in the number format of the layer, so they would differ.
    """
    model = masked_lm("text_encoder", dtype, dataclasses.replace(sizes, dropout=0.0))
    model.compile(MultiRateAdamW(1e-3, weight_decay=DECAY), clip_norm=1.0)
    rows = token_rows(sizes, (CHANGE_STEPS + 4) * sizes.batch_size)
    cut = CHANGE_STEPS * sizes.batch_size
    batches, held_out = step_indexed(sizes, rows[:cut]), step_indexed(sizes, rows[cut:]).in_order()
    before = model.evaluate(held_out, verbose=0, return_dict=True)["loss"]
    model.fit(batches.from_step(0, CHANGE_STEPS), steps_per_epoch=CHANGE_STEPS, verbose=0, shuffle=False)
    after = model.evaluate(held_out, verbose=0, return_dict=True)["loss"]
    return {"before": before, "after": after}


if __name__ == "__main__":
    answer(measure)
