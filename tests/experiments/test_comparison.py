import functools

import numpy as np
import pytest

from tfpretune.backbones import SmallCNN
from tfpretune.backbones.by_name import load_backbone
from tfpretune.data.batches.examples import image_batches
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.evaluation.metrics.classification import accuracy
from tfpretune.experiments import comparison
from tfpretune.experiments.comparison import PRETRAINED, SCRATCH, Comparison, Side, Trials, compare
from tfpretune.finetune import classifier
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training.presets import save_preset

SHAPE = (8, 8, 1)
RATE = OptimizerConfig(learning_rate=1e-3)
SIDES = [Side(SCRATCH, False, 7, RATE), Side(PRETRAINED, True, 7, RATE)]


@pytest.fixture(scope="module")
def parts():
    return labelled_splits("demo:digits")


@pytest.fixture(scope="module")
def trials(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison") / "preset"
    save_preset(folder, classifier(SmallCNN(SHAPE, (8, 8)), 10))
    make_batches = functools.partial(image_batches, image_shape=SHAPE)
    make_model = functools.partial(classifier, num_classes=10)
    return Trials(str(folder), parts.train, parts.test, make_batches, make_model, batch_size=8, seeds=2, most_steps=2)


@pytest.fixture
def steps(monkeypatch):
    """Nothing is trained; the steps that were asked for are noted."""
    asked = []
    monkeypatch.setattr(comparison, "train_briefly", lambda *_, steps: asked.append(steps))
    return asked


def test_accuracy_by_hand(parts):
    """Class 0 is guessed for all, so right is every example of class 0."""
    few = parts.train.few_labels(3, 0)
    assert accuracy(np.eye(10)[np.zeros(30, int)], few) == 0.1


def test_rows_and_gain_by_hand():
    found = Comparison(10, {"linear": [0.5, 0.5], SCRATCH: [0.4, 0.6], PRETRAINED: [0.7, 0.9]}, model=None)
    assert [row[:2] for row in found.rows()] == [["linear", 10], [SCRATCH, 10], [PRETRAINED, 10]]
    np.testing.assert_allclose([row[2] for row in found.rows()], [0.5, 0.5, 0.8])
    np.testing.assert_allclose([row[3] for row in found.rows()], [0.0, 0.02**0.5, 0.02**0.5])
    assert found.gain().difference == pytest.approx(0.3)


def test_every_side_gets_the_same_draws(trials, monkeypatch, capsys):
    seen = []

    def fine_tune(self, side, few, seed, before=None):
        seen.append((side.name, seed, tuple(few.where)))
        return (side.name, seed)

    monkeypatch.setattr(Trials, "fine_tune", fine_tune)
    monkeypatch.setattr(Trials, "score", lambda self, model: {SCRATCH: 0.25, PRETRAINED: 0.5}[model[0]])
    fitted = []

    def linear(few, test):
        fitted.append(tuple(few.where))
        return np.eye(10)[test.known_labels]

    found = compare(trials, SIDES, labels=3, baselines={"oracle": linear})
    draws = [tuple(draw.where) for draw in trials.draws(3)]
    assert draws[0] != draws[1]
    assert [name for name, _, _ in seen] == [SCRATCH, SCRATCH, PRETRAINED, PRETRAINED]
    assert [seed for _, seed, _ in seen] == [0, 1, 0, 1]
    assert [where for _, _, where in seen] == draws * 2
    assert fitted == draws
    assert found.scores == {"oracle": [1.0, 1.0], SCRATCH: [0.25, 0.25], PRETRAINED: [0.5, 0.5]}
    assert found.model == (PRETRAINED, 1)
    assert "demo:digits, 3 labels per class, pre-trained, seed 1: 0.500" in capsys.readouterr().out


def test_only_the_pretrained_side_starts_from_the_preset(trials, steps):
    few = trials.draws(3)[0]
    preset = load_backbone(trials.preset).get_weights()
    scratch, pretrained = (trials.fine_tune(side, few, 0).backbone.get_weights() for side in SIDES)
    assert all(np.array_equal(a, b) for a, b in zip(pretrained, preset, strict=True))
    assert not np.array_equal(scratch[0], preset[0])
    assert steps == [2, 2]  # of 7: this is a rehearsal


def test_the_seed_decides_the_start(trials, steps):
    few = trials.draws(3)[0]
    first, again, other = (trials.fine_tune(SIDES[0], few, seed).get_weights()[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_whole_comparison(trials):
    found = compare(trials, SIDES[1:], labels=3)
    assert len(found.scores[PRETRAINED]) == 2
    assert trials.score(found.model) == found.scores[PRETRAINED][1]


def test_a_network_that_is_asked_again_says_what_it_has_learnt(trials, steps):
    """It is traced once, and answers with the weights that it has then."""
    model = trials.fine_tune(SIDES[1], trials.draws(3)[0], 0)
    before = trials.score(model)
    head = model.get_layer("logits")
    head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
    head.bias.assign(np.eye(10)[0])
    assert trials.score(model) == accuracy(np.eye(10)[np.zeros(len(trials.test), int)], trials.test) != before


def test_a_comparison_of_nothing_is_refused(trials):
    with pytest.raises(ValueError, match="expected at least one side"):
        compare(trials, [], labels=3)


def test_a_network_that_is_trained_again_learns_what_a_new_one_learns(trials, parts):
    """With augmentation off and dropout on, for a seed and a draw that it has not seen."""
    few, other = parts.train.few_labels(2, 0), parts.train.few_labels(2, 1)
    before = trials.fine_tune(SIDES[0], few, 0)
    again = trials.fine_tune(SIDES[0], other, 1, before)
    assert again is before
    for mine, its in zip(again.variables, trials.fine_tune(SIDES[0], other, 1).variables, strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6, err_msg=mine.path)
