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
MOST_COEFFICIENTS = 2_000_000
Features = Callable[[Examples], Any]


@dataclasses.dataclass(frozen=True)
class Linear:
    """A linear model of one kind of input.

    Args:
        sees: name of what it sees.
        strength: C of a logistic regression on it.
        features: training examples -> a function from examples to rows of numbers.
        classes: labelled examples, test examples and the number of classes -> probabilities, float64 `(m, classes)`.
        numbers: examples -> about how many numbers it sees of each.
    """

    sees: str
    strength: float
    features: Callable[[Examples], Features]
    classes: Callable[[Examples, Examples, int], np.ndarray]
    numbers: Callable[[Examples], float] = lambda examples: float(np.asarray(examples.inputs[0]).size)


def _text_features(train: Examples) -> Features:
    texts = [*train.inputs, *(train.seconds or ())]
    # A model of many classes would fill the memory with the coefficients of runs of words that occur once.
    most = MOST_COEFFICIENTS // len(train.class_names) if train.label_kind == "single" else None
    vectorizer = make_vectorizer(reads_by_characters(texts), most=most).fit(texts)
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


def _text_numbers(texts: Examples) -> float:
    """A text of words of five letters has a word and a run of two words for every six characters."""
    sides = [texts.inputs, *([texts.seconds] if texts.seconds is not None else [])]
    return max(1.0, sum(len(text) for side in sides for text in side) / max(1, len(texts)) / 3)


def _image_numbers(images: Examples) -> float:
    height, width, channels = _shape(images)
    return float(min(height, LONGEST_SIDE) * min(width, LONGEST_SIDE) * channels)


def _text_classes(few: Examples, test: Examples, num_classes: int) -> np.ndarray:
    characters = reads_by_characters(few.inputs)
    return tfidf_baseline(few.inputs, few.known_labels, test.inputs, num_classes=num_classes, characters=characters)


def _image_classes(few: Examples, test: Examples, num_classes: int) -> np.ndarray:
    pixels = [image_array(part, _shape(few)) for part in (few, test)]
    return pixel_baseline(pixels[0], few.known_labels, pixels[1], num_classes=num_classes)


LINEAR: Mapping[str, Linear] = {
    "text": Linear("TF-IDF", 10.0, _text_features, _text_classes, _text_numbers),
    "image": Linear("pixels", 1.0, _image_features, _image_classes, _image_numbers),
}
