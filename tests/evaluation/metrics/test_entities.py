"""Figures over entities, worked by hand; `test_entities_oracle.py` compares with seqeval."""

import dataclasses

import numpy as np
import pytest

from tfpretune.data.examples.tagged import TaggedExamples
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.evaluation.metrics.entities import dictionary_tags, entity_metrics, find_entities

TRUTH = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "B-LOC", "O"]]


def test_entities_of_good_tags():
    assert find_entities(TRUTH[0]) == [("PER", 0, 2), ("LOC", 3, 4)]
    assert find_entities(TRUTH[1]) == [("LOC", 0, 1), ("LOC", 1, 2)]
    assert find_entities([]) == []


@pytest.mark.parametrize(
    ("tags", "loose", "strict"),
    [
        ("O I-X I-X", [("X", 1, 3)], []),
        ("B-X I-Y I-Y", [("X", 0, 1), ("Y", 1, 3)], [("X", 0, 1)]),
        ("B-X I-Y I-X", [("X", 0, 1), ("Y", 1, 2), ("X", 2, 3)], [("X", 0, 1)]),
        ("B-A-B I-A-B", [("A-B", 0, 2)], [("A-B", 0, 2)]),
    ],
)
def test_tags_that_cannot_follow(tags, loose, strict):
    assert find_entities(tags.split()) == loose
    assert find_entities(tags.split(), strict=True) == strict


@pytest.mark.parametrize(
    "tags", ["B-X E-X S-X O S-Y", "B-X L-X U-X O U-Y", "B-X I-X S-X O S-Y", "B-X M-X B-X O I-Y", "I-X E-X E-X O E-Y"]
)
def test_entities_of_other_schemes(tags):
    assert find_entities(tags.split()) == [("X", 0, 2), ("X", 2, 3), ("Y", 4, 5)]


def test_a_missed_single_word_counts(tmp_path):
    """Of BIOES tags, too, as they stand in a file: whoever misses every S- has not found them."""
    truth = ["B-PER", "E-PER", "O", "S-LOC"]
    assert entity_metrics([truth], [["B-PER", "E-PER", "O", "O"]])["recall"] == 0.5
    assert find_entities(["B", "I", "O", "S"]) == [("_", 0, 2), ("_", 3, 4)]
    (tmp_path / "a.conll").write_text("".join(f"w {tag}\n" for tag in truth), "utf-8")
    source = open_tagged(f"conll:{tmp_path}/a.conll")
    assert entity_metrics(source.tag_lists(), [["B-PER", "I-PER", "O", "O"]])["f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("tag", "strict"), [("NN", False), ("X-Y", False), ("", False), ("S-X", True), ("E-X", True)])
def test_tags_that_are_none_of_entities_are_refused(tag, strict):
    with pytest.raises(ValueError, match="is none of entities"):
        find_entities(["B-X", tag], strict=strict)


def test_figures_by_hand():
    """4 entities; found: PER right, LOC 3-4 as ORG, LOC 0-2 for two of one word. 1 of 3 right."""
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["B-LOC", "I-LOC", "O"]]
    figures = entity_metrics(TRUTH, predicted)
    expected = {"precision": 1 / 3, "recall": 1 / 4, "f1": 2 / 7, "support": 4, "word_accuracy": 5 / 7}
    expected |= {"precision/PER": 1, "recall/PER": 1, "f1/PER": 1, "support/PER": 1}
    expected |= {"precision/LOC": 0, "recall/LOC": 0, "f1/LOC": 0, "support/LOC": 3}
    expected |= {"precision/ORG": 0, "recall/ORG": 0, "f1/ORG": 0, "support/ORG": 0}
    expected |= {"precision_macro": 1 / 3, "recall_macro": 1 / 3, "f1_macro": 1 / 3}  # the mean over PER, LOC, ORG
    assert figures == pytest.approx(expected)
    assert entity_metrics(TRUTH, TRUTH)["f1_macro"] == 1
    assert entity_metrics([["O"]], [["O"]])["f1"] == 0


def test_sentences_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="expected 1 sentences, received 0"):
        entity_metrics([["O"]], [])
    with pytest.raises(ValueError, match="sentence 0: expected 1 tags, received 2"):
        entity_metrics([["O"]], [["O", "O"]])


def test_the_dictionary_takes_the_longest_and_most_frequent():
    """ "a" is twice a person, once a place: found at all three, right at two. "c" is an entity once in three places."""
    names = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    words = ["ab", "a", "a", "a", "c", "cc"]
    tags = [[1, 2], [3], [3], [1], [3], [0, 0]]
    train = TaggedExamples(
        [tuple(each) for each in words], [np.array(each, np.int32) for each in tags], names, list("123456"), "toy"
    )
    test = TaggedExamples([tuple("cabaca"), ("b",)], None, (), list("12"), "toy")
    assert dictionary_tags(train, test) == [["O", "B-LOC", "I-LOC", "B-PER", "O", "B-PER"], ["O"]]
    characters = dataclasses.replace(train, joiner="")
    assert dictionary_tags(characters, test)[0] == ["O", "B-LOC", "I-LOC", "O", "O", "O"]
