"""Given words matched with the tokenizer's."""

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.text.given_words import given_words
from tfpretune.data.text.tokens import SPECIAL_TOKENS

TOKENIZER = TextEncoderTokenizer([*SPECIAL_TOKENS, "a", "b", ".", "中"], lowercase=True)


def match(sentences, joiner):
    call = tf.function(lambda rows: given_words(TOKENIZER, rows, joiner=joiner), autograph=False)
    flat = tf.constant([word for words in sentences for word in words], tf.string)
    return call(tf.RaggedTensor.from_row_lengths(flat, [len(words) for words in sentences]))


@pytest.mark.parametrize(
    ("words", "joiner", "read", "place", "inside", "source"),
    [
        (["do", "n't"], " ", ["do", "n", "'", "t"], [0, 1], [0, 0], [0, 1, 1, 1]),
        (["U.S.", "a"], " ", ["U", ".", "S", ".", "a"], [0, 4], [0, 0], [0, 0, 0, 0, 1]),
        (["New York", "a"], " ", ["New", "York", "a"], [0, 2], [0, 0], [0, 0, 1]),
        (["1", "2", "中"], "", ["12", "中"], [0, 0, 1], [0, 1, 0], [0, 2]),
        (["a", "\u3000", "b"], " ", ["a", "", "b"], [0, 1, 2], [0, 0, 0], [0, 1, 2]),
        (["\u200b", "", "a"], "", ["", "", "a"], [0, 1, 2], [0, 0, 0], [0, 1, 2]),
        (["", "a", "", ""], "", ["", "a", "", ""], [0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 2, 3]),
        (["a", "", "b"], "", ["ab"], [0, 0, 0], [0, 1, 1], [0]),  # a word that is nothing lies in the one around it
        ([], " ", [], [], [], []),
    ],
)
def test_by_hand(words, joiner, read, place, inside, source):
    found = match([words], joiner)
    assert [word.decode() for word in found.words.to_list()[0]] == read
    assert found.place.numpy().tolist() == place
    assert found.inside.numpy().tolist() == list(map(bool, inside))
    assert found.source_of.numpy().tolist() == source


@pytest.mark.parametrize("joiner", [" ", ""])
def test_each_word_has_one_that_speaks_for_it_whatever_it_holds(joiner):
    """Against a search character by character."""
    odd = ["\u3000", "\u200b", "\u00a0", " ", "\n", "\x07", "\ufe0f", "\u0301", "\U0001f469\u200d\U0001f467", "\u2028"]
    rng = np.random.default_rng(len(joiner))
    pool = [*odd, "a", "bb", "n't", "12", "3", "U.S.", "中国", "ไป", "べまし", "New York", "."]
    sentences = [rng.choice(pool, rng.integers(0, 9)).tolist() for _ in range(300)]
    found = match(sentences, joiner)
    assert found.words.nrows() == len(sentences)
    read, first = found.words.to_list(), 0
    place, inside = found.place.numpy(), found.inside.numpy()
    own = 0
    for words, pieces in zip(sentences, read, strict=True):
        places = place[own : own + len(words)] - first
        assert ((places >= 0) & (places < len(pieces))).all()
        assert (np.diff(places) >= 0).all()
        for number, (word, at) in enumerate(zip(words, places, strict=True)):
            piece = pieces[at].decode()
            if not inside[own + number]:
                begins = word.lstrip("".join(odd[:4]) + " \n\x07\u2028")
                assert begins.startswith(piece) or piece.startswith(begins)
            if number and places[number - 1] == at:
                assert inside[own + number]
        first, own = first + len(pieces), own + len(words)
    assert own == len(place)
    assert first == len(found.source_of)
