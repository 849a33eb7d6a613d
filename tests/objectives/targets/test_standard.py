"""Losses by hand and against scikit-learn and Keras, and the five proofs for every head."""

import math

import keras_hub
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from tests import checks
from tfpretune.backbones import SmallCNN, TextEncoder, VisionTransformer
from tfpretune.finetune import (
    embedder,
    multi_label,
    pair_classifier,
    regressor,
    segmenter,
    span_finder,
    tagger,
)
from tfpretune.objectives import Classification, ExtractiveQA, MultiLabel, Regression, SupervisedContrastive

random = np.random.default_rng(0)
IMAGES = random.random((5, 8, 8, 1)).astype("float32")
IDS = random.integers(5, 11, (5, 6)).astype("int32")
MASK = np.array([[1] * 6, [1] * 5 + [0], [1] * 6, [1] * 4 + [0] * 2, [1] * 6], "int32")
SEGMENTS = np.array([[0, 0, 0, 1, 1, 1]] * 5, "int32")
TEXT = {"token_ids": IDS, "padding_mask": MASK}


def cnn():
    return SmallCNN((8, 8, 1), (8,))


def encoder():
    return TextEncoder(11, 1, num_heads=2, hidden_dim=4, intermediate_dim=8)


HEADS = {  # a model, a batch of 5 rows
    "multi_label": (
        lambda: multi_label(cnn(), 3, dropout=0.0, positive_weights=(1.0, 2.0, 3.0)),
        {"images": IMAGES, "labels": np.array([[1, 0, 0], [1, 1, -1], [0, 0, 0], [0, 0, 1], [-1, -1, -1]], "int32")},
    ),
    "regressor": (
        lambda: regressor(cnn(), offset=2.0, scale=4.0, dropout=0.0),
        {"images": IMAGES, "labels": np.array([1.0, 2.0, 3.0, 7.5, -2.0], "float32")},
    ),
    "embedder": (
        lambda: embedder(cnn(), 4),
        {"images": IMAGES, "labels": np.array([0, 1, 0, 2, 1], "int32")},
    ),
    "pair_classifier": (
        lambda: pair_classifier(encoder(), 2, dropout=0.0),
        TEXT | {"segment_ids": SEGMENTS, "labels": np.array([0, 1, 1, 0, 1], "int32")},
    ),
    "tagger": (
        lambda: tagger(encoder(), 3, dropout=0.0),
        TEXT | {"labels": np.where(MASK, random.integers(-1, 3, (5, 6)), -1).astype("int32")},
    ),
    "span_finder": (
        lambda: span_finder(encoder(), dropout=0.0),
        TEXT
        | {
            "segment_ids": SEGMENTS,
            "starts": np.array([3, 4, -1, 3, 5], "int32"),
            "ends": np.array([4, 4, -1, 3, 5], "int32"),
        },
    ),
    "segmenter": (
        lambda: segmenter(cnn(), 3, dropout=0.0, hidden_dim=4),
        {"images": IMAGES, "labels": random.integers(-1, 3, (5, 8, 8)).astype("int32")},
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_proofs(name, tmp_path):
    """Learns, saves, exports, and two replicas with 3 and 2 rows learn what one learns."""
    make, batch = HEADS[name]
    checks.check_learns(make(), batch)
    checks.check_round_trip(make(), batch, tmp_path)
    checks.check_export(make(), batch, tmp_path)
    checks.check_replicas(make, batch)


def test_unlabelled_items_do_not_count():
    """Two tokens of four: (ln 2 + ln 4) / 2."""
    shares = np.log([[[1, 1], [1, 3], [1, 3], [5, 1]]]).astype("float32")
    terms = Classification(2).terms(tf.constant(shares), {"labels": np.array([[0, 0, -1, -1]], "int32")}, training=True)
    np.testing.assert_allclose(terms["cross_entropy"].total, math.log(2) + math.log(4), rtol=1e-6)
    assert [float(terms[name].count) for name in terms] == [2, 2]


def test_multi_label_by_hand():
    """At logits 0 every label costs ln 2; the weight 3 of a label that fits makes it 3 ln 2; -1 costs nothing."""
    outputs = tf.zeros((2, 3))
    truth = {"labels": np.array([[1, 0, -1], [0, 1, 1]], "int32")}
    term = MultiLabel(3, (1.0, 3.0, 1.0)).terms(outputs, truth, training=True)["binary_cross_entropy"]
    np.testing.assert_allclose([term.total, term.count], [(2 + 5) * math.log(2), 2], rtol=1e-6)


def test_multi_label_f1_is_sklearns():
    outputs = random.normal(size=(20, 4)).astype("float32")
    truth = random.integers(0, 2, (20, 4)).astype("int32")
    term = MultiLabel(4).terms(tf.constant(outputs), {"labels": truth}, training=False)["f1"]
    expected = sklearn.metrics.f1_score(truth, outputs > 0, average="micro")
    np.testing.assert_allclose(term.total / term.count, expected, rtol=1e-6)


def test_numbers_by_hand():
    """Outputs 1 and -1 in units of 2 around 3 are 5 and 1; the truths 3 and 2 are 0 and -.5 in these units."""
    outputs, truth = tf.constant([[1.0], [-1.0]]), {"labels": np.array([3.0, 2.0], "float32")}
    terms = Regression(1, offset=3.0, scale=2.0).terms(outputs, truth, training=True)
    np.testing.assert_allclose(terms["squared_error"].total, 1.0 + 0.25, rtol=1e-6)
    np.testing.assert_allclose(terms["mean_absolute_error"].total, 2.0 + 1.0, rtol=1e-6)


def test_numbers_that_are_not_known_do_not_count():
    """NaN is not known, and -1 is a number as any other."""
    outputs, truth = tf.Variable([[1.0], [-1.0], [0.5]]), {"labels": np.array([3.0, -1.0, np.nan], "float32")}
    target = Regression(1, offset=3.0, scale=2.0)
    with tf.GradientTape() as tape:
        terms = target.terms(outputs, truth, training=True)
    np.testing.assert_allclose([terms["squared_error"].total, terms["squared_error"].count], [1.0 + 1.0, 2], rtol=1e-6)
    np.testing.assert_allclose([terms["mean_absolute_error"].total, terms["mean_absolute_error"].count], [4.0, 2])
    np.testing.assert_allclose(tape.gradient(terms["squared_error"].total, outputs), [[2.0], [2.0], [0.0]], atol=1e-6)
    apart = target.divergence(outputs, outputs + 1.0, truth)
    np.testing.assert_allclose([apart.total, apart.count], [2, 2])
    assert target.label_range() == (-math.inf, math.inf)
    assert Regression(may_lack=True).label_range() is None
    assert Regression.from_config({"size": 1, "offset": 3.0, "scale": 2.0, "column": "labels"}) == target


def test_spans_by_hand():
    """Shares 1/2 of the right start and 1/4 of the right end: (ln 2 + ln 4) / 2. The row without an answer is left out."""
    shares = np.array([[[1, 3], [2, 1], [1, 0.0001]], [[1, 1], [1, 1], [1, 1]]])
    shares[0, 2, 1] = 0.0
    scores = tf.constant(np.log(shares + 1e-30), tf.float32)
    truth = {"starts": np.array([1, -1], "int32"), "ends": np.array([1, -1], "int32")}
    terms = ExtractiveQA().terms(scores, truth, training=True)
    np.testing.assert_allclose(terms["span_cross_entropy"].total, (math.log(2) + math.log(4)) / 2, rtol=1e-5)
    assert [float(x) for x in (terms["span_cross_entropy"].count, terms["exact_match"].total)] == [1, 0]
    for labels in (
        {"starts": [1, -1], "ends": [1, -1]},
        {name: column.astype("int64") for name, column in truth.items()},
    ):
        again = ExtractiveQA().terms(scores, labels, training=True)["span_cross_entropy"]
        assert float(again.total) == float(terms["span_cross_entropy"].total)


def test_a_span_never_starts_in_the_question():
    model, batch = HEADS["span_finder"][0](), HEADS["span_finder"][1]
    scores = model(model.pick_inputs(batch)).numpy()
    assert scores[:, :3].max() < -1e8
    assert scores[1, 5].max() < -1e8  # padding
    assert scores[0, 3:].min() > -1e3


def test_similar_by_hand():
    """Unit vectors at 0, 90 and 0 degrees, classes a, a, a; temperature 1: each row's softmax over the two others."""
    vectors = tf.constant([[2.0, 0.0], [0.0, 3.0], [5.0, 0.0]])
    terms = SupervisedContrastive(2, temperature=1.0).terms(
        vectors, {"labels": np.array([7, 7, 7], "int32")}, training=True
    )
    far, near = math.log(math.e + 1), math.log(math.e + 1) - 1
    expected = (near + far) / 2 + math.log(2) + (near + far) / 2
    np.testing.assert_allclose(terms["contrastive"].total, expected, rtol=1e-6)
    assert float(terms["contrastive"].count) == 3


def test_similar_leaves_out_whoever_is_alone():
    vectors = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]])
    terms = SupervisedContrastive(2).terms(vectors, {"labels": np.array([1, 2, 1], "int32")}, training=True)
    assert [float(terms["nearest_right"].total), float(terms["nearest_right"].count)] == [2, 2]


def test_similar_is_learnt_from_whole_batches_only():
    with pytest.raises(ValueError, match="compares the examples of a batch"):
        HEADS["embedder"][0]().compile("sgd", accumulate_steps=2)


def test_divergences_by_hand():
    """Half the sum of both Kullback-Leibler divergences, from NumPy."""
    p, q = np.array([0.2, 0.8]), np.array([0.6, 0.4])
    expected = 0.5 * (np.sum(p * np.log(p / q)) + np.sum(q * np.log(q / p)))
    logits, others = tf.constant([np.log(p)], tf.float32), tf.constant([np.log(q)], tf.float32)
    term = Classification(2).divergence(logits, others, {"labels": np.array([1], "int32")})
    np.testing.assert_allclose([term.total, term.count], [expected, 1], rtol=1e-5)
    ratio = np.log(p[1] / p[0]), np.log(q[1] / q[0])  # the same two distributions as one label each
    one, other = (tf.constant([[value]], tf.float32) for value in ratio)
    term = MultiLabel(1).divergence(one, other, {"labels": np.array([[1]], "int32")})
    np.testing.assert_allclose(term.total, expected, rtol=1e-5)
    outside = -1e9  # a token of the question; starts go from p to q and ends stay, which is half of it
    spans = [tf.constant([np.transpose([[*np.log(x), outside], [0.0, 0.0, outside]])], tf.float32) for x in (p, q)]
    term = ExtractiveQA().divergence(*spans, {"starts": np.array([1], "int32"), "ends": np.array([0], "int32")})
    np.testing.assert_allclose([term.total, term.count], [expected / 2, 1], rtol=1e-5)
    term = ExtractiveQA().divergence(*spans, {"starts": np.array([-1], "int32"), "ends": np.array([0], "int32")})
    np.testing.assert_allclose([term.total, term.count], [0, 0])


def test_segmenter_on_patches():
    """A Vision Transformer's 2 x 2 patches of 4 pixels become a map again."""
    vit = VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8)
    assert segmenter(vit, 3)({"images": IMAGES[:2]}).shape == (2, 8, 8, 3)


def test_pairs_reach_berts_segments():
    bert = keras_hub.models.BertBackbone(11, 1, 2, 4, 8, dropout=0.0, max_sequence_length=6)
    model = pair_classifier(bert, 2, dropout=0.0)
    assert set(model.input) == {"token_ids", "padding_mask", "segment_ids"}
    one = model(TEXT | {"segment_ids": SEGMENTS})
    other = model(TEXT | {"segment_ids": 1 - SEGMENTS})
    assert float(tf.reduce_max(tf.abs(one - other))) > 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiLabel(0), "labels must be at least 1"),
        (lambda: MultiLabel(2, (1.0,)), "positive_weights needs 2 values, received 1"),
        (lambda: Regression(scale=0.0), "scale above 0"),
        (lambda: SupervisedContrastive(4, temperature=0.0), "temperature above 0"),
    ],
)
def test_settings_that_cannot_work(make, message):
    with pytest.raises(ValueError, match=message):
        make()
