"""Soups: averages of weights by hand, the greedy recipe step by step. Ensembles: their answers by hand, saved and exported."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from tests import checks
from tfpretune.backbones import SmallCNN, TextEncoder, TextEncoderTokenizer
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.errors import UsageError
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.finetune import classifier, regressor
from tfpretune.finetune.methods.normalization import refresh_normalization
from tfpretune.finetune.methods.soups import ensemble, facts_of, greedy_soup, require_same, uniform_soup
from tfpretune.objectives import Classification, Supervised
from tfpretune.serving import export, verify
from tfpretune.training.presets import load_task, save_preset

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), 8).astype("int32")
IMAGES = (RNG.random((24, 8, 8, 1)) * 0.5 + LABELS[:, np.newaxis, np.newaxis, np.newaxis] * 0.1).astype("float32")
BATCH = {"images": IMAGES, "labels": LABELS}


def make_model(seed=1, filters=(8,), num_classes=3):
    keras.utils.set_random_seed(seed)
    return classifier(SmallCNN((8, 8, 1), filters), num_classes, dropout=0.2)


def batches(size=7):
    return tf.data.Dataset.from_tensor_slices(BATCH).batch(size)


def with_bias(model, bias):
    """The same network with these logits for every image."""
    kernel, _ = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([np.zeros_like(kernel), np.array(bias, "float32")])
    return model


def test_a_uniform_soup_has_the_mean_of_all_weights():
    models = [make_model(seed) for seed in (1, 2, 3)]
    before = [model.get_weights() for model in models]
    soup = uniform_soup(models)
    for value, *others in zip(soup.get_weights(), *before, strict=True):
        np.testing.assert_allclose(value, np.mean(others, axis=0), atol=1e-7)
    assert type(soup) is Supervised
    assert soup not in models
    for model, weights in zip(models, before, strict=True):
        for a, b in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="expected at least one model, received none"):
        uniform_soup([])


def bias_of(model):
    return model.get_layer("logits").bias.numpy()


def test_a_greedy_soup_by_hand():
    """One number each, the first bias: 4, 1, -6, 0; the figure is minus its distance to 2.

    By itself: -2, -1, -8, -2. Order: second, first, fourth (equal: as in the list), third. {1}: -1. {1, 4} -> 2.5: -0.5,
    stays. {1, 4, 0} -> 5/3: -1/3, stays. With -6 -> -0.25: -2.25, out.
    """
    models = [with_bias(make_model(), [value, 0.0, 0.0]) for value in (4.0, 1.0, -6.0, 0.0)]
    soup = greedy_soup(models, lambda model: -abs(bias_of(model)[0] - 2.0))
    assert soup.figures == (-2.0, -1.0, -8.0, -2.0)
    assert soup.members == (1, 0, 3)
    np.testing.assert_allclose(soup.figure, -1 / 3, rtol=1e-5)
    np.testing.assert_allclose(bias_of(soup.model), [5 / 3, 0, 0], rtol=1e-6)


def test_an_average_that_is_as_good_stays_and_the_best_alone_is_copied():
    models = [with_bias(make_model(), [value, 0.0, 0.0]) for value in (2.0, 4.0)]
    assert greedy_soup(models, lambda model: 0.5).members == (0, 1)
    alone = greedy_soup(models, lambda model: -bias_of(model)[0])
    assert alone.members == (0,)
    assert alone.model is not models[0]
    np.testing.assert_array_equal(bias_of(alone.model), bias_of(models[0]))


def make_normal(seed):
    """A network with BatchNormalization under a backbone's name, as KerasHub's have."""
    model = make_model(seed)
    x = keras.layers.BatchNormalization(name="norm")(model.input["images"])
    pooled = model.get_layer("features")(model.backbone({"images": x}))
    outputs = model.get_layer("logits")(pooled)
    return Supervised(model.input, outputs, "normal", target=Classification(3))


def test_a_soup_takes_the_statistics_of_its_normalisation_anew():
    models = [make_normal(seed) for seed in (1, 2)]
    soup = uniform_soup(models, refresh=lambda model: refresh_normalization(model, batches()))
    np.testing.assert_allclose(soup.get_layer("norm").moving_mean, [IMAGES.mean()], atol=1e-6)
    np.testing.assert_array_equal(models[0].get_layer("norm").moving_mean, [0.0])


def test_what_is_of_another_architecture_is_refused_with_what_differs():
    with pytest.raises(
        UsageError, match=r"^model 1 does not fit model 0: backbone.filters: \[8\] -> \[16\]; weight 0: "
    ):
        uniform_soup([make_model(), make_model(filters=(16,))])
    with pytest.raises(UsageError, match=r"outputs: \[null, 3\] -> \[null, 2\]; weight .: \"kernel \[8, 3\]\" -> "):
        greedy_soup([make_model(), make_model(num_classes=2)], lambda model: 0.0)


def tokenizer(*words):
    return TextEncoderTokenizer([*SPECIAL_TOKENS, *words], lowercase=True)


def test_other_tasks_and_vocabularies_are_refused_with_what_differs():
    task = {"kind": "text", "class_names": ["no", "yes"], "sequence_length": 8, "window_length": 4, "source": "a"}
    facts = {
        "runs/a": facts_of(task, tokenizer("good", "bad")),
        "runs/b": facts_of(task | {"source": "b", "metrics": {"accuracy": 1.0}}, tokenizer("good", "bad")),
    }
    require_same(facts)
    other = facts_of(task | {"class_names": ["yes", "no"], "window_length": 8}, tokenizer("good", "film"))
    with pytest.raises(UsageError) as refused:
        require_same(facts | {"runs/c": other}, may_differ=("window_length",))
    said = str(refused.value)
    assert said.startswith(
        'runs/c does not fit runs/a: class_names: ["no", "yes"] -> ["yes", "no"]; vocabulary: "7 tokens'
    )
    assert "window_length" not in said
    with pytest.raises(UsageError, match="; window_length: 4 -> 8$"):
        require_same(facts | {"runs/c": other})


def shares(*rows):
    return [np.log(np.array(row)) for row in rows]


MEMBERS = shares([0.6, 0.3, 0.1], [0.5, 0.1, 0.4], [0.1, 0.3, 0.6])


def answers(model):
    probabilities = predict_outputs(model, batches())
    np.testing.assert_allclose(probabilities, np.tile(probabilities[:1], (24, 1)), atol=1e-6)
    return probabilities[0]


def test_the_mean_of_probabilities_by_hand():
    """(0.6 + 0.5 + 0.1) / 3, (0.3 + 0.1 + 0.3) / 3, (0.1 + 0.4 + 0.6) / 3; members of different width."""
    models = [
        with_bias(make_model(filters=filters), bias)
        for filters, bias in zip([(8,), (8, 8), (8,)], MEMBERS, strict=True)
    ]
    model = ensemble(models)
    np.testing.assert_allclose(answers(model), [1.2 / 3, 0.7 / 3, 1.1 / 3], atol=1e-6)
    features = keras.Model(model.input, model.get_layer("features").output)({"images": IMAGES[:2]})
    expected = [keras.Model(m.input, m.get_layer("features").output)({"images": IMAGES[:2]}) for m in models]
    np.testing.assert_allclose(features, np.concatenate(expected, axis=1), atol=1e-6)
    evaluated = model.terms({"images": IMAGES[:1], "labels": np.array([2], "int32")}, training=False)
    np.testing.assert_allclose(evaluated["cross_entropy"].total, -np.log(1.1 / 3), rtol=1e-5)


def test_the_majority_by_hand():
    """Two votes of three for the first class; with one vote each for first and third, the mean (0.35 to 0.35..) decides."""
    models = [with_bias(make_model(), bias) for bias in MEMBERS]
    np.testing.assert_allclose(answers(ensemble(models, "vote")), [2 / 3, 0, 1 / 3], atol=1e-3)
    tie = answers(ensemble(models[::2], "vote"))
    np.testing.assert_allclose(tie, [0.5, 0, 0.5], atol=1e-3)
    nearly = [with_bias(make_model(), bias) for bias in shares([0.6, 0.3, 0.1], [0.1, 0.2, 0.7])]
    assert answers(ensemble(nearly, "vote")).argmax() == 2


def test_the_stack_answers_what_scikit_learn_answers():
    models = [make_model(seed) for seed in (1, 2)]
    model = ensemble(models, "stacked", batches=batches())
    found = np.concatenate([predict_outputs(member, batches()) for member in models], axis=1)
    scale = (found.std(0) + 0.01 * found.std(0).max() + 1e-6) * np.sqrt(6) / 4
    stack = LogisticRegression(C=1.0, max_iter=2000).fit((found - found.mean(0)) / scale, LABELS)
    expected = stack.predict_proba((found - found.mean(0)) / scale)
    np.testing.assert_allclose(predict_outputs(model, batches()), expected, atol=1e-3)
    with pytest.raises(
        ValueError, match="batches are compatible with the method stacked, and with no other: received 'mean'"
    ):
        ensemble(models, "mean", batches=batches())
    with pytest.raises(ValueError, match="received 'stacked'"):
        ensemble(models, "stacked")


@pytest.mark.parametrize("method", [*(pytest.param(m, marks=pytest.mark.slow) for m in ("mean", "vote")), "stacked"])
def test_an_ensemble_is_saved_and_exported_whole(tmp_path, method):
    """All variables have names of their own; the preset loads, and its export answers as it does."""
    models = [make_model(1), make_model(2, filters=(8, 8))]
    model = ensemble(models, method, batches=batches() if method == "stacked" else None)
    paths = [variable.path for variable in model.variables]
    assert len(set(paths)) == len(paths)
    assert type(model.backbone) is SmallCNN
    checks.check_round_trip(model, BATCH, tmp_path)
    names = ["a", "b", "c"]
    save_preset(tmp_path / "preset", model, task={"kind": "image", "class_names": names, "image_shape": [8, 8, 1]})
    loaded, task = load_task(tmp_path / "preset")
    np.testing.assert_allclose(loaded({"images": IMAGES}), model({"images": IMAGES}), atol=1e-5)
    settings = {"name": "all", "kind": "image", "class_names": task["class_names"], "image_shape": (8, 8, 1)}
    folder = export(loaded, tmp_path / "served", **settings)
    if method == "stacked":
        assert verify(folder).difference < 1e-5


def test_texts_of_one_vocabulary_and_different_windows():
    keras.utils.set_random_seed(1)
    models = [
        classifier(TextEncoder(9, 1, num_heads=1, hidden_dim=4, intermediate_dim=4), 2, window_length=window)
        for window in (0, 2)
    ]
    ids = RNG.integers(5, 9, (6, 4)).astype("int32")
    rows = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    model = ensemble(models)
    expected = np.mean([tf.nn.softmax(member(rows)) for member in models], axis=0)
    np.testing.assert_allclose(tf.nn.softmax(model(rows)), expected, atol=1e-6)


def test_what_cannot_be_an_ensemble():
    with pytest.raises(UsageError, match=r"model 1 does not fit model 0: classes: 3 -> 2$"):
        ensemble([make_model(), make_model(num_classes=2)])
    keras.utils.set_random_seed(1)
    other = classifier(SmallCNN((4, 4, 1), (8,)), 3)
    with pytest.raises(UsageError, match=r"images: \[null, 8, 8, 1\] -> \[null, 4, 4, 1\]"):
        ensemble([make_model(), other])
    with pytest.raises(UsageError, match="an ensemble takes classifiers of whole examples, regressor has Regression"):
        ensemble([regressor(SmallCNN((8, 8, 1), (8,)))])
    with pytest.raises(ValueError, match="expected at least one model, received none"):
        ensemble([])
