"""The network that articles on sentiment begin with: an LSTM over embeddings, in plain Keras, from random weights."""

import keras
import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import encode_all


def lstm_accuracies(
    parts: LabelledSplits, tokenizer: Tokenizer, *, sequence_length: int, epochs: int, seed: int
) -> tuple[float, float]:
    """Trains a bidirectional LSTM and keeps the epoch that is best on the validation set.

    Args:
        parts: texts of two or more classes.
        tokenizer: a KerasHub BERT-like tokenizer.
        sequence_length: tokens of a text that are read.
        epochs: at most so many.
        seed: decides start weights and order.

    Returns:
        Accuracies on the training set, without dropout, and on the test set.
    """
    keras.utils.set_random_seed(seed)
    ids = {part: _ids(getattr(parts, part), tokenizer, sequence_length) for part in ("train", "validation", "test")}
    model = keras.Sequential(
        [
            keras.layers.Embedding(tokenizer.vocabulary_size(), 128, mask_zero=True),
            keras.layers.Bidirectional(keras.layers.LSTM(64)),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(len(parts.class_names), activation="softmax"),
        ]
    )
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    best = keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=epochs, restore_best_weights=True)
    labels = {part: getattr(parts, part).known_labels for part in ids}
    model.fit(
        ids["train"],
        labels["train"],
        batch_size=64,
        epochs=epochs,
        verbose=2,
        validation_data=(ids["validation"], labels["validation"]),
        callbacks=[best],
    )
    train, test = (model.evaluate(ids[part], labels[part], batch_size=256, verbose=0)[1] for part in ("train", "test"))
    return float(train), float(test)


def _ids(examples: Examples, tokenizer: Tokenizer, sequence_length: int) -> np.ndarray:
    """Token ids with 0 behind the end, which the embedding leaves out."""
    columns = encode_all(tokenizer, examples.inputs, sequence_length=sequence_length)
    return columns["token_ids"] * columns["padding_mask"]
