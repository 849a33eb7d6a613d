"""What a linear model sees of each kind of input."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.sparse

from tfpretune.data.batches.examples import image_array
from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.linear import (
    make_vectorizer,
    pixel_baseline,
    pixel_rows,
    reads_by_characters,
    tfidf_baseline,
)

LONGEST_SIDE = 32
Features = Callable[[Examples], Any]


@dataclasses.dataclass(frozen=True)
class Linear:
    """A linear model of one kind of input.

    Args:
        sees: name of what it sees.
        strength: C of a logistic regression on it.
        features: training examples -> a function from examples to rows of numbers.
        classes: labelled examples, test examples and the number of classes -> probabilities, float64 `(m, classes)`.
    """

    sees: str
    strength: float
    features: Callable[[Examples], Features]
    classes: Callable[[Examples, Examples, int], np.ndarray]


def _text_features(train: Examples) -> Features:
    texts = [*train.inputs, *(train.seconds or ())]
    vectorizer = make_vectorizer(reads_by_characters(texts)).fit(texts)
    if train.seconds is None:
        return lambda examples: vectorizer.transform(examples.inputs)

    def of_pairs(examples: Examples) -> Any:
        first, second = (vectorizer.transform(side) for side in (examples.inputs, examples.seconds))
        product = first.multiply(second)
        return scipy.sparse.hstack([abs(first - second), product, product.sum(axis=1)]).tocsr()

    return of_pairs


def _image_features(train: Examples) -> Features:
    height, width, channels = _shape(train)
    shape = (min(height, LONGEST_SIDE), min(width, LONGEST_SIDE), channels)
    return lambda examples: pixel_rows(image_array(examples, shape))


def _shape(images: Examples) -> tuple[int, int, int]:
    inputs = images.inputs
    return inputs.shape[1:] if isinstance(inputs, np.ndarray) else (LONGEST_SIDE, LONGEST_SIDE, 3)


def _text_classes(few: Examples, test: Examples, num_classes: int) -> np.ndarray:
    characters = reads_by_characters(few.inputs)
    return tfidf_baseline(few.inputs, few.known_labels, test.inputs, num_classes=num_classes, characters=characters)


def _image_classes(few: Examples, test: Examples, num_classes: int) -> np.ndarray:
    pixels = [image_array(part, _shape(few)) for part in (few, test)]
    return pixel_baseline(pixels[0], few.known_labels, pixels[1], num_classes=num_classes)


LINEAR: Mapping[str, Linear] = {
    "text": Linear("TF-IDF", 10.0, _text_features, _text_classes),
    "image": Linear("pixels", 1.0, _image_features, _image_classes),
}
