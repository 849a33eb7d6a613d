"""The rules about answers, each with its numbers by hand."""

import numpy as np
import pytest

from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.metrics.paired import mcnemar
from tfpretune.evaluation.verdict.answers import (
    never_predicted,
    rarely_tested,
    say_beside,
    say_of_classes,
    say_of_numbers,
    say_of_sets,
    set_f1,
    smallest_difference,
)

NAMES = ("a", "b")


def simple(predicted, labels):
    return Baseline("linear", "TF-IDF", np.eye(2)[predicted], {"accuracy": float((predicted == labels).mean())})


def test_classes_that_are_never_predicted_or_hardly_tested():
    labels = np.array([0] * 12 + [1] * 3)
    assert never_predicted(labels, np.zeros(15, int), ("a", "b", "none here")) == {"b": 3}
    assert never_predicted(labels, labels, NAMES) == {}
    assert rarely_tested(labels, NAMES) == {"b": 3}
    assert rarely_tested(np.repeat([0, 1], 10), NAMES) == {}


def test_the_smallest_difference():
    """1.96 * sqrt(2 * 0.5 * 0.5 / 100) of 48 right answers of 96, with two of each added."""
    assert smallest_difference(48, 96) == pytest.approx(1.959964 * np.sqrt(0.005), rel=1e-6)
    assert smallest_difference(20, 20) > 0.15  # all right is no proof


def test_ahead_and_behind_need_the_paired_test():
    labels = np.repeat([0, 1], 50)
    worse, near = labels.copy(), labels.copy()
    worse[:6] = 1  # six answers that the other has right, none the other way round: p = 2 / 2 ** 6
    near[:5] = 1  # five: p = 2 / 2 ** 5 = 0.0625
    assert say_of_classes(labels, labels, NAMES, [simple(worse, labels)])[0] == (
        "Ahead of TF-IDF: accuracy 1.000 against 0.940 (paired test over 100 examples, p = 0.031)."
    )
    assert say_of_classes(labels, worse, NAMES, [simple(labels, labels)])[0].startswith(
        "Behind TF-IDF: accuracy 0.940 against 1.000 (paired test over 100 examples, p = 0.031)."
    )
    assert say_of_classes(labels, labels, NAMES, [simple(near, labels)])[0].startswith(
        "No difference from TF-IDF is shown: accuracy 1.000 against 0.950"
    )


def test_the_best_simple_model_is_compared():
    labels = np.repeat([0, 1], 50)
    frequent = Baseline("most_frequent", "always a", np.eye(2)[np.zeros(100, int)], {"accuracy": 0.5})
    assert "TF-IDF" in say_of_classes(labels, labels, NAMES, [frequent, simple(labels, labels)])[0]


def test_a_large_balanced_test_set_has_nothing_more_to_say():
    labels = np.repeat([0, 1], 2000)
    assert say_of_classes(labels, labels, NAMES) == []


def test_no_test_says_so():
    same = mcnemar(np.array([True]), np.array([True]))
    assert same.p_value == 1.0
    ours = np.array([0.5, 0.5])
    line = say_of_numbers(np.zeros(2), ours, ours, "ridge")
    assert line == "ridge: mean absolute error 0.500 against 0.500; no test can say more of 2 examples."


def test_numbers_and_sets():
    truth = np.linspace(0, 1, 40)
    wrong = truth + np.linspace(0.5, 1.5, 40)
    line = say_of_numbers(truth, truth + 0.1, wrong, "ridge")
    assert line.startswith("Ahead of ridge: mean absolute error 0.100 against 1.000 (paired test over 40 examples")
    labels = np.tile([[1, 0], [0, 1]], (20, 1))
    none = np.zeros((40, 2), bool)
    none[:8] = labels[:8] == 1
    line = say_of_sets(labels, none, labels == 1, "TF-IDF")
    assert line.startswith("Behind TF-IDF: mean F1 of an example 0.200 against 1.000")


def test_f1_of_sets():
    labels = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0], [1, -1, 0]])
    said = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0]], bool)
    assert set_f1(labels, said).tolist() == pytest.approx([2 / 3, 1.0, 0.0, 1.0])  # what is unknown does not count


def test_long_lists_are_cut():
    labels, names = np.repeat(np.arange(20), 30), tuple("abcdefghijklmnopqrst")
    lines = say_of_classes(labels, np.zeros(600, int), names)
    assert lines[0].startswith("Never predicted: b (30 test examples), c (30 ")
    assert lines[0].endswith(" and 14 more.")


def test_open_says_no_more_than_it_knows():
    test = mcnemar(np.array([True, False] * 10), np.array([False, True] * 10))
    line = say_beside(test, "pixels", figure="accuracy", ours=0.5, theirs=0.5)
    assert (
        line
        == "No difference from pixels is shown: accuracy 0.500 against 0.500 (paired test over 20 examples, p = 1)."
    )
