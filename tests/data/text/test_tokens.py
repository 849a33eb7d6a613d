"""Texts to rows of token ids, on a vocabulary of twelve tokens."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.text.tokens import (
    SPECIAL_TOKENS,
    cut_rows,
    encode,
    encode_all,
    pack,
    train_wordpiece,
    unigram_entropy,
)
from tfpretune.errors import UsageError

# ids      0-4             5      6      7       8     9     10    11
WORDS = [*SPECIAL_TOKENS, "the", "cat", "##s", "sat", "我", "是", "."]
PAD, UNK, CLS, SEP, MASK = range(5)


@pytest.fixture
def tokenizer():
    return TextEncoderTokenizer(WORDS, lowercase=True, strip_accents=True)


def test_special_tokens_have_the_first_ids(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.start_token_id, tokenizer.end_token_id, tokenizer.mask_token_id) == (
        0,
        2,
        3,
        4,
    )
    assert sorted(tokenizer.special_token_ids) == [PAD, CLS, SEP, MASK]


def test_rows_by_hand(tokenizer):
    texts = ["The cats sat.", "我是cat", "zebra", "", "the the the the the the the"]
    rows = encode_all(tokenizer, texts, sequence_length=7)
    np.testing.assert_array_equal(
        rows["token_ids"],
        [
            [CLS, 5, 6, 7, 8, 11, SEP],
            [CLS, 9, 10, 6, SEP, PAD, PAD],
            [CLS, UNK, SEP, PAD, PAD, PAD, PAD],
            [CLS, SEP, PAD, PAD, PAD, PAD, PAD],
            [CLS, 5, 5, 5, 5, 5, SEP],
        ],
    )
    np.testing.assert_array_equal(rows["padding_mask"].sum(axis=1), [7, 5, 3, 2, 7])
    np.testing.assert_array_equal(rows["padding_mask"][1], [1, 1, 1, 1, 1, 0, 0])
    assert {column.dtype for column in rows.values()} == {np.dtype("int32")}


def test_a_list_longer_than_a_chunk_stays_in_order(tokenizer):
    rows = encode_all(tokenizer, ["the"] * 1024 + ["sat"], sequence_length=3)
    assert rows["token_ids"].shape == (1025, 3)
    assert rows["token_ids"][[0, 1023, 1024], 1].tolist() == [5, 5, 8]


def test_encode_works_in_a_graph_on_any_number_of_texts(tokenizer):
    call = tf.function(
        lambda texts: encode(tokenizer, texts, sequence_length=4), input_signature=[tf.TensorSpec((None,), tf.string)]
    )
    for count in (1, 3):
        rows = call(tf.constant(["cat sat"] * count))
        assert rows["token_ids"].shape == (count, 4)
        assert rows["token_ids"].numpy()[0].tolist() == [CLS, 6, 8, SEP]


def test_rows_too_short_for_a_token_are_refused(tokenizer):
    with pytest.raises(UsageError, match="`sequence_length` must be at least 3, received 2"):
        encode_all(tokenizer, ["cat"], sequence_length=2)
    with pytest.raises(UsageError, match="`sequence_length` must be at least 3, received 0"):
        pack(tokenizer, ["cat"], sequence_length=0)


def test_packing_by_hand(tokenizer):
    """[CLS] the cat [SEP] [CLS] 我 是 . [SEP]: nine tokens are two rows of four, the last token is left out."""
    rows = pack(tokenizer, ["the cat", "我是."], sequence_length=4)
    np.testing.assert_array_equal(rows, [[CLS, 5, 6, SEP], [CLS, 9, 10, 11]])
    assert rows.dtype == np.int32


def test_packing_less_than_a_row_pads(tokenizer):
    np.testing.assert_array_equal(pack(tokenizer, ["cat"], sequence_length=5), [[CLS, 6, SEP, PAD, PAD]])


@pytest.mark.parametrize(
    ("tokens", "rows"), [(0, []), (2, [[0, 1, 9]]), (3, [[0, 1, 2]]), (5, [[0, 1, 2]]), (6, [[0, 1, 2], [3, 4, 5]])]
)
def test_a_stream_is_cut_into_rows_of_its_own_type(tokens, rows):
    found = cut_rows(np.arange(tokens, dtype=np.uint16), 3, padding=9)
    assert found.tolist() == rows
    assert (found.dtype, found.shape) == (np.uint16, (len(rows), 3))


def test_unigram_loss_by_hand():
    """Tokens 5 5 6 7: shares 1/2, 1/4, 1/4, entropy 1.5 ln 2. Special tokens do not count, also those beyond all ids."""
    rows = np.array([[CLS, 5, 5, SEP], [6, 7, PAD, PAD]])
    assert math.isclose(unigram_entropy(rows, special_token_ids=(0, 2, 3, 99)), 1.5 * math.log(2))
    assert unigram_entropy(np.array([[5, 5]]), special_token_ids=(0,)) == 0.0


CORPUS = ["The cats sat on the mat. The cat sat.", "Cats, cats and Möwen!", "我是猫。猫是我。"] * 4


def test_vocabulary_of_a_tiny_corpus():
    vocabulary = train_wordpiece(CORPUS, 200)
    assert tuple(vocabulary[:5]) == SPECIAL_TOKENS
    assert len(set(vocabulary)) == len(vocabulary) <= 200
    assert {"the", "cat", "我", "猫", "。", "."} <= set(vocabulary)
    assert not any(token != token.lower() for token in vocabulary[5:])
    assert train_wordpiece(CORPUS, 200) == vocabulary
    tokenizer = TextEncoderTokenizer(vocabulary, lowercase=True, strip_accents=True)
    assert UNK not in encode_all(tokenizer, CORPUS, sequence_length=64)["token_ids"]


def test_case_is_kept_on_request():
    assert "The" in train_wordpiece(CORPUS, 200, lowercase=False)


def test_the_vocabulary_is_cut():
    words = [f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyz"]
    assert len(train_wordpiece([" ".join(words)] * 2, 105)) <= 105


def test_a_vocabulary_that_is_too_small_is_refused():
    with pytest.raises(UsageError, match="`vocabulary_size` must be at least 105, received 50"):
        train_wordpiece(CORPUS, 50)
