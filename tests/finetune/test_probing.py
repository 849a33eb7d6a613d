"""The head that starts as a logistic regression."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression, Ridge

from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.config import UsageError
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.finetune import classifier, multi_label, regressor
from tfpretune.finetune.probing import features_of, fit_one_against_rest, fit_ridge, start_head_from_probe

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), 8).astype("int32")
IMAGES = (RNG.random((24, 8, 8, 1)) * 0.3 + LABELS[:, np.newaxis, np.newaxis, np.newaxis] * 0.2).astype("float32")


def batches(labels=LABELS, images=IMAGES, size=7):
    return tf.data.Dataset.from_tensor_slices({"images": images, "labels": labels}).batch(size)


def make_model(num_classes=3):
    keras.utils.set_random_seed(1)
    return classifier(SmallCNN((8, 8, 1), (8,)), num_classes, dropout=0.5)


def test_features_are_the_pooled_ones_in_order():
    model = make_model()
    found = features_of(model, batches())
    expected = model.backbone({"images": IMAGES}).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_backbone_is_traced_once_for_batches_of_all_sizes(monkeypatch):
    model, traced = make_model(), []
    call = type(model.backbone).call

    def count(self, *args, **kwargs):
        traced.append(1)
        return call(self, *args, **kwargs)

    monkeypatch.setattr(type(model.backbone), "call", count)
    assert features_of(model, batches()).shape == (24, 8)  # batches of 7, 7, 7 and 3
    assert len(traced) == 1


@pytest.mark.parametrize("classes", [[0, 1, 2], [0, 1], [0, 2]])
def test_the_head_answers_what_scikit_learn_answers(classes):
    """Also with two classes, where scikit-learn has one row of coefficients, and with a class that has no example."""
    model = make_model(max(classes) + 1)
    kept = np.isin(LABELS, classes)
    start_head_from_probe(model, batches(LABELS[kept], IMAGES[kept]), strength=0.5)
    found = features_of(model, batches())
    fitted = found[kept]
    scale = (fitted.std(0) + 0.01 * fitted.std(0).max() + 1e-6) * np.sqrt(8) / 4
    probe = LogisticRegression(C=0.5, max_iter=2000).fit((fitted - fitted.mean(0)) / scale, LABELS[kept])
    probabilities = predict_outputs(model, batches())
    np.testing.assert_allclose(
        probabilities[:, classes], probe.predict_proba((found - fitted.mean(0)) / scale), atol=1e-3
    )
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert (probabilities[kept].argmax(axis=1) == LABELS[kept]).mean() > 0.7


def test_the_backbone_stays():
    model = make_model()
    before = model.backbone.get_weights()
    start_head_from_probe(model, batches())
    for old, new in zip(before, model.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_features_that_never_change_do_no_harm():
    model = make_model()
    dead = model.backbone.get_layer("stage_0_norm_1")
    dead.beta.assign([-100.0] * 4 + [0.0] * 4)  # after the ReLU: 0 for every image
    start_head_from_probe(model, batches())
    kernel = model.get_layer("logits").kernel.numpy()
    assert np.isfinite(kernel).all()
    np.testing.assert_allclose(kernel[:4], 0.0, atol=1e-4)


def test_one_class_only_is_refused():
    with pytest.raises(UsageError, match="the training examples are all of one class: a probe needs two"):
        start_head_from_probe(make_model(), batches(np.zeros(24, "int32")))


def test_text_with_windows():
    model = classifier(TextEncoder(9, 1, num_heads=1, hidden_dim=4, intermediate_dim=4), 2, window_length=2)
    ids = RNG.integers(5, 9, (6, 4)).astype("int32")
    rows = {"token_ids": ids, "padding_mask": np.ones_like(ids), "labels": np.array([0, 1] * 3, "int32")}
    start_head_from_probe(model, tf.data.Dataset.from_tensor_slices(rows).batch(4))
    assert predict_outputs(model, tf.data.Dataset.from_tensor_slices(rows).batch(4)).shape == (6, 2)


def standardised(found):
    return (found - found.mean(0)) / ((found.std(0) + 0.01 * found.std(0).max() + 1e-6) * np.sqrt(found.shape[1]) / 4)


def test_sets_start_from_a_regression_for_each_label():
    """One of the labels fits no example: its probability is half an example of them; -1 is not looked at."""
    keras.utils.set_random_seed(1)
    model = multi_label(SmallCNN((8, 8, 1), (8,)), 3, dropout=0.0)
    labels = np.stack([LABELS == 0, LABELS > 0, LABELS < 0], axis=1).astype("int32")
    labels[5, 0] = -1
    start_head_from_probe(model, batches(labels), strength=0.5)
    rows, known = standardised(features_of(model, batches())), labels[:, 0] >= 0
    answers = predict_outputs(model, batches())
    second = LogisticRegression(C=0.5, max_iter=2000).fit(rows, labels[:, 1])
    np.testing.assert_allclose(answers[:, 1], second.predict_proba(rows)[:, 1], atol=1e-4)
    first = standardised(features_of(model, batches())[known])
    expected = LogisticRegression(C=0.5, max_iter=2000).fit(first, labels[known, 0]).predict_proba(first)[:, 1]
    np.testing.assert_allclose(answers[known, 0], expected, atol=1e-4)
    np.testing.assert_allclose(answers[:, 2], 0.5 / 25, atol=1e-6)


def test_numbers_start_from_a_ridge_regression():
    """In the data's units, whatever the head's offset and scale."""
    keras.utils.set_random_seed(1)
    numbers = (100.0 + 10.0 * LABELS).astype("float32")
    model = regressor(SmallCNN((8, 8, 1), (8,)), offset=110.0, scale=8.0, dropout=0.0)
    start_head_from_probe(model, batches(numbers), strength=0.5)
    rows = standardised(features_of(model, batches()))
    expected = Ridge(alpha=1.0).fit(rows, numbers).predict(rows)
    np.testing.assert_allclose(predict_outputs(model, batches())[:, 0], expected, atol=1e-2)
    assert np.abs(expected - numbers).mean() < 5  # always the mean: 6.7


def test_a_regression_knows_of_dropout():
    """Least squares of errors, penalty and what dropout adds in the mean: rate / (1 - rate) sum (x w)^2."""
    found, numbers = RNG.normal(2.0, 1.0, (40, 3)), RNG.normal(size=(40, 1))
    kernel, bias = fit_ridge(found, numbers, strength=0.5, dropout=0.2)
    scale = (found.std(0) + 0.01 * found.std(0).max() + 1e-6) * np.sqrt(3) / 4
    penalties = np.sqrt(1.0 * scale**2 + 0.25 * (found**2).sum(0))
    rows = np.block([[found, np.ones((40, 1))], [np.diag(penalties), np.zeros((3, 1))]])
    expected = np.linalg.lstsq(rows, np.concatenate([numbers[:, 0], np.zeros(3)]))[0]
    np.testing.assert_allclose([*kernel[:, 0], *bias], expected, atol=1e-5)
    plain = fit_ridge(found, numbers, strength=0.5)[0]
    assert np.abs(kernel).sum() < np.abs(plain).sum()


def test_sets_know_of_dropout():
    """Half of the features are dropped: the weights of a label are smaller, and the label is still found."""
    labels = np.stack([LABELS == 0, LABELS > 0], axis=1).astype("int32")
    found = IMAGES.reshape(24, 64)
    plain, noisy = (fit_one_against_rest(found, labels, strength=1.0, dropout=rate) for rate in (0.0, 0.5))
    assert np.abs(noisy[0]).sum() < 0.8 * np.abs(plain[0]).sum()
    np.testing.assert_array_equal(found @ noisy[0] + noisy[1] > 0, labels == 1)
