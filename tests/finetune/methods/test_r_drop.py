"""R-Drop: the loss by hand, the same model however it came to be, resume to the bit, what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import checks
from tests.training.loop.toys import Interrupt, make_run
from tfpretune.backbones import SmallCNN
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.finetune import classifier, embedder, enable_r_drop, multi_head, with_cached_features
from tfpretune.objectives import Classification, DomainAdversarial, Regression, SupervisedContrastive
from tfpretune.training import fit
from tfpretune.training.run_variables import run_variables

random = np.random.default_rng(0)
IMAGES = random.random((5, 8, 8, 1)).astype("float32")
BATCH = {
    "images": IMAGES,
    "labels": np.array([0, 1, 1, 0, 1], "int32"),
    "digit": np.array([0, -1, 1, 0, 1], "int32"),
    "number": np.array([0.5, 1.0, np.nan, 0.0, -1.0], "float32"),
}
TARGETS = {
    "digit": Classification(2, column="digit", may_lack=True),
    "number": Regression(column="number", may_lack=True),
}
TERMS = ("digit_cross_entropy", "digit_accuracy", "digit_r_drop", "digit_penalty") + (
    "number_squared_error",
    "number_mean_absolute_error",
    "number_r_drop",
    "number_penalty",
)


def cnn():
    return SmallCNN((8, 8, 1), (8,))


def one_head():
    return classifier(cnn(), 2, dropout=0.5)


def two_heads():
    return multi_head(cnn(), TARGETS, weighting="uncertainty", dropout=0.5)


HEADS = {"one": one_head, "two": two_heads}


def agreeing(make, weight=1.0):
    keras.utils.set_random_seed(3)
    model = make()
    enable_r_drop(model, weight)
    return model


def test_it_is_half_of_the_papers_loss(monkeypatch):
    """Two passes give the logits a and b: (CE(a) + CE(b)) / 2 + weight / 2 * divergence(a, b)."""
    model = agreeing(one_head, 3.0)
    a, b = tf.constant([[0.0, 1.0]]), tf.constant([[2.0, 0.0]])
    passes = iter((a, b))
    monkeypatch.setattr(type(model), "__call__", lambda self, inputs, training: next(passes))
    batch = {"images": IMAGES[:1], "labels": np.array([1], "int32")}
    terms = model.terms(batch, training=True)
    losses = [Classification(2).terms(x, batch, True)["cross_entropy"].total for x in (a, b)]
    np.testing.assert_allclose(terms["cross_entropy"].total, sum(losses) / 2, rtol=1e-6)
    assert terms["r_drop"].weight == 1.5
    np.testing.assert_allclose(terms["r_drop"].total, Classification(2).divergence(a, b, batch).total, rtol=1e-6)
    assert float(terms["accuracy"].total) == 1  # of the first pass


def test_it_trains_and_evaluates(tmp_path):
    model = agreeing(one_head)
    model.compile(keras.optimizers.SGD(0.1))
    data = tf.data.Dataset.from_tensor_slices(BATCH).batch(5)
    assert model.fit(data, verbose=0, shuffle=False).history["r_drop"][0] > 0
    found = model.evaluate(data, verbose=0, return_dict=True)
    assert found["loss"] == found["cross_entropy"]
    checks.check_round_trip(model, BATCH, tmp_path)


@pytest.mark.parametrize("name", HEADS)
def test_the_model_is_the_one_that_its_config_makes(name):
    """The same terms and metrics in the same order, each once: those before are gone, and 0 brings them back."""
    model = agreeing(HEADS[name])
    from_config = type(model).from_config(model.get_config())
    expected = TERMS if name == "two" else ("cross_entropy", "accuracy", "r_drop")
    for each in (model, from_config):
        assert each.r_drop == 1.0
        assert each.term_names == expected
        assert [metric.name for metric in each.metrics] == [*expected]
        assert [metric.name for metric in each.term_metrics] == [*expected]
    plain = HEADS[name]()
    enable_r_drop(model, 0.0)
    assert [metric.name for metric in model.metrics] == [metric.name for metric in plain.metrics]
    assert "r_drop" not in " ".join(model.term_names)


@pytest.mark.parametrize("name", HEADS)
def test_resume_gives_the_same_bits(name, tmp_path):
    """Six steps in one go; and stopped in step 5, saved at 3, begun again."""
    batches, settings = StepIndexed(BATCH, 4, seed=5), {"steps": 6, "save_every_steps": 3}
    whole, first, second = (agreeing(HEADS[name]) for _ in range(3))
    expected = fit(whole, batches, make_run(tmp_path / "whole", **settings))
    with pytest.raises(KeyboardInterrupt):
        fit(first, batches, make_run(tmp_path / "cut", **settings), callbacks=[Interrupt(5)])
    result = fit(second, batches, make_run(tmp_path / "cut", **settings))
    assert result.steps == 6
    losses = [term for term in ("loss", *whole.term_names) if term in result.curves]
    assert {term: result.curves[term] for term in losses} == {term: expected.curves[term] for term in losses}
    apart = [value for term in losses if term.endswith("r_drop") for _, value in result.curves[term]]
    assert len(apart) == 6 * (2 if name == "two" else 1)
    assert min(apart) > 0
    for path, variable in run_variables(whole).items():
        np.testing.assert_array_equal(run_variables(second)[path], variable, err_msg=path)


def test_a_head_on_cached_features_has_it_too():
    model = agreeing(one_head)
    model.backbone.trainable = False
    head, _ = with_cached_features(model, StepIndexed(BATCH, 5))
    assert (head.r_drop, head.term_names) == (1.0, model.term_names)


def test_a_model_that_is_compiled_is_refused():
    model = one_head()
    model.compile("sgd")
    with pytest.raises(ValueError, match="the model is compiled already; call enable_r_drop before compile"):
        enable_r_drop(model, 1.0)


@pytest.mark.parametrize(
    ("make", "weight", "message"),
    [
        pytest.param(one_head, -1.0, r"`enable_r_drop\(weight\)` must not be negative, received -1.0", id="negative"),
        pytest.param(
            two_heads, float("nan"), r"`enable_r_drop\(weight\)` must not be negative, received nan", id="no number"
        ),
        pytest.param(
            lambda: embedder(cnn(), 4),
            1.0,
            "SupervisedContrastive has no distance between two outputs",
            id="embeddings",
        ),
        pytest.param(
            lambda: multi_head(cnn(), TARGETS | {"near": SupervisedContrastive(4, column="near")}),
            1.0,
            r"`enable_r_drop\(weight\)`: SupervisedContrastive has no distance between two outputs; leave it out",
            id="embeddings beside others",
        ),
        pytest.param(
            lambda: DomainAdversarial(one_head(), num_domains=2),
            1.0,
            "Supervised and MultiTask models, received DomainAdversarial",
            id="two domains",
        ),
    ],
)
def test_what_cannot_work_is_refused_at_once(make, weight, message):
    model = make()
    names = model.term_names
    with pytest.raises(ValueError, match=message):
        enable_r_drop(model, weight)
    assert model.term_names == names
