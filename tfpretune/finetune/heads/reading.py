"""How a head gets a backbone's features: of all positions at once or in windows, each for itself or their mean."""

from typing import Any

import keras
import tensorflow as tf

from tfpretune.backbones.feeding import NO_PREPROCESSING, Preprocessing, feed, sequence_features
from tfpretune.backbones.layers.blocks import MeanPool
from tfpretune.errors import UsageError

Inputs = dict[str, keras.KerasTensor]


def read(
    backbone: keras.Model, preprocessing: Preprocessing = NO_PREPROCESSING, *, segments: bool = False
) -> tuple[Inputs, keras.KerasTensor]:
    """Returns a new model's inputs, and the backbone's features of every token, patch or place, `(batch, …, dim)`.

    Args:
        backbone: of text or images.
        preprocessing: of the inputs.
        segments: see `feed`.
    """
    inputs, rows = feed(backbone, preprocessing, segments=segments)
    if not preprocessing.window_length:
        return inputs, sequence_features(backbone, rows)
    windows = {key: SplitWindows(preprocessing.window_length, name=f"{key}_windows")(x) for key, x in rows.items()}
    features = sequence_features(backbone, windows)
    return inputs, JoinWindows(dtype="float32", name="join_windows")(features, rows["padding_mask"])


def read_tokens(
    backbone: keras.Model, preprocessing: Preprocessing = NO_PREPROCESSING, *, segments: bool = False
) -> tuple[Inputs, keras.KerasTensor]:
    """Returns what `read` does; raises UsageError for a backbone that takes no texts, and so has no features of tokens."""
    inputs, features = read(backbone, preprocessing, segments=segments)
    if "token_ids" not in inputs:
        raise UsageError(
            f"the model speaks of tokens, and {type(backbone).__name__} takes images: give a backbone of texts"
        )
    return inputs, features


def read_mean(backbone: keras.Model, preprocessing: Preprocessing) -> tuple[Inputs, keras.KerasTensor]:
    """Returns what `read` does with the mean of the features, `(batch, dim)`, from a layer "features"."""
    inputs, features = read(backbone, preprocessing)
    pool = MeanPool(dtype="float32", name="features")
    return inputs, pool(features, inputs["padding_mask"]) if "padding_mask" in inputs else pool(features)


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
