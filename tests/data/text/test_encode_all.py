"""`encode_all` keeps its traced function: tracing takes longer than encoding a short list."""

import pytest

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.text import tokens
from tfpretune.data.text.tokens import SPECIAL_TOKENS, encode, encode_all

# ids      0-4             5      6      7
WORDS = [*SPECIAL_TOKENS, "the", "cat", "sat"]
PAD, UNK, CLS, SEP, MASK = range(5)


@pytest.fixture
def tokenizer():
    return TextEncoderTokenizer(WORDS, lowercase=True, strip_accents=True)


def test_a_tokenizer_is_traced_once_for_each_length(monkeypatch, tokenizer):
    traced = []

    def count(tokenizer, texts, *, sequence_length):
        traced.append(sequence_length)
        return encode(tokenizer, texts, sequence_length=sequence_length)

    monkeypatch.setattr(tokens, "encode", count)
    for text, length in (("cat", 4), ("the cat", 4), ("cat", 5), ("sat", 4)):
        rows = encode_all(tokenizer, [text] * len(text), sequence_length=length)
        assert rows["token_ids"].shape == (len(text), length)
    assert traced == [4, 5]
    other = TextEncoderTokenizer([*WORDS, "zebra"], lowercase=True, strip_accents=True)
    assert encode_all(other, ["zebra"], sequence_length=4)["token_ids"].tolist() == [[CLS, 8, SEP, PAD]]
    assert encode_all(tokenizer, ["zebra"], sequence_length=4)["token_ids"].tolist() == [[CLS, UNK, SEP, PAD]]
