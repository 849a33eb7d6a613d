"""DANN and Deep CORAL: worked by hand, right on replicas, exact after a resume."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tests.training.loop.toys import Interrupt, make_run
from tfpretune.backbones import SmallCNN
from tfpretune.data.batches.mixing import Mixed, progress
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.finetune import classifier, enable_r_drop
from tfpretune.objectives.transfer.domains import (
    DeepCoral,
    DomainAdversarial,
    coral_term,
    reversal_strength,
    reverse_gradient,
)
from tfpretune.training import fit
from tfpretune.training.run_variables import run_variables

IMAGES = np.random.default_rng(0).random((7, 8, 8, 1)).astype("float32")
BATCH = {  # seven rows: four and three on two replicas, with 2 + 2 and 2 + 1 rows of the domains
    "images": IMAGES,
    "labels": np.array([0, -1, 2, -1, 1, 0, -1], "int32"),
    "domains": np.array([0, 1, 0, 1, 0, 0, 1], "int32"),
    "progress": np.full(7, 0.3, "float32"),
}


def make_classifier(**settings):
    return classifier(SmallCNN((8, 8, 1), (8,)), 3, **{"dropout": 0.0} | settings)


def make_dann(**settings):
    return DomainAdversarial(make_classifier(), domain_units=5, **settings)


def test_strength_by_hand():
    """p = ln(3) / 10: exp(-10 p) = 1/3, so 2 / (4/3) - 1 = 1/2."""
    found = reversal_strength(tf.constant([0.0, math.log(3) / 10, 1.0]))
    np.testing.assert_allclose(found, [0.0, 0.5, 2 / (1 + math.exp(-10)) - 1], atol=1e-7)


def test_reversed_gradient_by_hand():
    x, strength = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([0.5, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = reverse_gradient(x, strength)
        loss = tf.reduce_sum(tf.constant([[1.0, 10.0], [100.0, 1000.0]]) * y)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(tape.gradient(loss, x), [[-0.5, -5.0], [-200.0, -2000.0]])


def test_the_head_learns_and_the_features_unlearn():
    """The domain loss' gradient is whole for the domain head, and -strength times for the backbone."""
    model = make_dann()
    strength = float(reversal_strength(tf.constant(0.3)))
    with tf.GradientTape(persistent=True) as tape:
        turned = model.terms(BATCH, training=True)["domain_cross_entropy"].total
        features, _ = model.network({"images": IMAGES}, training=True)
        plain = tf.reduce_sum(
            tf.nn.sparse_softmax_cross_entropy_with_logits(BATCH["domains"], model.domain_head(features))
        )
    np.testing.assert_allclose(turned, plain, rtol=1e-6)
    for variables, factor in ((model.domain_head, 1.0), (model.backbone, -strength)):
        kernel = variables.trainable_variables[0].value
        expected = factor * tape.gradient(plain, kernel)
        np.testing.assert_allclose(tape.gradient(turned, kernel), expected, atol=1e-5)
        assert float(tf.norm(expected)) > 1e-3


def test_terms_by_hand():
    """Task logits 0, 0, ln 2: four labelled rows with shares 1/4, 1/4, 1/2; domain logits 0, ln 3: shares 1/4, 3/4."""
    model = make_dann(domain_weight=0.5)
    for layer, bias in (
        (model.classifier.get_layer("logits"), [0.0, 0.0, math.log(2)]),
        (model.domain_head.layers[-1], [0.0, math.log(3)]),
    ):
        layer.set_weights([np.zeros_like(layer.get_weights()[0]), np.array(bias)])
    terms = model.terms(BATCH, training=True)
    assert list(terms) == list(model.term_names)
    found = {name: (float(term.total), float(term.count), term.weight) for name, term in terms.items()}
    np.testing.assert_allclose(found["cross_entropy"], (7 * math.log(2), 4, 1), rtol=1e-6)
    np.testing.assert_allclose(found["accuracy"], (1, 4, 0))
    domain = 4 * math.log(4) + 3 * math.log(4 / 3)
    np.testing.assert_allclose(found["domain_cross_entropy"], (domain, 7, 0.5), rtol=1e-6)
    np.testing.assert_allclose(found["domain_accuracy"], (3, 7, 0))
    wide = BATCH | {"labels": np.asarray(BATCH["labels"], np.int64), "domains": np.asarray(BATCH["domains"], np.int64)}
    again = {name: float(term.total) for name, term in model.terms(wide, training=True).items()}
    assert again == {name: total for name, (total, _, _) in found.items()}


FEATURES = np.array([[0, 0], [2, 0], [1, 1], [1, 3]], "float32")


def test_coral_by_hand():
    """Source (0,0), (2,0): covariance [[2, 0], [0, 0]]; target (1,1), (1,3): [[0, 0], [0, 2]]; (4 + 4) / (4 * 2^2)."""
    term = coral_term(tf.constant(FEATURES), tf.constant([0, 0, 1, 1]))
    np.testing.assert_allclose((term.total, term.count), (4 * 0.5, 4), rtol=1e-6)


def test_coral_is_numpys_and_so_is_its_gradient():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(9, 3)).astype("float32")
    domains = np.array([0, 1, 1, 0, 1, 0, 1, 1, 0])

    def distance(x):
        apart = np.cov(x[domains == 0].T) - np.cov(x[domains == 1].T)
        return np.sum(apart**2) / (4 * 3**2)

    x = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(x)
        term = coral_term(x, tf.constant(domains, tf.int32))
        mean = term.total / term.count
    np.testing.assert_allclose(mean, distance(features), rtol=1e-5)
    slopes, exact = tape.gradient(mean, x), features.astype("float64")
    for row, column in ((0, 0), (4, 2)):
        step = np.zeros_like(exact)
        step[row, column] = 1e-5
        slope = (distance(exact + step) - distance(exact - step)) / 2e-5
        np.testing.assert_allclose(slopes[row, column], slope, rtol=1e-3)


@pytest.mark.parametrize("domains", [[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]])
def test_one_domain_alone_has_no_distance(domains):
    x = tf.constant(FEATURES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        term = coral_term(x, tf.constant(domains))
    assert (float(term.total), float(term.count)) == (0.0, 0.0)
    np.testing.assert_array_equal(tape.gradient(term.total, x), np.zeros((4, 2)))


def test_proofs_of_dann(tmp_path):
    checks.check_learns(DomainAdversarial(make_classifier(), domain_units=5, domain_weight=0.1), BATCH, steps=40)
    model = make_dann(num_domains=3)
    checks.check_round_trip(model, BATCH, tmp_path)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for mine, its in zip(model.domain_head.get_weights(), loaded.domain_head.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert (loaded.num_domains, loaded.domain_units) == (3, 5)
    checks.check_export(model, BATCH, tmp_path)


def test_replicas_of_dann():
    checks.check_replicas(make_dann, BATCH)


def test_proofs_of_coral(tmp_path):
    checks.check_learns(DeepCoral(make_classifier()), BATCH, steps=40)
    model = DeepCoral(make_classifier(), coral_weight=2.0, on_outputs=True)
    checks.check_round_trip(model, BATCH, tmp_path)
    checks.check_export(model, BATCH, tmp_path)
    # The features of this toy differ by 5e-8 only; with this weight a slip in the sum over replicas is seen.
    checks.check_replicas(lambda: DeepCoral(make_classifier(), coral_weight=1e6), BATCH)


def test_what_is_kept_is_the_classifier(tmp_path):
    """It has the trained weights, and none of the domain head."""
    model = make_dann()
    model.compile("sgd")
    model.fit(tf.data.Dataset.from_tensor_slices(BATCH).batch(7), shuffle=False, verbose=0)
    checks.check_round_trip(model.classifier, BATCH, tmp_path)
    np.testing.assert_array_equal(model.classifier({"images": IMAGES}), model({"images": IMAGES}))
    assert not [weight.path for weight in model.classifier.weights if "domain" in weight.path]


def make_batches():
    rows = {"images": IMAGES, "labels": np.array([0, 1, 2, 0, 1, 2, 0], "int32")}
    target = StepIndexed({"images": 1.0 - IMAGES}, 2, seed=2)
    return Mixed([StepIndexed(rows, 3, seed=1), target], fill={"labels": -1}, transform=progress(7))


def test_resume_gives_the_same_bits(tmp_path):
    """Seven steps in one go; and stopped in step 5, saved at 3, begun again: the strength goes on from where it was."""

    def make_model(seed):
        keras.utils.set_random_seed(seed)
        return DomainAdversarial(make_classifier(dropout=0.5), domain_units=5)

    settings = {"steps": 7, "batch_size": 5, "save_every_steps": 3}
    whole, first, second = make_model(3), make_model(3), make_model(99)
    validation = make_batches().in_order()
    expected = fit(whole, make_batches(), make_run(tmp_path / "whole", **settings), validation=validation)
    run = make_run(tmp_path / "cut", **settings)
    with pytest.raises(KeyboardInterrupt):
        fit(first, make_batches(), run, validation=validation, callbacks=[Interrupt(5)])
    result = fit(second, make_batches(), run, validation=validation)
    for name, variable in run_variables(whole).items():
        np.testing.assert_array_equal(run_variables(second)[name].numpy(), variable.numpy(), err_msg=name)
    assert result.curves["val_accuracy"] == expected.curves["val_accuracy"]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="DomainAdversarial needs the column 'progress'"):
        make_dann().terms({name: column for name, column in BATCH.items() if name != "progress"}, training=True)
    with pytest.raises(ValueError, match="DeepCoral needs the column 'domains'"):
        DeepCoral(make_classifier()).terms({"images": IMAGES, "labels": BATCH["labels"]}, training=False)
    with pytest.raises(ValueError, match="DeepCoral compares the examples of a batch .* accumulate_steps 1"):
        DeepCoral(make_classifier()).compile("sgd", accumulate_steps=2)
    with pytest.raises(ValueError, match="num_domains must be at least 2"):
        make_dann(num_domains=1)
    with pytest.raises(ValueError, match="coral_weight must be above 0"):
        DeepCoral(make_classifier(), coral_weight=0.0)
    agreeing = make_classifier()
    enable_r_drop(agreeing, 1.0)
    with pytest.raises(ValueError, match=r"r_drop 0, received Classification and r_drop 1.0"):
        DomainAdversarial(agreeing)
