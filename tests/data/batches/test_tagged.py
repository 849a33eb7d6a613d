"""Tagged sentences as rows, and back."""

import dataclasses

import numpy as np
import pytest

from tests.data.sources.test_tagged import toy
from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.batches.tagged import tag_batches, tag_inputs
from tfpretune.data.text.tokens import SPECIAL_TOKENS

PIECES = [*SPECIAL_TOKENS, "un", "##aff", "##able", "a", "b", "c", ".", "中", "国", "u", "s", "1", "##2"]
TOKENIZER = TextEncoderTokenizer(PIECES, lowercase=True)
OUT, BEGIN, INSIDE = 0, 1, 2


def test_the_first_token_of_a_word_has_its_label():
    source = toy([["a", "Unaffable", "b"]], [[OUT, BEGIN, INSIDE]])
    columns = tag_inputs(source, tokenizer=TOKENIZER, sequence_length=9).columns
    assert columns["token_ids"].tolist() == [[2, 8, 5, 6, 7, 9, 3, 0, 0]]
    assert columns["padding_mask"].tolist() == [[1, 1, 1, 1, 1, 1, 1, 0, 0]]
    assert columns["labels"].tolist() == [[-1, OUT, BEGIN, -1, -1, INSIDE, -1, -1, -1]]
    assert {column.dtype for column in columns.values()} == {np.dtype("int32")}


def test_a_word_that_the_tokenizer_splits_goes_on_with_the_same_type():
    """ "U.S." is four words to BERT. In raw text they come one by one, so each has a label."""
    rows = tag_inputs(toy([["U.S.", "a"]], [[BEGIN, OUT]]), tokenizer=TOKENIZER, sequence_length=8)
    labels = rows.columns["labels"]
    assert labels.tolist() == [[-1, BEGIN, INSIDE, INSIDE, INSIDE, OUT, -1, -1]]
    assert [tags.tolist() for tags in rows.words_of(labels)] == [[BEGIN, OUT]]


def test_words_that_the_tokenizer_joins_share_a_label():
    """Two digits, each a word of a source of characters, are one word to BERT."""
    source = toy([["中", "1", "2", "国"]], [[OUT, BEGIN, INSIDE, OUT]], joiner="")
    rows = tag_inputs(source, tokenizer=TOKENIZER, sequence_length=8)
    assert rows.columns["token_ids"][0, :6].tolist() == [2, 12, 16, 17, 13, 3]
    labels = rows.columns["labels"]
    assert labels.tolist() == [[-1, OUT, BEGIN, -1, OUT, -1, -1, -1]]
    assert [tags.tolist() for tags in rows.words_of(labels)] == [[OUT, BEGIN, INSIDE, OUT]]


@pytest.mark.parametrize("joiner", [" ", ""])
def test_a_word_without_a_token_is_unknown_and_has_a_label(joiner):
    source = toy(
        [["a", "\u200b", "b"], ["\u200b"], ["\u3000", "\u00a0", "b"]], [[BEGIN, OUT, INSIDE], [BEGIN], [1, 2, 0]]
    )
    rows = tag_inputs(dataclasses.replace(source, joiner=joiner), tokenizer=TOKENIZER, sequence_length=5)
    assert rows.columns["token_ids"].tolist() == [[2, 8, 1, 9, 3], [2, 1, 3, 0, 0], [2, 1, 1, 9, 3]]
    assert rows.columns["labels"].tolist() == [[-1, BEGIN, OUT, INSIDE, -1], [-1, BEGIN, -1, -1, -1], [-1, 1, 2, 0, -1]]
    assert [tags.tolist() for tags in rows.words_of(rows.columns["labels"])] == [
        [BEGIN, OUT, INSIDE],
        [BEGIN],
        [1, 2, 0],
    ]


@pytest.mark.parametrize("length", [3, 4, 7, 40])
def test_long_sentences_are_cut_and_put_together_again(length):
    rng = np.random.default_rng(length)
    vocabulary = ["a", "b", "Unaffable", "中", "国", "c.", "x"]
    words = [rng.choice(vocabulary, rng.integers(1, 30)).tolist() for _ in range(1100)]  # more than one chunk
    tags = [rng.integers(0, 3, len(each)) for each in words]
    source = toy(words, tags)
    rows = tag_inputs(source, tokenizer=TOKENIZER, sequence_length=length)
    predicted = np.where(rows.columns["labels"] >= 0, rows.columns["labels"], 2)
    for expected, found in zip(tags, rows.words_of(predicted), strict=True):
        np.testing.assert_array_equal(found, expected)
    inner = rows.columns["token_ids"][np.isin(rows.columns["token_ids"], (0, 2, 3), invert=True)]
    assert len(inner) == sum(map(len, TOKENIZER(source.texts())))
    assert (np.diff(rows.sentence_of) >= 0).all()
    assert rows.sentence_of[-1] == len(words) - 1


def test_batches_and_untagged_sentences():
    source = toy([["a"], ["b", "c"], ["a", "中"]], [[0], [1, 2], [0, 1]])
    batches = list(tag_batches(source, 2, tokenizer=TOKENIZER, sequence_length=4).in_order())
    assert [batch["labels"].numpy().tolist() for batch in batches] == [
        [[-1, 0, -1, -1], [-1, 1, 2, -1]],
        [[-1, 0, 1, -1]],
    ]
    bare = tag_inputs(toy([["a"]], None, ()), tokenizer=TOKENIZER, sequence_length=4)
    assert sorted(bare.columns) == ["padding_mask", "token_ids"]


def test_predictions_of_another_shape_are_refused():
    rows = tag_inputs(toy([["a"]], [[0]]), tokenizer=TOKENIZER, sequence_length=4)
    with pytest.raises(ValueError, match=r"expected predictions \(1, 4\), received \(1, 5\)"):
        rows.words_of(np.zeros((1, 5), int))
