"""Words with offsets and their rows of tokens, in a graph."""

import keras_hub
import pytest
import tensorflow as tf

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.data.text.words import split_for, split_words, word_inputs
from tfpretune.errors import UsageError

PIECES = [*SPECIAL_TOKENS, "un", "##aff", "##able", "a", "b", "c", ".", "中", "国", "!", "'", "s", "u", "e", "##1", "1"]
TEXTS = [
    "Unaffable  a中国b.",
    "",
    " \té's U.S.\n",
    "a\u200bb中 😀 c!?",
    "É\u0301 x\u3000y ﬁ 1１ 國",
    "\u0301 a",
    "안녕 a_b $5 c\x01d",
]


def tokenizer(**options):
    return TextEncoderTokenizer(PIECES, lowercase=True, strip_accents=True, **options)


def bert_tokenizer(**options):
    return keras_hub.tokenizers.BertTokenizer([*PIECES, "É", "U", "S"], lowercase=False, **options)


def test_words_and_their_characters():
    found = split_words(tf.constant(TEXTS))
    rows = [list(zip(*(column[row].numpy().tolist() for column in found), strict=True)) for row in range(len(TEXTS))]
    assert [(word.decode(), start, end) for word, start, end in rows[0]] == [
        ("Unaffable", 0, 9),
        ("a", 11, 12),
        ("中", 12, 13),
        ("国", 13, 14),
        ("b", 14, 15),
        (".", 15, 16),
    ]
    assert rows[1] == []
    assert [word.decode() for word, _, _ in rows[2]] == ["é", "'", "s", "U", ".", "S", "."]
    assert ("😀".encode(), 5, 6) in rows[3]  # one character of four bytes
    for text, words in zip(TEXTS, rows, strict=True):
        assert [text[start:end].encode() for _, start, end in words] == [word for word, _, _ in words]
        assert "".join(text.split()).replace("\u200b", "").replace("\x01", "") == (
            b"".join(word for word, _, _ in words).decode().replace("\u3000", "")
        )


def test_chinese_may_stay_together():
    words = split_words(tf.constant(["a中国b, c"]), split_chinese=False).words
    assert [word.decode() for word in words[0].numpy()] == ["a中国b", ",", "c"]


@pytest.mark.parametrize("kind", [tokenizer, bert_tokenizer], ids=["ours", "bert"])
@pytest.mark.parametrize("options", [{}, {"split_on_cjk": False}], ids=["split", "whole"])
def test_the_words_tokens_are_the_texts_tokens(kind, options):
    """Else a tagger would be served other tokens than it was trained on. An accent alone is no token in a text."""
    texts = [text for text in TEXTS if text != "\u0301 a"]
    each = kind(**options)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def both(texts):
        rows = word_inputs(each, split_for(each, texts).words, sequence_length=40)
        return each(texts), rows.token_ids, rows.padding_mask

    whole, token_ids, padding_mask = both(tf.constant(texts))
    for row, tokens in enumerate(whole.to_list()):
        expected = [each.start_token_id, *tokens, each.end_token_id]
        assert token_ids[row].numpy().tolist() == expected + [0] * (40 - len(expected))
        assert padding_mask[row].numpy().sum() == len(expected)


def test_rows_are_cut_and_no_token_is_lost():
    each = tokenizer()

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def rows_of(texts):
        return word_inputs(each, split_for(each, texts).words, sequence_length=6)

    rows = rows_of(tf.constant(["Unaffable a中国b.", "", "\u0301 a"]))
    un, aff, able, a, b, dot, zhong, guo = (
        PIECES.index(p) for p in ("un", "##aff", "##able", "a", "b", ".", "中", "国")
    )
    assert rows.token_ids.numpy().tolist() == [
        [2, un, aff, able, a, 3],
        [2, zhong, guo, b, dot, 3],
        [2, 3, 0, 0, 0, 0],  # an empty text has a row, too
        [2, 1, a, 3, 0, 0],  # an accent alone is unknown
    ]
    assert rows.padding_mask.numpy().sum(1).tolist() == [6, 6, 2, 4]
    assert rows.text_of.numpy().tolist() == [0, 0, 1, 2]
    assert rows.word_of.numpy().tolist() == [
        [-1, 0, -1, -1, 1, -1],
        [-1, 2, 3, 4, 5, -1],
        [-1] * 6,
        [-1, 0, 1, -1, -1, -1],
    ]
    assert rows_of(tf.constant([], tf.string)).token_ids.shape == (0, 6)


def test_other_tokenizers_and_rows_too_short_are_refused():
    with pytest.raises(
        UsageError, match="words with offsets need a WordPiece tokenizer as of BERT, this preset has obj"
    ):
        split_for(object(), tf.constant(["a"]))
    with pytest.raises(UsageError, match="`sequence_length` must be at least 3, received 2"):
        word_inputs(tokenizer(), split_words(tf.constant(["a"])).words, sequence_length=2)
