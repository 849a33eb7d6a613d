"""Methods that take a classifier to another domain: what each may see, what a trial leaves, what the table says."""

import dataclasses
import json

import numpy as np
import pytest

from tfpretune.data.sources.labelled import LabelledSplits, labelled_splits
from tfpretune.errors import UsageError
from tfpretune.experiments.adaptation import methods as adaptation
from tfpretune.experiments.adaptation.inputs import image_inputs
from tfpretune.experiments.adaptation.methods import METHODS, Adapted, Domains, Strengths
from tfpretune.experiments.adaptation.trials import (
    COLUMNS,
    compare_methods,
    comparison_table,
    verdict,
)
from tfpretune.settings.run import OptimizerConfig

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def parts():
    return labelled_splits("demo:digits", most=60)


def make_domains(parts, **changes):
    """Digits to digits upside down, five steps of a small network."""
    turned = [
        dataclasses.replace(part, inputs=part.inputs[:, ::-1], name="turned")
        for part in (parts.train, parts.validation, parts.test)
    ]
    inputs = image_inputs(10, image_shape=SHAPE, backbone="cnn-small")
    rate = OptimizerConfig(learning_rate=1e-3)
    return dataclasses.replace(Domains((parts,), LabelledSplits(*turned), inputs, rate, 5, 8), **changes)


@pytest.fixture
def seen(monkeypatch):
    """Nothing is trained; what would be is noted: kind of model, labels, domains and steps."""
    noted = []

    def note(model, batches, optimizer, *, steps):
        batch = {name: column.numpy() for name, column in next(iter(batches.from_step(0, 1))).items()}
        noted.append((type(model).__name__, batch, steps))

    monkeypatch.setattr(adaptation, "train_briefly", note)
    return noted


@pytest.mark.parametrize(("method", "kind"), [("dann", "DomainAdversarial"), ("coral", "DeepCoral")])
def test_the_targets_labels_are_not_seen(parts, seen, method, kind):
    """Eight labelled rows of the source, and as many of the target without labels."""
    found = METHODS[method](make_domains(parts), seed=0)
    ((name, batch, steps),) = seen
    assert (name, steps) == (kind, 5)
    assert sorted(batch["domains"]) == [0] * 8 + [1] * 8
    assert (batch["labels"][batch["domains"] == 1] == -1).all()
    assert (batch["labels"][batch["domains"] == 0] >= 0).all()
    assert ("progress" in batch) == (method == "dann")
    assert type(found.model).__name__ == "Supervised"


def test_sources_have_equal_shares(parts, seen):
    """60 rows and 20 rows: four each in a batch of eight."""
    few = dataclasses.replace(parts, train=parts.train.take(range(20)))
    METHODS["source-only"](make_domains(parts, sources=(parts, few)), seed=0)
    assert sorted(seen[0][1]["sources"]) == [0] * 4 + [1] * 4


def test_pseudo_labels_are_the_classifiers_own(parts, seen, monkeypatch):
    """Sure of class 3 for the first eight examples; at most 60 / 10 of a class stay. 5 steps are 3 + 1 + 1."""
    probabilities = np.full((60, 10), 0.1)
    probabilities[:8] = np.eye(10)[3]
    monkeypatch.setattr(Domains, "probabilities", lambda self, model, examples: probabilities)
    domains = make_domains(parts, strengths=Strengths(rounds=2))
    found = METHODS["pseudo-labels"](domains, seed=0)
    truth = make_domains(parts).target.train.known_labels
    right = int((truth[:6] == 3).sum())
    assert found.notes == {
        "round 1: kept": 6,
        "round 1: right": right,
        "round 2: kept": 6,
        "round 2: right": right,
    }
    assert [steps for _, _, steps in seen] == [3, 1, 1]
    for _, batch, _ in seen[1:]:
        assert (batch["labels"][batch["domains"] == 1] == 3).all()
        assert (batch["domains"] == 1).sum() == 6  # there are no more


def test_nothing_kept_is_no_failure(parts, seen):
    found = METHODS["pseudo-labels"](make_domains(parts, strengths=Strengths(threshold=1.0, rounds=1)), seed=0)
    assert found.notes == {"round 1: kept": 0, "round 1: right": 0}
    assert "domains" not in seen[1][1]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"rounds": -1}, "--strengths.rounds must be at least 1, received -1"),
        ({"rounds": 0}, "--strengths.rounds must be at least 1, received 0"),
        ({"threshold": 1.5}, r"--strengths.threshold must be in \(0, 1\], received 1.5"),
        ({"threshold": 0.0}, r"--strengths.threshold must be in \(0, 1\], received 0.0"),
        ({"coral_weight": 0.0}, "--strengths.coral-weight must be a number above 0, received 0.0"),
        ({"domain_weight": -0.1}, "--strengths.domain-weight must be a number above 0, received -0.1"),
        ({"coral_weight": float("nan")}, "--strengths.coral-weight must be a number above 0, received nan"),
    ],
)
def test_strengths_that_cannot_work(own, message):
    with pytest.raises(UsageError, match=message):
        Strengths(**own)


def test_rounds_leave_a_step_for_the_start(parts, seen, monkeypatch):
    """5 steps: with 4 rounds each has one, and the start; 5 rounds are refused before anything is trained."""
    monkeypatch.setattr(Domains, "probabilities", lambda self, model, examples: np.full((60, 10), 0.1))
    METHODS["pseudo-labels"](make_domains(parts, strengths=Strengths(rounds=4)), seed=0)
    assert [steps for _, _, steps in seen] == [1] * 5
    with pytest.raises(
        UsageError, match="--strengths.rounds 5 leaves no step for the start: give fewer than --steps 5"
    ):
        METHODS["pseudo-labels"](make_domains(parts, strengths=Strengths(rounds=5)), seed=0)
    assert len(seen) == 5


def test_no_steps_are_not_all_steps(parts, seen):
    domains = make_domains(parts)
    domains.train(domains.new_model(0), domains.labelled(0), steps=0)
    domains.train(domains.new_model(0), domains.labelled(0))
    assert [steps for _, _, steps in seen] == [0, 5]


def test_other_classes_are_refused(parts):
    other = LabelledSplits(*[dataclasses.replace(parts.train, class_names=tuple("abcdefghij"))] * 3)
    with pytest.raises(UsageError, match="--target demo:digits a, b, c, .*: they must be the same"):
        make_domains(parts, target=other)


def test_trials_are_made_once(parts, tmp_path, capsys):
    domains, calls = make_domains(parts), []

    def method(domains, seed):
        calls.append(seed)
        return Adapted(domains.new_model(seed), {"round 1: kept": 3})

    first = compare_methods(domains, {"mine": method}, seeds=2, out_dir=tmp_path)
    assert "mine, seed 1: 0." in capsys.readouterr().out
    again = compare_methods(domains, {"mine": method}, seeds=3, out_dir=tmp_path)
    assert calls == [0, 1, 2]
    assert again["mine"][:2] == first["mine"]
    assert json.loads((tmp_path / "trials" / "mine-1.json").read_text()) == first["mine"][1]
    assert (tmp_path / "mine" / "preset" / "task.json").is_file()
    assert (tmp_path / "mine" / "report" / "index.html").is_file()


def trials(*scores, **notes):
    return [{"target": score, "target_f1": score, "source": 0.9, "seconds": 2.0, "notes": notes} for score in scores]


def test_table_by_hand():
    """coral is .19, .20 and .21 above the sources alone: mean .2, sd .01, t^2 = 1200, p = 1 - sqrt(1200 / 1202)."""
    found = {
        "source-only": trials(0.5, 0.6, 0.7),
        "coral": trials(0.69, 0.8, 0.91),
        "pseudo-labels": trials(0.5, 0.7, 0.9, **{"round 1: kept": 4}),
        "target-only": trials(0.9, 0.9, 0.9),
    }
    table = comparison_table("digits", found)
    expected = [
        ["source-only", 0.6, 0.1, 0.6, None, 0.9, 2.0],
        ["coral", 0.8, 0.11, 0.8, 0.2, 0.9, 2.0],
        ["pseudo-labels", 0.7, 0.2, 0.7, 0.1, 0.9, 2.0],
        ["target-only", 0.9, 0.0, 0.9, 0.3, 0.9, 2.0],
    ]
    assert (table.columns, [row[0] for row in table.rows]) == (COLUMNS, [row[0] for row in expected])
    for row, values in zip(table.rows, expected, strict=True):
        assert row[4] is None or values[4] is not None
        mine, theirs = ([x for x in each[1:] if x is not None] for each in (row, values))
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    assert table.note.splitlines() == [
        "coral paid: +0.200 (sd 0.010) against source-only, better with 3 of 3 seeds; 3 seeds, paired t-test p = 0.00083.",
        "pseudo-labels is ahead here, and no more is shown: +0.100 (sd 0.100) against source-only, better with 2 of 3 seeds; "
        "3 seeds, paired t-test p = 0.23 (0.05 and more may be chance).",
        "pseudo-labels, round 1: kept 4.0 (mean)",
    ]


def test_a_verdict_needs_a_paired_test_below_5_percent():
    """Pairs that go up and down together show a small gain that the deviations of the sides would hide, and the reverse."""
    alone = [0.5, 0.6, 0.7]
    assert verdict("x", [0.52, 0.62, 0.721], alone).startswith("x paid: +0.020 (sd 0.001)")
    assert verdict("x", [0.48, 0.58, 0.679], alone).startswith("x did harm here: -0.020 (sd 0.001)")
    for scores in ([0.6, 0.8, 1.0], [0.7, 0.7], [0.9, 0.601]):  # p = .074; two seeds
        said = verdict("x", scores, alone[: len(scores)])
        assert said.startswith("x is ahead here, and no more is shown")
    assert verdict("x", [0.4, 0.4], [0.5, 0.5]).endswith("better with 0 of 2 seeds; 2 seeds, too few for a test.")
