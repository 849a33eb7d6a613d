"""tfpretune's public classes, and KerasHub as its documentation shows it."""

from typing import Any

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from sides.inputs import (
    DECAY,
    MASK,
    PAD,
    RATE,
    SPECIAL_IDS,
    Clock,
    Sizes,
    answer,
    masked_rows,
    texts,
    token_rows,
    vocabulary,
)
from tfpretune.backbones import TextEncoder
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.masking.tokens import mask_tokens
from tfpretune.objectives import MaskedLM
from tfpretune.training.optimizers.from_settings import MultiRateAdamW

VERSIONS = {"tensorflow": tf.__version__, "keras": keras.__version__, "keras-hub": keras_hub.__version__}
KERAS_HUB_SLOTS = 96  # the default of BertMaskedLMPreprocessor(mask_selection_length=)


class StepTimes(keras.callbacks.Callback):
    """Notes when each step ended, and the loss of the first."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.clock = Clock(sizes)
        self.start_loss: float | None = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Waits for the loss, then looks at the clock."""
        loss = float((logs or {})["loss"])
        if self.start_loss is None:
            self.start_loss = loss
        self.clock.tick()


def measure(name: str, dtype: str, sizes: Sizes) -> dict[str, Any]:
    """Times one side: "text_encoder" and "bert" (tfpretune), "strings", "default_strings" and "ids" (KerasHub)."""
    keras.utils.set_random_seed(sizes.seed)
    fit = {"text_encoder": fit_tfpretune, "bert": fit_tfpretune}.get(name, fit_keras_hub)
    times = fit(name, dtype, sizes)
    return times.clock.result() | {"start_loss": times.start_loss, "versions": VERSIONS}


def fit_tfpretune(name: str, dtype: str, sizes: Sizes) -> StepTimes:
    """A backbone, `MaskedLM`, `StepIndexed`, `mask_tokens`, `fit`."""
    model = masked_lm(name, dtype, sizes)
    model.compile(MultiRateAdamW(RATE, weight_decay=DECAY))
    steps, times = sizes.warmup_steps + sizes.steps, StepTimes(sizes)
    batches = step_indexed(sizes, token_rows(sizes, sizes.rows))
    model.fit(batches.from_step(0, steps), steps_per_epoch=steps, callbacks=[times], verbose=0, shuffle=False)
    return times


def masked_lm(name: str, dtype: str, sizes: Sizes) -> MaskedLM:
    """The objective of tfpretune on its own pre-norm encoder, or on KerasHub's BERT of the same size."""
    if name == "bert":
        return MaskedLM(bert(dtype, sizes))
    encoder = TextEncoder(
        sizes.vocabulary_size,
        sizes.num_layers,
        num_heads=sizes.num_heads,
        hidden_dim=sizes.hidden_dim,
        intermediate_dim=sizes.intermediate_dim,
        dropout=sizes.dropout,
        dtype=dtype,
    )
    return MaskedLM(encoder)


def bert(dtype: str, sizes: Sizes) -> keras_hub.models.BertBackbone:
    """KerasHub's BERT."""
    return keras_hub.models.BertBackbone(
        sizes.vocabulary_size,
        sizes.num_layers,
        sizes.num_heads,
        sizes.hidden_dim,
        sizes.intermediate_dim,
        dropout=sizes.dropout,
        max_sequence_length=sizes.sequence_length,
        dtype=dtype,
    )


def step_indexed(sizes: Sizes, rows: np.ndarray) -> StepIndexed:
    """Batches of ready ids; the masks are drawn anew in every step."""

    def transform(batch: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        masked = mask_tokens(
            batch["token_ids"],
            seed,
            vocabulary_size=sizes.vocabulary_size,
            mask_token_id=MASK,
            special_token_ids=SPECIAL_IDS,
            mask_rate=sizes.mask_rate,
        )
        return masked | {"padding_mask": tf.cast(batch["token_ids"] != PAD, tf.int32)}

    return StepIndexed({"token_ids": rows}, sizes.batch_size, seed=sizes.seed, transform=transform)


def fit_keras_hub(name: str, dtype: str, sizes: Sizes) -> StepTimes:
    """`BertMaskedLM`: from strings through its preprocessor, or from ids that were masked before the clock runs."""
    preprocessor = None
    if name != "ids":
        preprocessor = keras_hub_preprocessor(
            sizes, slots=KERAS_HUB_SLOTS if name == "default_strings" else sizes.masked
        )
    model = keras_hub.models.BertMaskedLM(bert(dtype, sizes), preprocessor=preprocessor)
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.AdamW(RATE, weight_decay=DECAY),
    )
    rows, times = token_rows(sizes, sizes.rows), StepTimes(sizes)
    settings = {"batch_size": sizes.batch_size, "callbacks": [times], "verbose": 0}
    if preprocessor is not None:
        model.fit(x=texts(sizes, rows), **settings)
        return times
    masked = masked_rows(sizes, rows)
    features = {
        "token_ids": masked["token_ids"],
        "padding_mask": np.ones_like(rows),
        "segment_ids": np.zeros_like(rows),
        "mask_positions": masked["mask_positions"],
    }
    model.fit(x=features, y=masked["mask_ids"], **settings)
    return times


def keras_hub_preprocessor(sizes: Sizes, *, slots: int) -> keras_hub.models.BertMaskedLMPreprocessor:
    """Its tokenizer with the words of `texts`, and its masks."""
    return keras_hub.models.BertMaskedLMPreprocessor(
        keras_hub.tokenizers.BertTokenizer(vocabulary(sizes)),
        sequence_length=sizes.sequence_length,
        mask_selection_rate=sizes.mask_rate,
        mask_selection_length=slots,
    )


if __name__ == "__main__":
    answer(measure)
