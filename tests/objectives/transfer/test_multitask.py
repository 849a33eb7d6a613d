"""Weights of tasks by hand and as the papers have them, and the five proofs for each weighting."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tfpretune.backbones import SmallCNN
from tfpretune.finetune import enable_r_drop, multi_head
from tfpretune.objectives import Classification, MultiLabel, Regression
from tfpretune.objectives.terms import share, sums
from tfpretune.objectives.transfer.task_gradients import shared_norms, without_conflict

random = np.random.default_rng(0)
BATCH = {
    "images": random.random((5, 8, 8, 1)).astype("float32"),
    "digit": np.array([0, 1, 2, -1, 1], "int32"),
    "size": np.array([1.0, 2.0, 3.0, 4.0, 5.0], "float32"),
    "odd": np.array([0, 1, -1, -1, 1], "int32"),
}
TARGETS = {
    "digit": Classification(3, column="digit", may_lack=True),
    "size": Regression(column="size"),
    "odd": Classification(2, column="odd", may_lack=True),
}


def make(weighting="fixed", weights=None):
    return multi_head(SmallCNN((8, 8, 1), (8,)), TARGETS, weighting=weighting, weights=weights, dropout=0.0)


WEIGHTINGS = pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "gradnorm", "pcgrad"])


@WEIGHTINGS
def test_proofs(weighting, tmp_path):
    """Learns, saves, exports."""
    checks.check_learns(make(weighting), BATCH)
    checks.check_round_trip(make(weighting), BATCH, tmp_path)
    checks.check_export(make(weighting), BATCH, tmp_path)


@WEIGHTINGS
def test_replicas(weighting):
    """Two replicas with 3 and 2 rows, and other counts for every task, learn what one learns."""
    checks.check_replicas(lambda: make(weighting), BATCH)


def test_weights_by_hand():
    terms = make(weights={"size": 0.25, "odd": 0.0}).terms(BATCH, training=True)
    weights = {name: term.weight for name, term in terms.items() if term.weight}
    assert weights == {"digit_cross_entropy": 1.0, "size_squared_error": 0.25}
    assert float(terms["digit_cross_entropy"].count) == 4


@pytest.mark.parametrize("kind", ["class", "number", "set"])
def test_a_missing_label_counts_for_nothing(kind):
    """Two tasks of one kind: what one learns is the same whether an example without a label is in the batch or not."""
    target, known, none = {
        "class": (Classification(3, column="a", may_lack=True), [0, 2, 1, 2, 0], -1),
        "number": (Regression(column="a", may_lack=True), [-1.0, 2.0, 0.0, -1.0, 3.0], np.nan),
        "set": (MultiLabel(2, column="a"), [[0, 1], [1, 1], [0, 0], [1, 0], [0, 1]], -1),
    }[kind]
    labels = np.array(known, "float32" if kind == "number" else "int32")
    labels[3:] = none
    targets = {"a": target, "b": dataclasses.replace(target, column="b")}
    model = multi_head(SmallCNN((8, 8, 1), (8,)), targets, dropout=0.0)
    whole = {"images": BATCH["images"], "a": labels, "b": labels}
    terms = model.terms(whole, training=True)
    few = model.terms({name: column[:3] for name, column in whole.items()}, training=True)
    for name, term in terms.items():
        np.testing.assert_allclose([term.total, term.count], [few[name].total, few[name].count], rtol=1e-5)
    assert float(terms[f"a_{target.term_names[0]}"].count) == 3
    nothing = model.terms(whole | {"a": np.full_like(labels, none)}, training=True)
    assert float(nothing[f"a_{target.term_names[0]}"].count) == 0
    assert float(nothing[f"a_{target.term_names[0]}"].total) == 0
    before = [weight.numpy() for weight in model.get_layer("a_logits").weights]
    history = fit_one_step(model, 0.1, whole | {"a": np.full_like(labels, none)})
    assert np.isfinite(history["loss"]).all()
    for weight, old in zip(model.get_layer("a_logits").weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_a_learnt_factor_stays_where_a_batch_knows_nothing_of_its_task():
    """Else the factor of a task with few labels would grow in every batch without one."""
    model = make("uncertainty")
    fit_one_step(model, 0.1, BATCH | {"odd": np.full(5, -1, "int32")})
    assert model.log_variances["odd"].numpy() == 0
    assert model.log_variances["digit"].numpy() != 0


@pytest.mark.parametrize("weighting", ["uncertainty", "gradnorm"])
def test_weights_that_are_learnt_do_not_count_in_evaluation(weighting):
    """Else the best step by `val_loss` would be the first: a falling loss has a growing weight."""
    model = make(weighting)
    model.compile(keras.optimizers.SGD(0.0))
    before = model.evaluate(tf.data.Dataset.from_tensors(BATCH), verbose=0, return_dict=True)["loss"]
    for name in ("log_variances", "balanced"):
        learnt = getattr(model, name, None)
        for weight in learnt.values() if isinstance(learnt, dict) else [learnt] * (learnt is not None):
            weight.assign(weight + 0.7)
    after = model.evaluate(tf.data.Dataset.from_tensors(BATCH), verbose=0, return_dict=True)["loss"]
    terms = model.terms(BATCH, training=False).values()
    fixed = sum(float(term.total) / float(term.count) for term in terms if term.weight)
    np.testing.assert_allclose([before, after], fixed, rtol=1e-6)


def fit_one_step(model, rate, batch=BATCH, **settings):
    model.compile(keras.optimizers.SGD(rate), **settings)
    return model.fit(tf.data.Dataset.from_tensor_slices(batch).batch(5), verbose=0, shuffle=False).history


def test_uncertainty_by_hand():
    """At s = 0 the loss is the sum, with half of the regression's; ds = -factor * loss + 1/2."""
    model = make("uncertainty")
    terms = model.terms(BATCH, training=True)
    losses = {
        task: float(terms[name].total) / float(terms[name].count)
        for task, name in (
            ("digit", "digit_cross_entropy"),
            ("size", "size_squared_error"),
            ("odd", "odd_cross_entropy"),
        )
    }
    history = fit_one_step(model, 0.1)
    np.testing.assert_allclose(history["loss"][0], losses["digit"] + losses["size"] / 2 + losses["odd"], rtol=1e-5)
    for task, loss in losses.items():
        slope = -(0.5 if task == "size" else 1.0) * loss + 0.5
        np.testing.assert_allclose(model.log_variances[task].numpy(), -0.1 * slope, rtol=1e-4)
    loss = fit_one_step(model, 0.0)["loss"][0]
    now = {task: model.log_variances[task].numpy() for task in losses}
    terms = model.terms(BATCH, training=True)
    losses = [float(term.total) / float(term.count) for name, term in terms.items() if callable(term.weight)]
    expected = sum(
        (0.5 if task == "size" else 1.0) * math.exp(-s) * float(value) + s / 2
        for (task, s), value in zip(now.items(), losses, strict=True)
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_conflicts_by_hand():
    """(1, 0) and (-1, 1) oppose each other: each loses its part along the other. A third at a right angle changes nothing."""
    a, b = [tf.constant([1.0, 0.0]), None], [tf.constant([-1.0, 1.0]), tf.constant([7.0])]
    first, second = without_conflict([a, b], tf.constant(0))
    np.testing.assert_allclose(first[0], [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(second[0], [0.0, 1.0], atol=1e-6)
    assert first[1] is None
    np.testing.assert_allclose(second[1], [7.0])
    agreeing = without_conflict([a, [tf.constant([2.0, 5.0]), None]], tf.constant(0))
    np.testing.assert_allclose(agreeing[0][0], [1.0, 0.0])


def test_three_tasks_are_projected_in_one_order_or_the_other():
    """Against NumPy: one after the other, in both orders; the order changes from step to step and not within one."""
    g = [np.array([1.0, 0.2]), np.array([-1.0, 0.5]), np.array([-0.3, -1.0])]

    def project(own, order):
        for other in order:
            own = own - min(own @ g[other], 0.0) / (g[other] @ g[other]) * g[other]
        return own

    both = [project(g[0], order) for order in ((1, 2), (2, 1))]
    found = [
        without_conflict([[tf.constant(x, tf.float32)] for x in g], tf.constant(s))[0][0].numpy() for s in range(8)
    ]
    which = [int(np.argmin([np.abs(f - b).max() for b in both])) for f in found]
    for f, w in zip(found, which, strict=True):
        np.testing.assert_allclose(f, both[w], atol=1e-5)
    assert set(which) == {0, 1}


def test_norms_over_shared_weights_only():
    one = [tf.constant([3.0, 4.0]), tf.constant([100.0]), None]
    other = [tf.constant([0.0, 2.0]), None, tf.constant([100.0])]
    np.testing.assert_allclose(shared_norms([one, other]), [5.0, 2.0])


def test_gradnorm_moves_towards_the_task_with_the_small_gradient():
    """A task whose loss is a hundredth of another's gets the larger factor; they sum to their number; the first losses stay."""
    targets = {"big": Regression(column="big"), "small": Regression(column="small", scale=10.0)}
    model = multi_head(SmallCNN((8, 8, 1), (8,)), targets, weighting="gradnorm", dropout=0.0)
    batch = {"images": BATCH["images"], "big": BATCH["size"], "small": BATCH["size"]}
    before = {
        name: float(t.total) / float(t.count) for name, t in model.terms(batch, training=True).items() if t.weight
    }
    for _ in range(3):
        fit_one_step(model, 1e-4, batch)
    factors = model.balanced.numpy()
    assert factors[1] > 1 > factors[0]
    np.testing.assert_allclose(factors.sum(), 2.0, rtol=1e-6)
    np.testing.assert_allclose(model.first_losses.numpy(), [*before.values()], rtol=1e-5)


def balanced_with(**changes):
    """A model of two tasks after one call of GradNorm's update, with gradients of norms 5 and 1 on the shared weights."""
    targets = {"a": Regression(column="a"), "b": Regression(column="b")}
    model = multi_head(SmallCNN((8, 8, 1), (8,)), targets, weighting="gradnorm", dropout=0.0)
    model.compile(keras.optimizers.SGD(0.0))
    model.first_losses.assign([2.0, 1.0])
    given = {"a": [3.0, 4.0], "b": [0.6, 0.8], "losses": [1.0, 1.0]} | changes
    model._balance([[tf.constant(given["a"])], [tf.constant(given["b"])]], tf.constant(given["losses"]))
    return model


def test_gradnorm_by_hand():
    """Rates 1/2 and 1, over their mean 2/3 and 4/3; wanted norms 3 * (2/3)^1.5 = 1.63 and 3 * (4/3)^1.5 = 4.62.

    So the first factor falls by 0.025 * 5 / 3 and the second rises by 0.025 / 3; then both are scaled to the sum 2.
    """
    moved = np.array([1.0 - 0.025 * 5 / 3, 1.0 + 0.025 / 3])
    np.testing.assert_allclose(balanced_with().balanced, 2 * moved / moved.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    "changes", [{"a": [float("inf"), 4.0]}, {"b": [float("nan"), 0.0]}, {"losses": [float("inf"), 1.0]}]
)
def test_gradnorm_leaves_out_what_is_no_number(changes):
    """As where float16 tries a scale that is too large; the next step goes on from there."""
    model = balanced_with(**changes)
    np.testing.assert_array_equal(model.balanced, [1.0, 1.0])
    np.testing.assert_array_equal(model.first_losses, [2.0, 1.0])


def test_gradnorm_keeps_the_factor_of_a_task_without_examples():
    model = make("gradnorm")
    fit_one_step(model, 1e-3, BATCH | {"odd": np.full(5, -1, "int32")})
    factors, firsts = model.balanced.numpy(), model.first_losses.numpy()
    assert firsts[2] == 0
    assert np.isfinite(factors).all()


@pytest.mark.parametrize("weighting", ["uncertainty", "gradnorm", "pcgrad"])
def test_in_parts(weighting):
    """Learning from 2 parts is learning from the whole."""
    results = []
    for parts in (1, 2):
        keras.utils.set_random_seed(1)
        model = make(weighting)
        fit_one_step(model, 0.1, accumulate_steps=parts)
        results.append([v.numpy() for v in model.variables])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "gradnorm", "pcgrad"])
def test_r_drop_by_hand(weighting, monkeypatch):
    """Each task: its weight times (half the losses of both passes + 3 / 2 of their divergence), where it has a label."""
    logs = math.log(3.0)
    first = {"digit": tf.constant([[logs, 0.0], [0.0, 0.0]]), "odd": tf.constant([[0.0, 0.0], [0.0, 0.0]])}
    other = {"digit": tf.constant([[0.0, 0.0], [9.0, 0.0]]), "odd": tf.constant([[0.0, 0.0], [0.0, logs]])}
    targets = {name: Classification(2, column=name, may_lack=True) for name in first}
    weights = {"digit": 2.0} if weighting in ("fixed", "pcgrad") else None
    model = multi_head(SmallCNN((8, 8, 1), (8,)), targets, weighting=weighting, weights=weights, dropout=0.5)
    enable_r_drop(model, 3.0)
    batch = {"images": BATCH["images"][:2], "digit": np.array([0, -1], "int32"), "odd": np.array([1, 1], "int32")}
    passes = iter((first, other))
    monkeypatch.setattr(type(model), "__call__", lambda self, inputs, training: next(passes))
    terms = model.terms(batch, training=True)
    # (3/4, 1/4) beside (1/2, 1/2): both divergences have the mean (1/4) ln 3 / 2; cross-entropies are -ln 3/4 and ln 2
    apart, high, even = logs / 8, -math.log(0.75), math.log(2.0)
    factor = 2.0 if weights else 1.0
    expected = factor * ((high + even) / 2 + 1.5 * apart) + (3 * even + high) / 4 + 1.5 * apart / 2
    loss = share(terms, sums(terms)[:, 1])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert float(terms["digit_accuracy"].total) == 1  # of the first pass
    assert model.term_names == tuple(terms)


@pytest.mark.parametrize("weighting", ["fixed", "gradnorm"])
def test_r_drop_trains_evaluates_and_is_saved(weighting, tmp_path):
    model = multi_head(SmallCNN((8, 8, 1), (8,)), TARGETS, weighting=weighting, dropout=0.5)
    enable_r_drop(model, 1.0)
    history = fit_one_step(model, 0.01)
    assert all(history[f"{task}_r_drop"][0] > 0 for task in TARGETS)
    if weighting == "gradnorm":
        losses = [
            history[f"{task}_{t.term_names[0]}"][0] + history[f"{task}_r_drop"][0] / 2 for task, t in TARGETS.items()
        ]
        np.testing.assert_allclose(model.first_losses.numpy(), losses, rtol=1e-5)
    plain = multi_head(SmallCNN((8, 8, 1), (8,)), TARGETS, weighting=weighting, dropout=0.5)
    plain.set_weights(model.get_weights())
    plain.compile(keras.optimizers.SGD(0.0))
    data = tf.data.Dataset.from_tensors(BATCH)
    found = [each.evaluate(data, verbose=0, return_dict=True)["loss"] for each in (model, plain)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").r_drop == 1.0


def test_the_gradients_of_a_task_are_those_of_its_loss_and_its_divergence(monkeypatch):
    """With two terms a task, PCGrad projects the gradients of the tasks, not of the terms."""
    model = multi_head(SmallCNN((8, 8, 1), (8,)), TARGETS, weighting="pcgrad", dropout=0.5)
    enable_r_drop(model, 1.0)
    names = [f"{task}_{name}" for task, target in TARGETS.items() for name in (target.term_names[0], "r_drop")]
    found = {name: [tf.constant([float(10**index)]), None] for index, name in enumerate(names)}
    given = []
    module = "tfpretune.objectives.transfer.multitask"
    monkeypatch.setattr(f"{module}.gradients_by_term", lambda model, data: (found, {}, tf.zeros((6, 2))))
    monkeypatch.setattr(f"{module}.without_conflict", lambda by_task, step: given.extend(by_task) or by_task)
    model.compile(keras.optimizers.SGD(0.1))
    gradients, *_ = model.global_gradients(BATCH, [None, None])
    assert [float(each[0][0]) for each in given] == [11.0, 1100.0, 110000.0]
    assert float(gradients[0][0]) == 111111.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"targets": {"a": Classification(2)}}, "2 or more tasks"),
        ({"targets": {"a": Classification(2), "b": Classification(2)}}, "a column of its own"),
        ({"targets": TARGETS, "weighting": "best"}, "weighting must be"),
        ({"targets": TARGETS, "weighting": "gradnorm", "weights": {"odd": 1.0}}, "finds the weights itself"),
        ({"targets": TARGETS, "weights": {"even": 1.0}}, "one a task of"),
    ],
)
def test_settings_that_cannot_work(settings, message):
    with pytest.raises(ValueError, match=message):
        multi_head(SmallCNN((8, 8, 1), (8,)), **settings)
