"""Linear models of sets of classes and of numbers that a pre-trained network has to beat."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.linear_model import LogisticRegression, Ridge

from tfpretune.data.batches.examples import image_array
from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.linear import make_vectorizer, pixel_rows, reads_by_characters

MOST_EXAMPLES = 50_000
LONGEST_SIDE = 32
Features = Callable[[Examples], Any]


def fit_baseline(train: Examples) -> tuple[str, Callable[[Examples], np.ndarray]]:
    """Fits a linear model on the training examples, at most 50,000 of them.

    Of texts it sees TF-IDF (logarithmic counts) of words and pairs of words, or of runs of 1 to 3 characters where most texts
    are Chinese; of pairs of texts the differences and the products of both, and their cosine; of images the pixels, made
    smaller than 32 x 32. Sets: a logistic regression for each label (C = 10, of pixels 1); a label that fits all examples or
    none gets its share. Numbers: a ridge regression (alpha 1).

    Args:
        train: with labels that are sets or numbers.

    Returns:
        Its name, and a function from examples to probabilities `(m, labels)` or to numbers `(m,)`, float64.
    """
    train = train.sample(MOST_EXAMPLES)
    features = _image_features(train) if train.kind == "image" else _text_features(train)
    seen, labels = features(train), train.known_labels
    sees = "pixels" if train.kind == "image" else "TF-IDF"
    if train.label_kind == "number":
        ridge = Ridge(alpha=1.0).fit(seen, labels)
        return f"{sees} + ridge regression", lambda examples: ridge.predict(features(examples)).astype(np.float64)
    models = [_one_label(seen, column, strength=1.0 if train.kind == "image" else 10.0) for column in labels.T]

    def predict(examples: Examples) -> np.ndarray:
        rows = features(examples)
        return np.stack([model(rows) for model in models], axis=1)

    return f"{sees} + logistic regressions", predict


def _one_label(seen: Any, labels: np.ndarray, *, strength: float) -> Callable[[Any], np.ndarray]:
    known = np.flatnonzero(labels >= 0)
    share = float((labels[known] == 1).mean()) if len(known) else 0.0
    if share in (0.0, 1.0):
        return lambda rows: np.full(rows.shape[0], share)
    model = LogisticRegression(C=strength, max_iter=1000, solver="liblinear", random_state=0)
    model.fit(seen[known], labels[known])
    return lambda rows: model.predict_proba(rows)[:, 1]


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
    inputs = train.inputs
    height, width, channels = inputs.shape[1:] if isinstance(inputs, np.ndarray) else (LONGEST_SIDE, LONGEST_SIDE, 3)
    shape = (min(height, LONGEST_SIDE), min(width, LONGEST_SIDE), channels)
    return lambda examples: pixel_rows(image_array(examples, shape))
