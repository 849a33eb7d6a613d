"""Heads on every position: a pre-trained backbone that says one thing of each token or each pixel."""

import keras
import tensorflow as tf

from tfpretune.backbones.feeding import NO_PREPROCESSING, Preprocessing
from tfpretune.errors import UsageError
from tfpretune.finetune.heads.reading import read, read_tokens
from tfpretune.objectives.supervised import Supervised
from tfpretune.objectives.targets.extractive_qa import ExtractiveQA
from tfpretune.objectives.targets.standard import Classification


def tagger(
    backbone: keras.Model,
    num_tags: int,
    *,
    dropout: float = 0.1,
    window_length: int = 0,
    class_weights: tuple[float, ...] | None = None,
    name: str = "tagger",
) -> Supervised:
    """One tag for each token (Devlin et al. 2018, section 5.3).

    Args:
        backbone: from `token_ids` and `padding_mask` to features `(batch, length, dim)`.
        num_tags: at least 2.
        dropout: rate on the features, in [0, 1).
        window_length: see `Preprocessing`.
        class_weights: see `Classification`.
        name: the model's name.

    Returns:
        A model to logits `(batch, length, num_tags)`; `labels` are int32 `(batch, length)`, -1 where a token has none.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import tagger
        >>> model = tagger(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 3)
        >>> rows = {"token_ids": tf.constant([[2, 7, 9, 3, 0]]), "padding_mask": tf.constant([[1, 1, 1, 1, 0]])}
        >>> tuple(model(rows).shape)  # a logit for each of 3 tags at each of 5 tokens
        (1, 5, 3)
    """
    inputs, features = read_tokens(backbone, Preprocessing(window_length))
    x = keras.layers.Identity(dtype="float32", name="features")(features)
    x = keras.layers.Dropout(dropout, dtype="float32", name="head_dropout")(x)
    logits = keras.layers.Dense(num_tags, dtype="float32", name="logits")(x)
    return Supervised(inputs, logits, name, target=Classification(num_tags, class_weights=class_weights, may_lack=True))


def span_finder(backbone: keras.Model, *, dropout: float = 0.1, name: str = "span_finder") -> Supervised:
    """The first and the last token of an answer, in a row of a question and a context (Devlin et al. 2018, section 4.2).

    Args:
        backbone: from `token_ids` and `padding_mask` (and `segment_ids`, where it has them) to features.
        dropout: rate on the features, in [0, 1).
        name: the model's name.

    Returns:
        A model from `token_ids`, `padding_mask` and `segment_ids` (0 question, 1 context), all int32 `(batch, length)`, to
        scores `(batch, length, 2)` of starts and ends; -1e9 outside the context. A context must not be empty.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import span_finder
        >>> model = span_finder(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16))
        >>> rows = {"token_ids": [[2, 7, 3, 9, 8, 3]], "padding_mask": [[1] * 6], "segment_ids": [[0, 0, 0, 1, 1, 1]]}
        >>> scores = model({name: tf.constant(column) for name, column in rows.items()})
        >>> tuple(scores.shape), (scores[0, :, 0] > -1e8).numpy().tolist()  # no answer starts in the question
        ((1, 6, 2), [False, False, False, True, True, True])
    """
    inputs, features = read_tokens(backbone, segments=True)
    x = keras.layers.Identity(dtype="float32", name="features")(features)
    x = keras.layers.Dropout(dropout, dtype="float32", name="head_dropout")(x)
    scores = keras.layers.Dense(2, dtype="float32", name="logits")(x)
    context = keras.ops.cast(inputs["padding_mask"] * inputs["segment_ids"], "float32")[:, :, None]
    return Supervised(inputs, scores * context + (context - 1.0) * 1e9, name, target=ExtractiveQA())


def segmenter(
    backbone: keras.Model,
    num_classes: int,
    *,
    dropout: float = 0.1,
    hidden_dim: int = 64,
    preprocessing: Preprocessing = NO_PREPROCESSING,
    class_weights: tuple[float, ...] | None = None,
    name: str = "segmenter",
) -> Supervised:
    """One class for each pixel: the features are enlarged to the image's size and read together with the image itself.

    Args:
        backbone: from images to maps of features `(batch, height, width, dim)`, or to patches `(batch, n, dim)` of a grid
            with the image's proportions.
        num_classes: at least 2.
        dropout: rate on the features, in [0, 1).
        hidden_dim: channels of the two layers between.
        preprocessing: of the images.
        class_weights: see `Classification`.
        name: the model's name.

    Returns:
        A model to logits `(batch, height, width, num_classes)`; `labels` are int32 `(batch, height, width)`, -1 where a
        pixel has none.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import segmenter
        >>> model = segmenter(SmallCNN((8, 8, 1), (8,)), 3, hidden_dim=8)
        >>> model.backbone.output.shape, model.output.shape  # from 4 x 4 features to 8 x 8 pixels
        ((None, 4, 4, 8), (None, 8, 8, 3))
    """
    height, width, _ = preprocessing.image_shape(backbone)
    inputs, features = read(backbone, preprocessing)
    x = keras.layers.Identity(dtype="float32", name="features")(_grid(features, height, width))
    x = keras.layers.Dropout(dropout, dtype="float32", name="head_dropout")(x)
    x = keras.layers.Dense(hidden_dim, dtype="float32", name="head_narrow")(x)
    x = Enlarge((height, width), dtype="float32", name="head_enlarge")(x)
    x = keras.layers.Concatenate(dtype="float32", name="head_join")([x, inputs["images"]])
    for number in range(2):
        x = keras.layers.Conv2D(
            hidden_dim, 3, padding="same", activation="relu", dtype="float32", name=f"head_conv_{number}"
        )(x)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    target = Classification(num_classes, class_weights=class_weights, may_lack=True)
    return Supervised(inputs, logits, name, target=target)


def _grid(features: keras.KerasTensor, height: int, width: int) -> keras.KerasTensor:
    """Returns maps as they are, and patches as a map of the image's proportions."""
    if len(features.shape) == 4:
        return features
    rows = round((features.shape[1] * height / width) ** 0.5)
    columns = features.shape[1] // max(1, rows)
    if rows * columns != features.shape[1]:
        raise UsageError(f"{features.shape[1]} patches are not a grid over {height} x {width} pixels")
    return keras.layers.Reshape((rows, columns, features.shape[-1]), name="patch_grid")(features)


@keras.saving.register_keras_serializable("tfpretune")
class Enlarge(keras.layers.Layer):
    """Resizes maps `(batch, h, w, dim)` bilinearly to `size`, (height, width)."""

    def __init__(
        self, size: tuple[int, int], name: str | None = None, trainable: bool = True, dtype: object | None = None
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.size = tuple(size)

    def call(self, maps: tf.Tensor) -> tf.Tensor:
        """Returns float32 `(batch, height, width, dim)`."""
        return tf.image.resize(maps, self.size)

    def compute_output_shape(self, maps_shape: tuple) -> tuple[int | None, ...]:
        """`(batch, height, width, dim)`."""
        return (maps_shape[0], *self.size, maps_shape[-1])

    def get_config(self) -> dict[str, object]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"size": self.size}
