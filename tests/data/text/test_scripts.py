"""Texts of thirty scripts and languages: what is learnt is found again, wherever the text is read."""

import re
import unicodedata

import pytest
import tensorflow as tf

from tests.data.text.scripts import PAIRS, SENTENCES
from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.corpus.packing_settings import Packing
from tfpretune.data.text.cleaning import clean
from tfpretune.data.text.learner import _CHINESE
from tfpretune.data.text.normalizers import CHINESE, Normalizer
from tfpretune.data.text.tokens import train_wordpiece
from tfpretune.data.text.words import split_for, word_inputs
from tfpretune.serving.raw import clean_in_graph

TEXTS = [clean(text) for text in SENTENCES.values()]


@pytest.fixture(
    scope="module", params=[(True, False), (False, False), (True, True)], ids=["lower", "cased", "stripped"]
)
def tokenizer(request):
    lowercase, strip_accents = request.param
    case = {"lowercase": lowercase, "strip_accents": strip_accents}
    return TextEncoderTokenizer(train_wordpiece(TEXTS, 4000, **case), **case)


@pytest.fixture(scope="module")
def graph(tokenizer):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def ids(texts):
        served = clean_in_graph(texts)
        cut = word_inputs(tokenizer, split_for(tokenizer, served).words, sequence_length=256)
        normal = tokenizer.normalizer(texts)
        return tokenizer(texts), tokenizer(served), cut.token_ids, tokenizer.normalizer.split(normal)

    return ids


def test_no_word_is_unknown_and_all_ways_give_the_same_ids(tokenizer, graph):
    """Of the learner, the tokenizer, a raw text that is served, words with offsets, and shards."""
    whole, served, rows, words = graph(tf.constant(TEXTS))
    unknown = tokenizer.token_to_id("[UNK]")
    case = {"lowercase": tokenizer.lowercase, "strip_accents": tokenizer.strip_accents}
    shards = Packing(8, **case).tokenizer(tokenizer.get_vocabulary())(tf.constant(TEXTS)).to_list()
    assert whole.to_list() == served.to_list() == shards
    for name, ids, row, split in zip(SENTENCES, whole.to_list(), rows.numpy().tolist(), words.to_list(), strict=True):
        assert unknown not in ids, name
        assert [2, *ids, 3] == row[: len(ids) + 2], name
        pieces = "".join(tokenizer.id_to_token(token).removeprefix("##") for token in ids)
        assert pieces == b"".join(split).decode(), name  # so nothing is lost, and nothing is composed otherwise


def test_the_same_text_in_another_composition_has_the_same_ids(tokenizer, graph):
    apart = [unicodedata.normalize("NFD", text) for text in TEXTS]
    assert graph(tf.constant(apart))[0].to_list() == graph(tf.constant(TEXTS))[0].to_list()


@pytest.mark.parametrize("language", PAIRS)
def test_words_that_only_marks_tell_apart_stay_apart(language):
    words = [word for pair in PAIRS[language] for word in pair]
    vocabulary = train_wordpiece(words, 400)
    tokenizer = TextEncoderTokenizer(vocabulary, lowercase=True)
    found = tokenizer(tf.constant([*words, *(word.upper() for word in words)]))
    lower = found[: len(words)]
    assert all(first != second for first, second in zip(lower[::2], lower[1::2], strict=True))
    if language in ("Vietnamese", "French", "Russian"):
        assert found[len(words) :] == lower  # case is folded all the same


def test_marks_go_on_request():
    normal = Normalizer(strip_accents=True)(tf.constant(["schön", "パンダ", "सुना", "가", "Ёлка"])).numpy()
    assert [word.decode() for word in normal] == ["schon", "ハンタ", "सना", "가", "елка"]
    assert "é" in train_wordpiece(["été É"], 200)
    assert "é" not in train_wordpiece(["été É"], 200, strip_accents=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("İstanbul IŞIK", ["istanbul", "işik"]),  # İ without a dot of its own; of I no rule knows the language
        ("ΜΕΓΑΣ Straße", ["μεγας", "straße"]),
        ("ＡＢＣ，１２", ["abc", ",", "12"]),
        ("a…b", ["a", ".", ".", ".", "b"]),
        ("soft\u00adhyphen \u200eleft\u200f ❤\ufe0f", ["softhyphen", "left", "❤"]),
        ("ខ្មែរ\u200bភាសា", ["ខ្មែរ", "ភាសា"]),  # a space that cannot be seen
        ("می\u200cروم ශ්\u200dරී", ["می\u200cروم", "ශ්\u200dරී"]),  # joiners stay
        ("a\x00b\x07c", ["a", "b", "c"]),
        ("人々は１つ", ["人", "々は1つ"]),
    ],
)
def test_words_by_hand(text, words):
    normalizer = Normalizer()
    found = normalizer.split(normalizer(tf.constant([text]))).to_list()[0]
    assert [word.decode() for word in found] == words


def test_new_texts_without_spaces_are_known():
    """Words of over 20 characters and of over 100 bytes, of which every second text is not learnt from."""
    parts = {name: re.findall(r"\w{3}", text) for name, text in SENTENCES.items()}
    texts = []
    for name in ("Thai", "Lao", "Khmer", "Burmese", "Japanese"):
        syllables = parts[name] or [SENTENCES[name][start : start + 3] for start in range(0, 60, 3)]
        texts += ["".join(syllables[start:] + syllables[:start]) * 2 for start in range(len(syllables))]
    vocabulary = train_wordpiece(texts[::2], 600)
    tokenizer = TextEncoderTokenizer(vocabulary, lowercase=True)
    found = tokenizer(tf.constant(texts[1::2]))
    assert max(len(text.encode()) for text in texts) > 100
    assert not any(vocabulary.index("[UNK]") in ids for ids in found)
    assert max(len(token.removeprefix("##")) for token in vocabulary if not token.startswith("[")) > 3  # it learns, too


def test_chinese_is_the_same_for_the_learner():
    characters = [
        chr(code) for code in (*range(0x2E80, 0x3400), *range(0x3400, 0xA000), 0xF8FF, 0xF900, 0xFAFF, 0x20000)
    ]
    characters += [
        chr(code) for code in (0x2A6DF, 0x2A6E0, 0x2A6FF, 0x2A700, 0x2CEAF, 0x2CEB0, 0x2F7FF, 0x2F800, 0x2FA1F)
    ]
    alone = tf.strings.regex_full_match(tf.constant(characters), CHINESE).numpy().tolist()
    assert alone == [bool(_CHINESE.match(character)) for character in characters]


def test_a_tokenizer_saved_before_there_was_a_choice_is_kerashubs():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ss", "##s", "strass", "##e", "e", "é", "ハンタ", "パンダ"]
    new = TextEncoderTokenizer(words, lowercase=True, strip_accents=True)
    config = new.get_config()
    assert config["normalizer"] == "unicode"
    again = TextEncoderTokenizer.from_config(config | {"vocabulary": words})
    del config["normalizer"]
    old = TextEncoderTokenizer.from_config(config | {"vocabulary": words})
    assert (again.rule, old.rule) == ("unicode", "keras_hub")
    text = tf.constant(["Straße"])
    ids = [tf.function(lambda texts, each=each: each(texts))(text).to_list()[0] for each in (old, again)]
    assert ids == [[words.index("strass"), words.index("##e")], [words.index("[UNK]")]]
    with pytest.raises(ValueError, match="normalizer must be unicode, bert or keras_hub, received 'nfc'"):
        TextEncoderTokenizer(words, normalizer="nfc")
