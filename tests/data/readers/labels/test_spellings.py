"""Spellings of one label have one key, and different labels have different ones."""

import pytest

from tfpretune.data.readers.labels.doubts import looks_missing
from tfpretune.data.readers.labels.spellings import spelling_key


@pytest.mark.parametrize(
    "spellings",
    [
        ("not spam", "not_spam", "Not-Spam", "not  spam"),
        ("1", "١", "１", "१", "01", "1.0"),
        ("cat", "c\u0430t", "CAT", "\u0421at"),
        ("ok", "\u03bfk", "\u041eK"),
        ("pos", '"pos"', "'pos'", "“pos”", "« pos »"),
    ],
)
def test_one_label_in_several_spellings(spellings):
    assert len(set(map(spelling_key, spellings))) == 1


@pytest.mark.parametrize(
    "labels",
    [
        ("notspam", "not spam"),
        ("A", "A-", "A+"),
        ("-1", "1"),
        ("кот", "код"),
        ("αβγ", "αβδ"),
        ("'", '"'),
        ("1-2", "12"),
    ],
)
def test_different_labels(labels):
    assert len(set(map(spelling_key, labels))) == len(labels)


@pytest.mark.parametrize("label", ["(null)", "(None)", "[NaN]", "#VALUE!", "#DIV/0!", "#N/A", "TBD", "无", "no label"])
def test_more_that_stands_for_no_value(label):
    assert looks_missing(label)


@pytest.mark.parametrize("label", ["(-)", "(a)", "null hypothesis", "#1", "blank", "无线", "()"])
def test_what_only_resembles_it(label):
    assert not looks_missing(label)
