"""The head that starts as a logistic regression."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold, cross_val_score

from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.errors import UsageError
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.finetune import classifier, multi_label, regressor
from tfpretune.finetune.methods.probe_strength import STRENGTHS, Probe, choose_strength, fit_probe
from tfpretune.finetune.methods.probing import (
    _probe_of,
    features_of,
    fit_classes,
    fit_one_against_rest,
    fit_ridge,
    start_head_from_probe,
)

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), 8).astype("int32")
IMAGES = (RNG.random((24, 8, 8, 1)) * 0.3 + LABELS[:, np.newaxis, np.newaxis, np.newaxis] * 0.2).astype("float32")


def batches(labels=LABELS, images=IMAGES, size=7):
    return tf.data.Dataset.from_tensor_slices({"images": images, "labels": labels}).batch(size)


def make_model(num_classes=3, dropout=0.5):
    keras.utils.set_random_seed(1)
    return classifier(SmallCNN((8, 8, 1), (8,)), num_classes, dropout=dropout)


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
    model = make_model(max(classes) + 1, dropout=0.0)
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
    start_head_from_probe(model, batches(), strength=0.1)
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


NUMBERS = (100.0 + 10.0 * LABELS).astype("float32")
SETS = np.stack([LABELS == 0, LABELS > 0], axis=1).astype("int32")
KINDS = {
    "classes": (lambda backbone: classifier(backbone, 3, dropout=0.3), LABELS),
    "sets": (lambda backbone: multi_label(backbone, 2, dropout=0.3), SETS),
    "numbers": (lambda backbone: regressor(backbone, offset=110.0, scale=8.0, dropout=0.3), NUMBERS),
}


def training_loss(model, labels):
    """The mean over 200 masks of dropout of the loss that training begins with."""
    batch = {
        "images": tf.constant(np.tile(IMAGES, (200, 1, 1, 1))),
        "labels": tf.constant(np.concatenate([labels] * 200)),
    }
    for layer in model.backbone.layers:
        layer.trainable = False  # normalisation as it is without training
    term = next(iter(model.terms(batch, training=True).values()))
    return float(term.total) / float(term.count)


@pytest.mark.parametrize("kind", KINDS)
def test_features_that_hardly_vary_are_no_worse_a_start_than_none(kind, capsys):
    """Around 1 by a thousandth, as a backbone that has learnt little gives: a fit that ignores dropout begins at a loss
    many times that of a head which says the same for all."""
    make, labels = KINDS[kind]
    keras.utils.set_random_seed(1)
    model = make(SmallCNN((8, 8, 1), (8,)))
    norm = model.backbone.get_layer("stage_0_norm_1")
    norm.gamma.assign(1e-3 * norm.gamma)
    norm.beta.assign(tf.ones_like(norm.beta))
    start_head_from_probe(model, batches(labels))
    found = training_loss(model, labels)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([np.zeros_like(kernel), np.zeros_like(bias)])
    assert found <= 1.02 * training_loss(model, labels)
    if kind == "classes":
        rows = features_of(model, batches(labels))
        model.get_layer("logits").set_weights(fit_classes(rows, labels, 3, strength=0.1))  # no word of dropout
        assert training_loss(model, labels) > 5.0


def truths_of(kind):
    """In the head's units."""
    labels = KINDS[kind][1]
    return (labels.reshape(24, 1) - 110.0) / 8.0 if kind == "numbers" else labels


@pytest.mark.parametrize("kind", KINDS)
def test_good_features_are_used(kind, capsys):
    """Each class has four features of its own, with noise: with dropout the loss is half of what it is without them."""
    probe = _probe_of(KINDS[kind][0](SmallCNN((8, 8, 1), (8,))))
    random, truths = np.random.default_rng(5), truths_of(kind)
    found = np.tile(np.eye(3)[LABELS], 4) + 0.3 * random.normal(size=(24, 12))
    kernel, bias = fit_probe(probe, found, truths, dropout=0.3, stratified=kind == "classes")
    assert capsys.readouterr().out == ""
    seen = [found * (random.random(found.shape) >= 0.3) / 0.7 for _ in range(50)]
    loss = np.mean([probe.loss(x @ kernel + bias, truths) for x in seen])
    assert loss < 0.5 * probe.loss(found @ (0.0 * kernel) + probe.without(truths), truths)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_no_feature(kind, capsys):
    """The head says the fractions of the classes, or the mean, and a line says that it starts so."""
    model = KINDS[kind][0](SmallCNN((8, 8, 1), (8,)))
    truths = truths_of(kind)
    noise = np.random.default_rng(5).normal(size=(24, 40))
    kernel, bias = fit_probe(_probe_of(model), noise, truths, dropout=0.3, stratified=kind == "classes")
    np.testing.assert_array_equal(kernel, 0.0)
    expected = {
        "classes": np.log([1 / 3] * 3),
        "sets": np.log([8.5 / 16.5, 16.5 / 8.5]),
        "numbers": [0.0],
    }[kind]
    np.testing.assert_allclose(bias, expected, atol=1e-6)
    assert "the head starts without them" in capsys.readouterr().out


def test_the_held_out_loss_is_scikit_learns():
    """Without dropout the least loss over the strengths is that of scikit-learn's own cross-validation."""
    found = IMAGES.reshape(24, 64)

    def fit(x, y, strength, dropout):
        probe = LogisticRegression(C=strength, max_iter=2000).fit(x, y)
        return [probe.coef_.T, probe.intercept_]

    probe = Probe(fit, _probe_of(make_model()).without, _probe_of(make_model()).loss)
    strength, loss, without = choose_strength(probe, found, LABELS, dropout=0.0, stratified=True)
    order = np.random.default_rng(0).permutation(24)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    losses = []
    for each in STRENGTHS:
        model = LogisticRegression(C=each, max_iter=2000)
        scores = cross_val_score(model, found[order], LABELS[order], cv=folds, scoring="neg_log_loss")
        sizes = [len(test) for _, test in folds.split(found[order], LABELS[order])]
        losses.append(-np.average(scores, weights=sizes))
    np.testing.assert_allclose(loss, min(losses), rtol=1e-4)
    assert strength == STRENGTHS[int(np.argmin(losses))]
    assert without == pytest.approx(np.log(3), abs=0.05)


def test_one_row_a_class_has_nothing_to_hold_out():
    found, labels = np.eye(3), np.arange(3)
    strength, loss, _ = choose_strength(_probe_of(make_model()), found, labels, dropout=0.1, stratified=True)
    assert strength == 0.1
    assert np.isnan(loss)
    kernel, bias = fit_probe(_probe_of(make_model()), found, labels, dropout=0.1, stratified=True)
    np.testing.assert_array_equal((found @ kernel + bias).argmax(axis=1), labels)
