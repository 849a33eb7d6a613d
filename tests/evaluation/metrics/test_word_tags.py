"""Figures of tags word by word, beside scikit-learn's."""

import numpy as np
import pytest
import sklearn.metrics

from tfpretune.data.examples.tagged import TaggedExamples
from tfpretune.evaluation.metrics.word_tags import frequent_tags, word_metrics


def test_figures_equal_scikit_learn():
    rng = np.random.default_rng(0)
    truth = [list(rng.choice(["N", "V", "X"], 7, p=[0.6, 0.3, 0.1])) for _ in range(9)]
    said = [list(rng.choice(["N", "V", "Z"], 7)) for _ in range(9)]
    figures = word_metrics(truth, said)
    flat, other = np.concatenate(truth), np.concatenate(said)
    names = sorted({*flat, *other})
    f1 = sklearn.metrics.f1_score(flat, other, labels=names, average=None, zero_division=0)
    assert figures["word_accuracy"] == pytest.approx((flat == other).mean())
    assert figures["f1_macro"] == pytest.approx(f1.mean())
    assert [figures[f"f1/{name}"] for name in names] == pytest.approx(list(f1))
    assert [figures[f"support/{name}"] for name in names] == [(flat == name).sum() for name in names]
    assert figures["support"] == 63


def test_sentences_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="sentence 0: expected 1 tags, received 2"):
        word_metrics([["N"]], [["N", "N"]])


def test_the_most_frequent_tag_of_each_word():
    tags = [np.array(each, np.int32) for each in ([0, 1], [1, 1], [1, 0])]
    train = TaggedExamples([("a", "b"), ("a", "b"), ("a", "c")], tags, ("N", "V"), list("123"), "toy")
    test = TaggedExamples([("c", "a"), ("new",)], None, (), list("12"), "toy")
    assert frequent_tags(train, test) == [["N", "V"], ["V"]]
