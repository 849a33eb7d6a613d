"""Pairs of texts as rows, beside KerasHub's packer; the demo of pairs."""

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.batches.pairs import encode_all_pairs, pair_batches
from tfpretune.data.demo.pairs import balanced
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.examples import open_source
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.errors import UsageError

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENIZER = TextEncoderTokenizer([*SPECIAL_TOKENS, *LETTERS], lowercase=True)


def letters(number, start=0):
    return " ".join(LETTERS[start : start + number])


@pytest.mark.parametrize("length", [5, 8, 9, 20])
def test_rows_are_those_of_keras_hubs_packer(length):
    sizes = [(0, 0), (1, 1), (2, 9), (9, 2), (9, 9), (3, 4), (12, 0), (0, 12), (6, 5), (5, 6)]
    firsts = [letters(size) for size, _ in sizes]
    seconds = [letters(size, 13) for _, size in sizes]
    found = encode_all_pairs(TOKENIZER, firsts, seconds, sequence_length=length)
    packer = keras_hub.layers.MultiSegmentPacker(length, 2, 3, pad_value=0, truncate="round_robin")
    ids = [tf.ragged.constant(TOKENIZER(texts), dtype=tf.int32) for texts in (firsts, seconds)]
    token_ids, segment_ids = tf.function(lambda *both: packer(both))(*ids)
    np.testing.assert_array_equal(found["token_ids"], token_ids)
    np.testing.assert_array_equal(found["segment_ids"], segment_ids)
    np.testing.assert_array_equal(found["padding_mask"], found["token_ids"] != 0)
    assert {column.dtype for column in found.values()} == {np.dtype("int32")}


def test_a_pair_by_hand():
    found = encode_all_pairs(TOKENIZER, ["a b c d"], ["x y"], sequence_length=8)
    a, b, c, x, y = (5 + LETTERS.index(letter) for letter in "abcxy")
    assert found["token_ids"].tolist() == [[2, a, b, c, 3, x, y, 3]]  # d is cut: the longer text gives
    assert found["segment_ids"].tolist() == [[0, 0, 0, 0, 0, 1, 1, 1]]


def test_batches_have_labels():
    source = Examples(
        "text", ["a", "b", "c"], np.array([1, 0, 1], np.int32), ("n", "y"), list("123"), "toy", seconds=list("xyz")
    )
    batches = list(pair_batches(source, 2, tokenizer=TOKENIZER, sequence_length=6).in_order())
    assert sorted(batches[0]) == ["labels", "padding_mask", "segment_ids", "token_ids"]
    assert [batch["labels"].numpy().tolist() for batch in batches] == [[1, 0], [1]]
    assert batches[1]["token_ids"].numpy().tolist() == [[2, 7, 3, 30, 3, 0]]


def test_single_texts_and_short_rows_are_refused():
    source = Examples("text", ["a"], None, (), ["1"], "toy")
    with pytest.raises(UsageError, match="toy holds single texts, expected pairs"):
        pair_batches(source, 1, tokenizer=TOKENIZER, sequence_length=8)
    with pytest.raises(UsageError, match="`sequence_length` must be at least 5 for two texts, received 4"):
        encode_all_pairs(TOKENIZER, ["a"], ["b"], sequence_length=4)


def test_no_article_has_more_than_half_of_the_pairs():
    articles = [[(f"{name}{n}", "", name) for n in range(size)] for name, size in (("a", 9), ("b", 1), ("c", 1))]
    pairs = balanced(articles)
    assert [place for _, _, place in pairs] == ["a", "a", "b", "c"]
    assert balanced([[("a", "", "a")]]) == []


def test_bbc_pairs_can_be_told_neither_by_topic_nor_by_one_text():
    source = open_source("demo:bbc-pairs")
    assert np.bincount(source.labels).tolist() == [3607, 3607]
    assert source.class_names == ("different", "same")
    assert len(source.without_duplicates()) == len(source)
    for texts in (source.inputs, source.seconds):  # each paragraph is as often in a pair of one article as of two
        same, different = (sorted(np.array(texts, object)[source.labels == label]) for label in (1, 0))
        assert same == different
    parts = {part: source.split(part) for part in ("train", "validation", "test")}
    assert [len(part) for part in parts.values()] == [5904, 606, 704]
    articles = [
        {place for where in part.where for place in where.replace("demo:bbc-pairs/", "").split(" and ")}
        for part in parts.values()
    ]
    assert not articles[0] & articles[1] | articles[0] & articles[2] | articles[1] & articles[2]
    for where, label in zip(source.where, source.labels, strict=True):
        places = where.replace("demo:bbc-pairs/", "").split(" and ")
        assert len(set(places)) == 2 - label
        assert len({place.split("/")[0] for place in places}) == 1  # the same topic
