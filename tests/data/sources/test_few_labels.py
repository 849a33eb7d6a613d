"""When a source is learnt from in folds, and what is refused."""

import numpy as np
import pytest

from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.few_labels import few_labels
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.errors import UsageError


def texts(labels, names=("a", "b", "c"), **columns):
    labels = np.asarray(labels)
    labels = labels.astype(np.int32 if labels.dtype.kind == "i" else np.float32)
    inputs = [f"text number {row}" for row in range(len(labels))]
    return Examples("text", inputs, labels, names, [f"a:{row}" for row in range(len(inputs))], "csv:a.csv", **columns)


def test_from_200_examples_on_a_part_is_set_aside():
    assert few_labels(texts(np.arange(200) % 2, ("a", "b")), "auto") is None
    few = few_labels(texts(np.arange(199) % 2, ("a", "b")), "auto")
    assert (len(few.train), len(few.test), few.folds.said) == (199, 0, "5 x 1 folds")
    assert few_labels(texts(np.arange(16) % 2, ("a", "b")), "none") is None
    assert few_labels(texts(np.arange(16) % 2, ("a", "b")), 1) is None
    assert few_labels(texts(np.arange(300) % 2, ("a", "b")), 4).folds.count == 4


def test_the_rarest_class_bounds_the_folds():
    assert few_labels(texts([0] * 9 + [1] * 3, ("a", "b")), "auto").folds.said == "3 x 3 folds"


@pytest.mark.parametrize(
    ("labels", "choice", "message"),
    [
        (
            [0] * 8 + [1] * 8 + [2],
            "auto",
            "class 'c' of csv:a.csv has 1 example, near copies .* 3 are needed .* leave the class out",
        ),
        ([0] * 8 + [1] * 8 + [2] * 2, "auto", "class 'c' of csv:a.csv has 2 examples"),
        ([0] * 8 + [1] * 8 + [2] * 2, 5, "class 'c' of csv:a.csv has 2 examples.*5 are needed.*give fewer `folds`"),
        ([1.0, 2.0], "auto", "csv:a.csv has 2 examples.*3 are needed.*add examples$"),
    ],
)
def test_too_few_of_a_class_is_one_line(labels, choice, message):
    names = () if isinstance(labels[0], float) else ("a", "b", "c")
    with pytest.raises(UsageError, match=message) as refused:
        few_labels(texts(labels, names), choice)
    assert "\n" not in str(refused.value)


def test_two_of_a_class_are_enough_for_two_folds():
    assert few_labels(texts([0] * 4 + [1] * 2, ("a", "b")), 2).folds.count == 2


def test_a_group_counts_once():
    labels, groups = [0] * 4 + [1] * 6, np.array([1, 2, 3, 4, 5, 5, 5, 5, 6, 7])
    few = few_labels(texts(labels, ("a", "b"), groups=groups), "auto")
    assert few.folds.count == 3
    assert all(len(set(numbers[4:8])) == 1 for numbers in few.folds.numbers)
    with pytest.raises(UsageError, match="class 'b' of csv:a.csv has 2 examples, near copies"):
        few_labels(texts(labels, ("a", "b"), groups=np.minimum(groups, 6)), "auto")


def test_splits_of_the_source(capsys):
    """Its own test split is kept for the report; its own validation split chooses, unless folds are asked for."""
    labels, splits = np.arange(30) % 2, ["train"] * 20 + ["test"] * 10
    few = few_labels(texts(labels, ("a", "b"), splits=splits), "auto")
    assert (len(few.train), len(few.test)) == (20, 10)
    assert few.folds.numbers.shape == (2, 20)
    splits = ["train"] * 20 + ["validation"] * 6 + ["test"] * 4
    assert few_labels(texts(labels, ("a", "b"), splits=splits), "auto") is None
    few = few_labels(texts(labels, ("a", "b"), splits=splits), 5)
    assert (len(few.train), len(few.test)) == (26, 4)
    assert "its 6 examples are learnt from, too" in capsys.readouterr().out


def test_numbers_are_dealt_by_rank():
    """Each fold has one of the five lowest, one of the next five, ...."""
    few = few_labels(texts(np.random.default_rng(0).permutation(40).astype(float), ()), "auto")
    for numbers in few.folds.numbers:
        order = numbers[np.argsort(few.train.labels)].reshape(-1, 5)
        assert all(sorted(stratum) == [0, 1, 2, 3, 4] for stratum in order)


def test_a_rehearsal_has_two_folds_of_few():
    few = few_labels(texts(np.arange(150) % 2, ("a", "b")), "auto", fast=True)
    assert (len(few.train), few.folds.said, few.folds.numbers.shape) == (64, "2 x 1 folds", (1, 64))


def test_labels_per_class_in_folds():
    """They are drawn from the training split, whose test split stays."""
    parts = labelled_splits("demo:digits", labels_per_class=4, folds=4)
    whole = labelled_splits("demo:digits")
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (40, 0, len(whole.test))
    for numbers in parts.folds.numbers:
        assert all(sorted(numbers[parts.train.labels == c]) == [0, 1, 2, 3] for c in range(10))
    assert labelled_splits("demo:digits", labels_per_class=4, folds="auto").folds is None
