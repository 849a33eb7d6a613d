"""Heads: a pre-trained backbone with a task on top, as one functional model."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.backbones.blocks import MeanPool
from tfpretune.backbones.inputs import Pixels, feed, sequence_features
from tfpretune.objectives.supervised import Supervised


def classifier(
    backbone: keras.Model,
    num_classes: int,
    *,
    dropout: float = 0.1,
    window_length: int = 0,
    image_size: tuple[int, int] | None = None,
    pixels: Pixels | None = None,
    label_smoothing: float = 0.0,
    class_weights: tuple[float, ...] | None = None,
    name: str = "classifier",
) -> Supervised:
    """Puts mean pooling, dropout and one dense layer on a backbone.

    Args:
        backbone: from images or from `token_ids` and `padding_mask` to features `(batch, …, dim)`. Maps of features, such
            as those of a KerasHub convolutional backbone, are averaged over height and width.
        num_classes: classes, at least 2.
        dropout: rate on the pooled features, in [0, 1).
        window_length: text only: read the tokens in windows of this length, each on its own, and average over all of them.
            So a backbone that was pre-trained on short rows reads long documents. 0: the whole row at once. The rows'
            length must be a multiple of it.
        image_size: images only: see `backbones.inputs.feed`.
        pixels: images only: see `backbones.inputs.read_pixels`.
        label_smoothing: see `Supervised`.
        class_weights: see `Supervised`.
        name: the model's name.

    Returns:
        A model from named inputs (`images` in [0, 1], or `token_ids` and `padding_mask`) to float32 logits
        `(batch, num_classes)`. Its layer "features" gives the pooled features `(batch, dim)`.
    """
    if num_classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes, received {num_classes}")
    inputs, rows = feed(backbone, image_size=image_size, pixels=pixels)
    if window_length:
        rows = {key: SplitWindows(window_length, name=f"{key}_windows")(x) for key, x in rows.items()}
    features = sequence_features(backbone, rows)
    if window_length:
        features = JoinWindows(dtype="float32", name="join_windows")(features, inputs["padding_mask"])
    if "padding_mask" in inputs:
        pooled = MeanPool(dtype="float32", name="features")(features, inputs["padding_mask"])
    else:
        pooled = MeanPool(dtype="float32", name="features")(features)
    x = keras.layers.Dropout(dropout, dtype="float32", name="head_dropout")(pooled)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return Supervised(inputs, logits, name, label_smoothing=label_smoothing, class_weights=class_weights)


def balanced_class_weights(labels: np.ndarray, num_classes: int) -> tuple[float, ...]:
    """Returns one factor a class, n / (num_classes * count), so that all classes weigh the same in the loss."""
    counts = np.bincount(labels, minlength=num_classes)
    if not counts.all():
        raise ValueError(f"class {int(counts.argmin())} has no example: its weight would be infinite")
    return tuple(float(len(labels) / (num_classes * count)) for count in counts)


@keras.saving.register_keras_serializable("tfpretune")
class SplitWindows(keras.layers.Layer):
    """Cuts int32 rows `(batch, length)` into windows `(batch * windows, window_length)`."""

    def __init__(self, window_length: int, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.window_length = window_length

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the windows; `length` must be a multiple of `window_length`."""
        return tf.reshape(rows, (-1, self.window_length))

    def compute_output_shape(self, rows_shape: tuple) -> tuple[int | None, ...]:
        """`(batch * windows, window_length)`."""
        return (None, self.window_length)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"window_length": self.window_length}


@keras.saving.register_keras_serializable("tfpretune")
class JoinWindows(keras.layers.Layer):
    """Puts features `(batch * windows, window_length, dim)` back into `(batch, length, dim)`, the shape of `rows`."""

    def call(self, features: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Returns the joined features."""
        return tf.reshape(features, tf.concat([tf.shape(rows), [features.shape[-1]]], axis=0))

    def compute_output_shape(self, features_shape: tuple, rows_shape: tuple) -> tuple[int | None, ...]:
        """`(batch, length, dim)`."""
        return (*rows_shape, features_shape[-1])
