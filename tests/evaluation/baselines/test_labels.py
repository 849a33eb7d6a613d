import dataclasses

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.labels import linear_numbers, linear_sets


def texts(inputs, labels, names=(), seconds=None):
    where = [str(row) for row in range(len(inputs))]
    return Examples("text", list(inputs), np.asarray(labels), names, where, "csv:a.csv", seconds=seconds)


def test_each_label_has_a_regression_of_its_own():
    """The second label fits all examples: it gets its share, 1; the third none."""
    labels = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0]], np.int32)
    train = texts(["goal and match", "match won", "bank and market", "market fell"], labels, ("sport", "news", "none"))
    name, predict = linear_sets(train)
    found = predict(texts(["the match", "the market"], labels[[0, 2]], train.class_names))
    assert name == "TF-IDF + logistic regressions"
    assert found[0, 0] > 0.6 > 0.4 > found[1, 0]
    np.testing.assert_array_equal(found[:, 1:], [[1, 0], [1, 0]])


def test_chinese_numbers_need_characters():
    train = texts(["很好看的书", "质量很好", "太差了", "质量太差"], np.array([2, 2, -2, -2], np.float32))
    name, predict = linear_numbers(train)
    found = predict(texts(["酒店很好", "酒店太差"], np.zeros(2, np.float32)))
    assert name == "TF-IDF + ridge regression"
    assert found[0] > 0 > found[1]


def test_pairs_by_what_they_share():
    """The words of the test pairs are new: how alike two texts are tells."""
    first, second = ["red cat", "old dog", "red wine", "old stone"], ["red cat", "old dog", "my house", "big sea"]
    train = texts(first, np.array([5, 5, 0, 0], np.float32), seconds=second)
    found = linear_numbers(train)[1](
        texts(["big cat", "old sea"], np.zeros(2, np.float32), seconds=["big cat", "my dog"])
    )
    assert found[0] > found[1] + 1


def test_numbers_of_digits():
    digits = load_digits()
    images = np.round(digits.images / 16 * 255).astype(np.uint8)[..., np.newaxis]
    where = [str(row) for row in range(len(images))]
    every = Examples("image", images, digits.target.astype(np.float32), (), where, "demo:digits")
    name, predict = linear_numbers(every.take(np.arange(500)))
    test = every.take(np.arange(500, 1797))
    assert name == "pixels + ridge regression"
    assert np.abs(predict(test) - test.labels).mean() < 1.8  # always the mean: 2.5
    sets = dataclasses.replace(every, labels=np.eye(10, dtype=np.int32)[digits.target], class_names=tuple("0123456789"))
    found = linear_sets(sets.take(np.arange(200)))[1](sets.take(np.arange(500, 700)))
    pixels = images.reshape(len(images), -1) / 255
    threes = LogisticRegression(solver="liblinear").fit(pixels[:200], digits.target[:200] == 3)
    np.testing.assert_allclose(found[:, 3], threes.predict_proba(pixels[500:700])[:, 1], atol=1e-3)
