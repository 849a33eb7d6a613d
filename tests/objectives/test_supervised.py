import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.finetune import balanced_class_weights, classifier

IMAGES = np.random.default_rng(0).random((3, 8, 8, 1)).astype("float32")
BATCH = {"images": IMAGES, "labels": np.array([0, 1, 2], "int32")}


def make_model(**settings):
    return classifier(SmallCNN((8, 8, 1), (8,)), 3, dropout=0.0, **settings)


def fixed_logits(model, bias):
    weights = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([np.zeros_like(weights[0]), np.array(bias)])


def test_loss_by_hand():
    """Shares 1/4, 1/4, 1/2: losses ln 4, ln 4, ln 2."""
    model = make_model()
    fixed_logits(model, [0.0, 0.0, math.log(2.0)])
    terms = model.terms(BATCH, training=True)
    np.testing.assert_allclose(terms["cross_entropy"].total, 5 * math.log(2), rtol=1e-6)
    assert float(terms["accuracy"].total) == 1


def test_class_weights_by_hand():
    """(1 * ln 4 + 1 * ln 4 + 2 * ln 2) / 4."""
    model = make_model(class_weights=(1.0, 1.0, 2.0))
    fixed_logits(model, [0.0, 0.0, math.log(2.0)])
    term = model.terms(BATCH, training=True)["cross_entropy"]
    np.testing.assert_allclose([term.total, term.count], [6 * math.log(2), 4], rtol=1e-6)


def test_label_smoothing_is_kerass():
    model = make_model(label_smoothing=0.3)
    fixed_logits(model, [0.5, -1.0, 2.0])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3, reduction="sum")
    expected = loss(np.eye(3), np.tile([[0.5, -1.0, 2.0]], (3, 1)))
    np.testing.assert_allclose(model.terms(BATCH, training=True)["cross_entropy"].total, expected, rtol=1e-5)


def test_balanced_class_weights():
    assert balanced_class_weights(np.array([0, 0, 0, 1]), 2) == (4 / 6, 2.0)
    with pytest.raises(ValueError, match="class 1 has no example"):
        balanced_class_weights(np.array([0, 0]), 2)
    with pytest.raises(ValueError, match=r"labels must be in \[0, 2\), received -1 to 2"):
        balanced_class_weights(np.array([0, -1, 1, 2]), 2)


def test_proofs(tmp_path):
    checks.check_learns(make_model(), BATCH)
    model = make_model(label_smoothing=0.1, class_weights=(1.0, 2.0, 3.0))
    checks.check_round_trip(model, BATCH, tmp_path)
    assert keras.models.load_model(tmp_path / "model.keras").target.class_weights == (1.0, 2.0, 3.0)
    checks.check_export(model, BATCH, tmp_path)
    checks.check_replicas(lambda: make_model(class_weights=(1.0, 2.0, 3.0)), BATCH)


def make_text(window_length=0):
    encoder = TextEncoder(11, 1, num_heads=2, hidden_dim=4, intermediate_dim=8)
    return classifier(encoder, 2, dropout=0.0, window_length=window_length)


def test_windows_average_over_all_tokens():
    """Two windows of 4: the pooled features are the mean over the real tokens of both, each window read on its own."""
    model = make_text(4)
    ids = np.array([[5, 6, 7, 8, 9, 10, 0, 0]], "int32")
    mask = (ids > 0).astype("int32")
    pooled = keras.Model(model.input, model.get_layer("features").output)({"token_ids": ids, "padding_mask": mask})
    halves = [model.backbone({"token_ids": ids[:, i : i + 4], "padding_mask": mask[:, i : i + 4]})[0] for i in (0, 4)]
    expected = tf.reduce_mean(tf.concat([halves[0], halves[1][:2]], axis=0), axis=0)
    np.testing.assert_allclose(pooled[0], expected, atol=1e-6)


def test_text_classifier_round_trip(tmp_path):
    batch = {
        "token_ids": np.array([[5, 6, 7, 8, 9, 10, 0, 0]], "int32"),
        "padding_mask": np.array([[1] * 6 + [0] * 2], "int32"),
    }
    checks.check_round_trip(make_text(4), batch, tmp_path)


def test_settings_that_cannot_work():
    with pytest.raises(ValueError, match="at least 2, received 1"):
        classifier(SmallCNN((8, 8, 1), (8,)), 1)
    with pytest.raises(ValueError, match="label_smoothing must be in"):
        make_model(label_smoothing=1.0)
    with pytest.raises(ValueError, match="class_weights needs 3 values, received 2"):
        make_model(class_weights=(1.0, 2.0))
