"""Which features of a TensorFlow data set are the text, the image and the labels."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfpretune.data.readers.source_form import DEFAULT_LABEL, DEFAULT_TEXT
from tfpretune.errors import UsageError


def image_feature(features: tfds.features.FeaturesDict) -> str | None:
    """Returns the feature with the image: "image", else the first; None where there is none."""
    names = [name for name, feature in features.items() if type(feature) is tfds.features.Image]
    return "image" if "image" in names else next(iter(names), None)


def text_features(features: tfds.features.FeaturesDict, text_columns: Sequence[str], name: str) -> tuple[str, ...]:
    """Returns the features with the texts: those that are named, or the only one.

    Raises:
        UsageError: there is none, or none of several is named.
    """
    names = _texts(features)
    if set(text_columns) <= {*names}:
        return tuple(text_columns)
    if not names:
        raise UsageError(f"tfds:{name} has no text that can be read: its features are {_listed(features, features)}")
    if len(names) != 1 or [*text_columns] != [DEFAULT_TEXT]:
        pairs = ", and of pairs the second with `pair_column`" if len(names) > 1 else ""
        raise UsageError(
            f"tfds:{name} has the text features {', '.join(sorted(names))}: name one with `text_column`{pairs}"
        )
    return (names[0],)


def _texts(features: tfds.features.FeaturesDict) -> list[str]:
    """Returns the features that hold one string each, those that say so first."""
    scalars = [key for key, feature in features.items() if feature.shape == () and feature.tf_dtype == tf.string]
    return sorted(scalars, key=lambda key: not isinstance(features[key], tfds.features.Text))


def require_text(features: tfds.features.FeaturesDict, column: str, name: str) -> None:
    """Raises UsageError unless a feature of this name holds texts."""
    if column not in _texts(features):
        raise UsageError(f"tfds:{name} has no text feature {column!r}: it has {', '.join(_texts(features)) or 'none'}")


def feature_notes(
    features: tfds.features.FeaturesDict, contents: Sequence[str], label: str | None, named: Sequence[str]
) -> list[str]:
    """Says which features are read without having been named, and which are not read.

    Args:
        features: of the data set.
        contents: the features with the texts or the image.
        label: the feature with the label.
        named: the features that were asked for.
    """
    unread = [key for key in features if key not in (*contents, label, *named)]
    notes = []
    if label and label not in named:
        notes.append(f"the label is the feature {label!r}")
    if unread:
        notes.append(f"features that are not read: {_listed(features, unread)}")
    if label is None and named[0] and any(key in _labels(features) for key in unread):
        known = ", ".join(key for key in unread if key in _labels(features))
        notes.append(f"no label is read; of these could be one (`label_column`): {known}")
    return notes


def _listed(features: tfds.features.FeaturesDict, names: Iterable[str]) -> str:
    def kind(feature: Any) -> str:
        scalar = type(feature) in (tfds.features.Scalar, tfds.features.Tensor) and feature.shape == ()
        return str(np.dtype(feature.np_dtype).name) if scalar else type(feature).__name__

    return ", ".join(f"{name} ({kind(features[name])})" for name in names)


def _labels(features: tfds.features.FeaturesDict) -> list[str]:
    """Returns the features that can be labels: classes, strings, whole numbers, bools, floats, one each."""
    return [key for key, feature in features.items() if feature.shape == () and _is_label(feature)]


def _is_label(feature: Any) -> bool:
    kinds = (np.integer, np.floating, np.bool_)
    return feature.tf_dtype == tf.string or any(np.issubdtype(feature.np_dtype, kind) for kind in kinds)


def class_names_of(features: tfds.features.FeaturesDict, label: str | None) -> tuple[str, ...]:
    """Returns the classes of a feature in their order; () where the data set names none."""
    feature = features[label] if label is not None else None
    return tuple(feature.names) if isinstance(feature, tfds.features.ClassLabel) else ()


def label_feature(
    features: tfds.features.FeaturesDict, label_column: str, name: str, *, by_name: bool = False
) -> str | None:
    """Returns the feature with the label, None where there is none; see `readers.tfds.read_tfds`.

    Args:
        features: of the data set.
        label_column: the name that is asked for; "" for none.
        name: the data set's, for messages.
        by_name: take no other one.

    Raises:
        UsageError: the one that is asked for is not there, or holds no single value.
    """
    if not label_column or label_column in _labels(features):
        return label_column or None
    if label_column in features:
        raise UsageError(
            f"tfds:{name}: the feature {_listed(features, [label_column])} is not a label: one value is needed"
        )
    if label_column != DEFAULT_LABEL or by_name:
        raise UsageError(f"tfds:{name} has no label feature {label_column!r}: it has {', '.join(features)}")
    classes = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    values = [
        key
        for key in _labels(features)
        if any(np.issubdtype(features[key].np_dtype, kind) for kind in (np.floating, np.bool_))
    ]
    names = classes or values
    return names[0] if len(names) == 1 else None
