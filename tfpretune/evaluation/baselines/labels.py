"""Linear models of sets of classes and of numbers that a pre-trained network has to beat."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.kinds import LINEAR

MOST_EXAMPLES = 50_000


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
    linear = LINEAR[train.kind]
    features = linear.features(train)
    seen, labels = features(train), train.known_labels
    if train.label_kind == "number":
        ridge = Ridge(alpha=1.0).fit(seen, labels)
        return f"{linear.sees} + ridge regression", lambda examples: ridge.predict(features(examples)).astype(
            np.float64
        )
    models = [_one_label(seen, column, strength=linear.strength) for column in labels.T]

    def predict(examples: Examples) -> np.ndarray:
        rows = features(examples)
        return np.stack([model(rows) for model in models], axis=1)

    return f"{linear.sees} + logistic regressions", predict


def _one_label(seen: Any, labels: np.ndarray, *, strength: float) -> Callable[[Any], np.ndarray]:
    known = np.flatnonzero(labels >= 0)
    share = float((labels[known] == 1).mean()) if len(known) else 0.0
    if share in (0.0, 1.0):
        return lambda rows: np.full(rows.shape[0], share)
    model = LogisticRegression(C=strength, max_iter=1000, solver="liblinear", random_state=0)
    model.fit(seen[known], labels[known])
    return lambda rows: model.predict_proba(rows)[:, 1]
