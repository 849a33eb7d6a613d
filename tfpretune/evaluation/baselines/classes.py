"""The simple models of classes that a classifier has to beat: the classes' frequencies, and a linear model."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.baselines.kinds import LINEAR
from tfpretune.evaluation.metrics.classification import classification_metrics

MOST_PRODUCTS = 50_000_000
"""Examples times numbers of one times classes: what a step of a linear model may cost, some tenths of a second."""
MOST_NUMBERS = 10_000_000
"""Examples times numbers of one: what may be counted in texts, some ten seconds."""
FEWEST_PER_CLASS = 5
FIGURES = ("accuracy", "f1_macro")


def class_baselines(train: Examples, test: Examples) -> list[Baseline]:
    """Fits the simple models of a classification on its training examples, and asks them about the test examples.

    Args:
        train: with labels that are classes; the same that the trained model has seen.
        test: of the same classes.

    Returns:
        The classes' frequencies, whose answer is the most frequent class, and a logistic regression on TF-IDF or pixels
        (`linear_sets` says on what). The second is fitted on a part of many examples, which its note says, so that it takes
        half a minute at most; there is none where fewer than 2 classes have examples, or 5 a class would take longer.
    """
    names, labels = train.class_names, train.known_labels
    shares = np.bincount(labels, minlength=len(names)) / len(labels)
    found = [_baseline("most_frequent", "the most frequent class", np.tile(shares, (len(test), 1)), test)]
    few = bounded(train)
    if len(np.unique(few.known_labels)) < 2 or (len(few) < len(train) and len(few) < FEWEST_PER_CLASS * len(names)):
        return found
    note = (
        f"fitted on {len(few):,} of {len(train):,} training examples, drawn at random" if len(few) < len(train) else ""
    )
    name = f"{LINEAR[train.kind].sees} + logistic regression"
    return [*found, _baseline("linear", name, _linear(few, test), test, note)]


def bounded(train: Examples) -> Examples:
    """Returns the examples, or so many of them, drawn at random, as a linear model is fitted on in half a minute."""
    numbers, classes = LINEAR[train.kind].numbers(train), max(1, len(train.class_names))
    return train.sample(max(1, int(min(MOST_PRODUCTS / classes, MOST_NUMBERS) / numbers)))


def _linear(train: Examples, test: Examples) -> np.ndarray:
    linear = LINEAR[train.kind]
    features = linear.features(train)
    model = LogisticRegression(C=linear.strength, max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 steps are what it gets
        model.fit(features(train), train.known_labels)
    probabilities = np.zeros((len(test), len(train.class_names)))
    probabilities[:, model.classes_] = model.predict_proba(features(test))
    return probabilities


def _baseline(key: str, name: str, outputs: np.ndarray, test: Examples, note: str = "") -> Baseline:
    figures = classification_metrics(test.known_labels, outputs, test.class_names)
    return Baseline(key, name, outputs, {figure: figures[figure] for figure in FIGURES}, note)
