"""Heads on pooled features: a pre-trained backbone that says one thing of each example, as one functional model."""

from typing import Any

import keras

from tfpretune.backbones.feeding import NO_PREPROCESSING, Pixels, Preprocessing
from tfpretune.backbones.layers.blocks import MeanPool
from tfpretune.finetune.heads.reading import read_mean, read_tokens
from tfpretune.objectives.supervised import Supervised
from tfpretune.objectives.targets.base import Target
from tfpretune.objectives.targets.contrastive import SupervisedContrastive
from tfpretune.objectives.targets.standard import Classification, MultiLabel, Regression


def pooled_head(
    backbone: keras.Model,
    target: Target,
    *,
    dropout: float = 0.1,
    preprocessing: Preprocessing = NO_PREPROCESSING,
    name: str = "pooled_head",
) -> Supervised:
    """Puts mean pooling, dropout and one dense layer on a backbone.

    Args:
        backbone: from images or from `token_ids` and `padding_mask` to features `(batch, …, dim)`. Maps of features, such
            as those of a KerasHub convolutional backbone, are averaged over height and width.
        target: what the outputs are to say, such as `Classification(5)`.
        dropout: rate on the pooled features, in [0, 1).
        preprocessing: of the inputs; of windows of texts the mean is taken over all.
        name: the model's name.

    Returns:
        A model from named inputs (`images` in [0, 1], or `token_ids` and `padding_mask`) to float32
        `(batch, target.num_outputs)`. Its layer "features" gives the pooled features `(batch, dim)`, the layer "logits" the
        outputs.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import pooled_head
        >>> from tfpretune.objectives import Classification
        >>> model = pooled_head(SmallCNN((8, 8, 1), (8,)), Classification(5))
        >>> tuple(model({"images": tf.zeros((2, 8, 8, 1))}).shape), model.get_layer("features").output.shape
        ((2, 5), (None, 8))
    """
    inputs, pooled = read_mean(backbone, preprocessing)
    return Supervised(inputs, _dense(pooled, target, dropout), name, target=target)


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
    """One class of several for each example: `pooled_head` towards `Classification`, with class logits `(batch, num_classes)`.

    Batches have int32 `labels` `(batch,)`. `label_smoothing` and `class_weights` are `Classification`' own, `window_length`,
    `image_size` and `pixels` those of `Preprocessing`.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), num_classes=10)
        >>> model.compile("adam", run_eagerly=True)
        >>> history = model.fit(np.zeros((4, 8, 8, 1)), np.array([0, 1, 2, 3]), verbose=0)
        >>> [round(loss, 2) for loss in history.history["loss"]]  # ln 10: a new head favours no class
        [2.3]
    """
    target = Classification(num_classes, label_smoothing=label_smoothing, class_weights=class_weights)
    preprocessing = Preprocessing(window_length, image_size, pixels)
    return pooled_head(backbone, target, dropout=dropout, preprocessing=preprocessing, name=name)


def multi_label(
    backbone: keras.Model,
    num_labels: int,
    *,
    positive_weights: tuple[float, ...] | None = None,
    dropout: float = 0.1,
    preprocessing: Preprocessing = NO_PREPROCESSING,
    name: str = "multi_label",
) -> Supervised:
    """Any number of labels for each example: `pooled_head` towards `MultiLabel`; `labels` are 0 or 1, `(batch, num_labels)`.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import multi_label
        >>> model = multi_label(SmallCNN((8, 8, 1), (8,)), 3)
        >>> logits = model({"images": tf.zeros((1, 8, 8, 1))})
        >>> model.target.activate(logits).numpy().tolist()  # each on its own: they need not sum to 1
        [[0.5, 0.5, 0.5]]
    """
    target = MultiLabel(num_labels, positive_weights)
    return pooled_head(backbone, target, dropout=dropout, preprocessing=preprocessing, name=name)


def regressor(
    backbone: keras.Model,
    *,
    size: int = 1,
    offset: float = 0.0,
    scale: float = 1.0,
    dropout: float = 0.1,
    window_length: int = 0,
    image_size: tuple[int, int] | None = None,
    pixels: Pixels | None = None,
    name: str = "regressor",
) -> Supervised:
    """A number for each example, or `size` of them: `pooled_head` towards `Regression`; `labels` are floats.

    `offset` and `scale` are the mean and the standard deviation of the training labels; `window_length`, `image_size` and
    `pixels` are those of `Preprocessing`.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import regressor
        >>> model = regressor(SmallCNN((8, 8, 1), (8,)), offset=20.0, scale=5.0)
        >>> outputs = model({"images": tf.zeros((2, 8, 8, 1))})
        >>> model.target.activate(outputs).numpy().tolist()  # a new head says the mean
        [[20.0], [20.0]]
    """
    preprocessing = Preprocessing(window_length, image_size, pixels)
    return pooled_head(
        backbone, Regression(size, offset, scale), dropout=dropout, preprocessing=preprocessing, name=name
    )


def embedder(
    backbone: keras.Model,
    size: int = 128,
    *,
    temperature: float = 0.1,
    dropout: float = 0.0,
    preprocessing: Preprocessing = NO_PREPROCESSING,
    name: str = "embedder",
) -> Supervised:
    """A vector for each example, near its class: `pooled_head` towards `SupervisedContrastive`; `labels` are any int32.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import embedder
        >>> model = embedder(SmallCNN((8, 8, 1), (8,)), size=4)
        >>> vectors = model.target.activate(model({"images": tf.ones((2, 8, 8, 1))}))
        >>> tuple(vectors.shape), round(float(tf.norm(vectors[0])), 4)
        ((2, 4), 1.0)
    """
    return pooled_head(
        backbone, SupervisedContrastive(size, temperature), dropout=dropout, preprocessing=preprocessing, name=name
    )


def pair_classifier(
    backbone: keras.Model,
    num_classes: int,
    *,
    dropout: float = 0.1,
    label_smoothing: float = 0.0,
    class_weights: tuple[float, ...] | None = None,
    name: str = "pair_classifier",
) -> Supervised:
    """One class for each pair of texts: `pair_head` towards `Classification`; batches have int32 `labels` `(batch,)`.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import pair_classifier
        >>> model = pair_classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 3)
        >>> sorted(model.input), model.output.shape
        (['padding_mask', 'segment_ids', 'token_ids'], (None, 3))
    """
    target = Classification(num_classes, label_smoothing=label_smoothing, class_weights=class_weights)
    return pair_head(backbone, target, dropout=dropout, name=name)


def pair_head(backbone: keras.Model, target: Target, *, dropout: float = 0.1, name: str = "pair_head") -> Supervised:
    """Says one thing of each pair of texts, which the backbone reads in one row, so that each sees the other.

    Both texts are averaged, each over its own tokens, to u and v; the head sees u, v, |u - v| and u * v (Conneau et al. 2017,
    arXiv:1705.02364, section 3.1). So a small backbone need not learn first to compare.

    Args:
        backbone: from `token_ids` and `padding_mask` (and `segment_ids`, where it has them) to features.
        target: what the outputs are to say: `Classification`, `MultiLabel`, `Regression`.
        dropout: rate on the head's input, in [0, 1).
        name: the model's name.

    Returns:
        A model from `token_ids`, `padding_mask` and `segment_ids` (0 first text, 1 second), all int32 `(batch, length)`, to
        float32 `(batch, target.num_outputs)`.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import pair_head
        >>> from tfpretune.objectives import Regression
        >>> model = pair_head(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), Regression())
        >>> model.get_layer("features").output.shape, model.output.shape  # u, v, |u - v| and u * v
        ((None, 32), (None, 1))
    """
    inputs, features = read_tokens(backbone, segments=True)
    second = inputs["padding_mask"] * inputs["segment_ids"]
    first = inputs["padding_mask"] - second
    u = MeanPool(dtype="float32", name="first_features")(features, first)
    v = MeanPool(dtype="float32", name="second_features")(features, second)
    joined = [u, v, keras.ops.abs(u - v), u * v]
    pooled = keras.layers.Concatenate(dtype="float32", name="features")(joined)
    return Supervised(inputs, _dense(pooled, target, dropout), name, target=target)


def _dense(pooled: Any, target: Target, dropout: float) -> Any:
    x = keras.layers.Dropout(dropout, dtype="float32", name="head_dropout")(pooled)
    return keras.layers.Dense(target.num_outputs, dtype="float32", name="logits")(x)
