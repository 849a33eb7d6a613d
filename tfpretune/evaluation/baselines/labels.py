"""Linear models of classes, of sets of classes and of numbers that a pre-trained network has to beat."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.kinds import LINEAR

MOST_EXAMPLES = 50_000
Predict = Callable[[Examples], np.ndarray]


def linear_classes(train: Examples) -> tuple[str, Predict]:
    """Fits a logistic regression of classes on what `linear_sets` sees, as strong as there.

    Returns:
        Its name, and a function from examples to probabilities `(m, classes)`, float64; 0 for a class without an example.
    """
    train, linear = train.sample(MOST_EXAMPLES), LINEAR[train.kind]
    features = linear.features(train)
    model = LogisticRegression(C=linear.strength, max_iter=5000).fit(features(train), train.known_labels)

    def predict(examples: Examples) -> np.ndarray:
        probabilities = np.zeros((len(examples), len(train.class_names)))
        probabilities[:, model.classes_] = model.predict_proba(features(examples))
        return probabilities

    return f"{linear.sees} + logistic regression", predict


def linear_sets(train: Examples) -> tuple[str, Predict]:
    """Fits a logistic regression for each label (C = 10, of pixels 1) on at most 50,000 training examples.

    Of texts it sees TF-IDF (logarithmic counts) of words and pairs of words, or of runs of 1 to 3 characters where most texts
    are Chinese; of pairs of texts the differences and the products of both, and their cosine; of images the pixels, made
    smaller than 32 x 32. A label that fits all examples or none gets its share.

    Args:
        train: with labels that are sets.

    Returns:
        Its name, and a function from examples to probabilities `(m, labels)`, float64.
    """
    train, linear = train.sample(MOST_EXAMPLES), LINEAR[train.kind]
    features = linear.features(train)
    seen = features(train)
    models = [_one_label(seen, column, strength=linear.strength) for column in train.known_labels.T]

    def predict(examples: Examples) -> np.ndarray:
        rows = features(examples)
        return np.stack([model(rows) for model in models], axis=1)

    return f"{linear.sees} + logistic regressions", predict


def linear_numbers(train: Examples) -> tuple[str, Predict]:
    """Fits a ridge regression (alpha 1) on what `linear_sets` sees of examples whose labels are numbers.

    Returns:
        Its name, and a function from examples to numbers `(m,)`, float64.
    """
    train, linear = train.sample(MOST_EXAMPLES), LINEAR[train.kind]
    features = linear.features(train)
    ridge = Ridge(alpha=1.0).fit(features(train), train.known_labels)
    return f"{linear.sees} + ridge regression", lambda examples: ridge.predict(features(examples)).astype(np.float64)


def fitted_on(train: Examples) -> str:
    """Returns a note where these models do not see all training examples; "" where they do."""
    return f"fitted on {MOST_EXAMPLES:,} of {len(train):,} training examples" if len(train) > MOST_EXAMPLES else ""


def _one_label(seen: Any, labels: np.ndarray, *, strength: float) -> Callable[[Any], np.ndarray]:
    known = np.flatnonzero(labels >= 0)
    share = float((labels[known] == 1).mean()) if len(known) else 0.0
    if share in (0.0, 1.0):
        return lambda rows: np.full(rows.shape[0], share)
    model = LogisticRegression(C=strength, max_iter=1000, solver="liblinear", random_state=0)
    model.fit(seen[known], labels[known])
    return lambda rows: model.predict_proba(rows)[:, 1]
