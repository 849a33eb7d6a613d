"""The simple models of classes: what they say, and that they stay quick."""

import numpy as np
import pytest

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines import classes
from tfpretune.evaluation.baselines.classes import bounded, class_baselines


def texts(labels, *, names=("a", "b"), seconds=None):
    words = [("good" if label else "bad") + f" thing {row % 5}" for row, label in enumerate(labels)]
    where = [f"t:{row}" for row in range(len(labels))]
    return Examples("text", words, np.asarray(labels, np.int32), names, where, "t", seconds=seconds)


def test_the_most_frequent_class_and_a_linear_model():
    train, test = texts([0, 0, 0, 1, 1] * 4), texts([1, 0, 1, 1])
    frequent, linear = class_baselines(train, test)
    assert (frequent.key, frequent.figures["accuracy"]) == ("most_frequent", 0.25)
    assert frequent.figures["f1_macro"] == pytest.approx(0.2)  # a: precision 1/4, recall 1; b: 0
    assert (linear.key, linear.name, linear.note) == ("linear", "TF-IDF + logistic regression", "")
    assert linear.figures == {"accuracy": 1.0, "f1_macro": 1.0}
    assert linear.outputs.shape == (4, 2)
    assert linear.outputs.sum(axis=1) == pytest.approx(1.0)


def test_images_and_pairs():
    images = np.zeros((12, 4, 4, 1), np.uint8)
    images[6:] = 250
    where = [f"i:{row}" for row in range(12)]
    digits = Examples("image", images, np.repeat([0, 1], 6).astype(np.int32), ("a", "b"), where, "i")
    linear = class_baselines(digits, digits)[1]
    assert (linear.name, linear.figures["accuracy"]) == ("pixels + logistic regression", 1.0)
    labels = [0, 1] * 8
    seconds = ["bad thing" if row % 3 else "good thing" for row in range(16)]
    same = [int((row % 2 == 1) == (row % 3 == 0)) for row in range(16)]
    pairs = texts(labels, seconds=seconds)
    pairs = Examples("text", pairs.inputs, np.array(same, np.int32), ("no", "yes"), pairs.where, "p", seconds=seconds)
    assert class_baselines(pairs, pairs)[1].figures["accuracy"] == 1.0


def test_a_class_without_training_examples_gets_nothing():
    train, test = texts([0, 1] * 6, names=("a", "b", "c")), texts([0, 1, 2], names=("a", "b", "c"))
    linear = class_baselines(train, test)[1]
    assert linear.outputs[:, 2].tolist() == [0.0, 0.0, 0.0]


def test_one_class_alone_has_no_linear_model():
    assert [each.key for each in class_baselines(texts([0, 0, 0]), texts([0, 1]))] == ["most_frequent"]


def test_many_examples_are_drawn_from_and_that_is_said(monkeypatch):
    train = texts([0, 1] * 50)
    assert bounded(train) is train
    monkeypatch.setattr(classes, "MOST_NUMBERS", 200)  # a text has 12 letters or so: 4 numbers
    few = bounded(train)
    assert 40 < len(few) < 60
    linear = class_baselines(train, train)[1]
    assert linear.note == f"fitted on {len(few)} of 100 training examples, drawn at random"
    assert bounded(train).inputs == few.inputs  # the same each time
    monkeypatch.setattr(classes, "MOST_PRODUCTS", 60)  # less than 5 a class
    assert [each.key for each in class_baselines(train, train)] == ["most_frequent"]
