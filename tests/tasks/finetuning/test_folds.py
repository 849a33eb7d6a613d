"""Training in folds: no label reaches the model that is asked, the same bits after a kill, the last step of the final model."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN
from tfpretune.backbones.by_name import load_backbone
from tfpretune.data.batches.examples import image_batches
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.data.splits.folds import Folds
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import pooled_head
from tfpretune.objectives import Autoencoder
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.by_target import LABELS
from tfpretune.tasks.finetuning import folds as in_folds
from tfpretune.tasks.finetuning.folds import cross_validate, plan
from tfpretune.training import Stopped, make_strategy, set_random_seed
from tfpretune.training.presets import save_preset

NUMBERS = np.array([[0, 1, 0, 1, 0, 1, 0, 1], [1, 1, 1, 1, 0, 0, 0, 0]])
SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds") / "preset"
    set_random_seed(0)
    save_preset(folder, Autoencoder(SmallCNN(SHAPE, (4,), groups=2)))
    return str(folder)


def images(labels=(0, 0, 1, 1, 0, 0, 1, 1), names=("a", "b")):
    """Eight images; the label is of no importance."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, *SHAPE)).astype(np.uint8)
    labels = np.asarray(labels)
    labels = labels.astype(np.float32 if not names else np.int32)
    return Examples("image", pixels, labels, names, [f"a:{row}" for row in range(8)], "mine")


def settings(preset, out, **own):
    given = {"source": "mine", "out_dir": str(out), "preset": preset, "steps": 3, "batch_size": 4, "dropout": 0.2}
    given |= {"precision": "float32", "optimizer": OptimizerConfig(name="sgd", learning_rate=0.1)}
    return FinetuneConfig(**given | own)


def in_turn(run, train, numbers=NUMBERS, strategy=None):
    """Cross-validates a tiny network."""
    strategy, labels = strategy or tf.distribute.get_strategy(), LABELS[train.label_kind]

    def build(few, seed):
        set_random_seed(seed)
        with strategy.scope():
            return pooled_head(
                load_backbone(run.preset), labels.target(few, run), dropout=run.dropout, name=labels.head
            )

    def learn(few, seed):
        return image_batches(few, run.batch_size, image_shape=SHAPE, seed=seed)

    def read(part):
        return image_batches(part, 4, image_shape=SHAPE).in_order()

    parts = LabelledSplits(train, train.take([]), train.take([]), folds=Folds(numbers, np.arange(8)))
    return cross_validate(run, parts, build=build, learn=learn, read=read)


@pytest.fixture(scope="module")
def done(preset, tmp_path_factory):
    out = tmp_path_factory.mktemp("folds") / "run"
    return out, in_turn(settings(preset, out), images())


def test_each_example_is_answered_once_a_repeat(done):
    out, held = done
    assert held.outputs.shape == held.simple.shape == (2, 8, 2)
    np.testing.assert_allclose(held.outputs.sum(axis=2), 1, atol=1e-6)
    assert sorted(path.name for path in (out / "folds").glob("?-?.json")) == [
        "0-0.json",
        "0-1.json",
        "1-0.json",
        "1-1.json",
    ]
    assert held.simple_name == "pixels + logistic regression"
    assert len(held.pooled) == len(held.answers) == 16
    np.testing.assert_array_equal(held.answers[8:], held.outputs[1])


def test_no_label_reaches_the_model_that_is_asked_about_its_example(done, preset, tmp_path):
    """With another label of example 2 the answers of its fold are the same bits, those of the other fold are not."""
    changed = in_turn(settings(preset, tmp_path / "run"), images((0, 0, 0, 1, 0, 0, 1, 1)), NUMBERS[:1])
    mine = NUMBERS[0] == NUMBERS[0, 2]
    for before, after in ((done[1].outputs, changed.outputs), (done[1].simple, changed.simple)):
        np.testing.assert_array_equal(after[0, mine], before[0, mine])
        assert (after[0, ~mine] != before[0, ~mine]).all()


def test_a_killed_run_goes_on_at_its_fold_with_the_same_bits(done, preset, tmp_path, monkeypatch):
    """Killed in the second fold; a new network gives then what one gave that was traced for the first."""
    out, made, true = tmp_path / "run", [], in_folds.train_briefly

    def die_in_the_second(model, *given, **more):
        if made:
            raise KeyboardInterrupt
        made.append(1)
        true(model, *given, **more)

    monkeypatch.setattr(in_folds, "train_briefly", die_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        in_turn(settings(preset, out), images(), NUMBERS[:1])
    monkeypatch.setattr(in_folds, "train_briefly", lambda *given, **more: (made.append(1), true(*given, **more)))
    for _ in range(2):  # the second time all of it lies there
        held = in_turn(settings(preset, out), images(), NUMBERS[:1])
        assert len(made) == 2
        np.testing.assert_array_equal(held.outputs, done[1].outputs[:1])
        np.testing.assert_array_equal(held.simple, done[1].simple[:1])


def test_finished_folds_are_of_the_same_run(done, preset, monkeypatch):
    out, _ = done
    monkeypatch.setattr(in_folds, "train_briefly", None)
    with pytest.raises(UsageError, match=r"other settings \(steps: 3 -> 4\)"):
        in_turn(settings(preset, out, steps=4), images())
    with pytest.raises(UsageError, match="labels of the training examples"):
        in_turn(settings(preset, out), images((1, 0, 1, 1, 0, 0, 1, 1)))
    with pytest.raises(UsageError, match="folds: "):
        in_turn(settings(preset, out), images(), 1 - NUMBERS)
    kept = (out / "folds" / "0-1.json").read_text()
    (out / "folds" / "0-1.json").write_text(kept[:30])
    with pytest.raises(RunError, match="0-1.json is damaged: delete it"):
        in_turn(settings(preset, out), images())
    (out / "folds" / "0-1.json").write_text(kept)


def test_the_minutes_end_between_two_folds(preset, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(in_folds, "train_briefly", lambda *_, **__: None)
    with pytest.raises(Stopped):
        in_turn(settings(preset, tmp_path / "run", max_minutes=1e-6), images())
    assert len([*(tmp_path / "run" / "folds").glob("?-?.json")]) == 1
    assert "the same command goes on" in capsys.readouterr().out


def test_numbers_have_the_units_of_what_each_fold_learns_from(preset, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(in_folds, "train_briefly", lambda model, *_, **__: seen.append(model.target.offset))
    labels = np.arange(8.0)
    held = in_turn(settings(preset, tmp_path / "run"), images(labels, ()))
    expected = [labels[numbers != fold].mean() for numbers in NUMBERS for fold in (0, 1)]
    assert seen == pytest.approx(expected)
    assert held.outputs.shape == (2, 8, 1)
    assert held.table(LABELS["regression"]).columns == ("", "MAE", "95 %", "RMSE", "95 %", "R2", "95 %")


def test_a_rehearsal_keeps_nothing(preset, tmp_path, monkeypatch):
    monkeypatch.setattr(in_folds, "train_briefly", lambda *_, **__: None)
    in_turn(settings(preset, tmp_path / "run", fast=True), images(), NUMBERS[:1])
    assert not (tmp_path / "run" / "folds").exists()


def test_not_a_number_ends_the_run(preset, tmp_path, monkeypatch):
    def break_it(model, *_, **__):
        model.get_layer("logits").bias.assign([np.nan, 0.0])

    monkeypatch.setattr(in_folds, "train_briefly", break_it)
    with pytest.raises(RunError, match="not-a-number; lower `optimizer.learning_rate`"):
        in_turn(settings(preset, tmp_path / "run"), images())
    assert not [*(tmp_path / "run" / "folds").glob("?-?.json")]


def test_two_replicas_say_what_one_says(done, preset, tmp_path):
    run, one = (settings(preset, tmp_path / name, dropout=0.0) for name in ("two", "one"))
    held = in_turn(run, images(), NUMBERS[:1], make_strategy(2))
    np.testing.assert_allclose(held.outputs, in_turn(one, images(), NUMBERS[:1]).outputs, atol=1e-5)


def test_the_plan_says_what_it_costs(preset):
    words = plan(Folds(NUMBERS, np.arange(8)), settings(preset, "x"), 8)
    assert "2 folds x 2 repeats + the final model on all of them = 5 trainings of 3 steps" in words
    words = plan(Folds(NUMBERS[:1], np.arange(8)), settings(preset, "x", steps=0, epochs=2.0), 8)
    assert "2 folds x 1 repeat + " in words
    assert "= 3 trainings of 4 steps" in words


def test_figures_for_the_report(done):
    """The interval of the accuracy counts eight examples."""
    held, judged = done[1], LABELS["single"]
    numbers = held.numbers(judged)
    right = held.outputs.argmax(2) == held.train.labels
    assert numbers["out_of_fold_accuracy"] == pytest.approx(right.mean())
    low, high = judged.intervals(held.train, held.outputs, held.folds.groups)["accuracy"]
    assert (numbers["out_of_fold_accuracy_low"], numbers["out_of_fold_accuracy_high"]) == (low, high)
    assert {"out_of_fold_linear_accuracy", "folds", "fold_repeats"} <= set(numbers)
    table = held.table(judged)
    assert [row[0] for row in table.rows] == ["pixels + logistic regression", "this model"]
    assert table.rows[1][1:3] == [numbers["out_of_fold_accuracy"], f"[{low:.2f}, {high:.2f}]"]
    assert json.dumps(numbers)
    assert dataclasses.is_dataclass(held)
