"""What the learner of vocabularies is given, and what it must not lose."""

from tfpretune.data.text.learner import LONGEST_WHOLE, SPECIAL_TOKENS, WINDOW, find_alphabet, learn, learnable


def test_the_alphabet_by_hand():
    """a 5, b 3, 中 2, c 1: two tokens for a letter, one for a Chinese character, from the most frequent down."""
    counts = {"aab": 2, "a": 1, "中": 2, "bc": 1}
    assert find_alphabet(counts, 100) == {"a", "b", "c", "中"}
    assert find_alphabet(counts, 100, least=2) == {"a", "b", "中"}
    assert find_alphabet(counts, 5) == {"a", "b", "中"}
    assert find_alphabet(counts, 4) == {"a", "b"}


def test_long_words_become_windows():
    word = "abcdefgh" + "ijklmnop" + "qrstu"
    assert len(word) == LONGEST_WHOLE + 1 == 2 * WINDOW + 5
    assert learnable({word: 3, "short": 2}, 1) == ({"short": 2}, {"abcdefgh": 3, "ijklmnop": 3, "qrstu": 3})
    assert learnable({"once": 1, word: 1}, 2) == ({}, {})  # of a large corpus
    # But of a script without spaces hardly anything is seen twice, and its runs begin as nothing else does.
    assert learnable({"ครั้งเดียวเท่านั้น": 1}, 2) == ({"ครั้งเดี": 1}, {"ยวเท่านั": 1, "้น": 1})
    assert learnable({"かな" * 12: 1}, 1) == ({"かな" * 4: 1}, {"かな" * 4: 2})


def test_parts_of_windows_are_tokens_inside_a_word():
    vocabulary = learn({"xyz" * 10 + "abcabcab": 50, "abc": 50, "abd": 50}, 200)
    assert {"abc", "abd", "##x", "##c", "x", "c"} <= set(vocabulary)
    assert any(token.startswith("##") and len(token) > 4 for token in vocabulary)
    thai = learn({"ความเป็นมนุษย์ที่ควรปฏิบัติต่อกันด้วย" + tail: 1 for tail in "กขคงจฉชซ"}, 300)
    assert any(not token.startswith(("##", "[")) and len(token) > 2 for token in thai)
    assert any(token.startswith("##") and len(token) > 4 for token in thai)


def test_letters_stay_when_the_vocabulary_is_cut():
    """The learner of tensorflow-text puts `##` letters last, where a cut would take them."""
    words = {f"{a}{b}{c}": 2 for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyz"}
    vocabulary = learn(words, 105)
    assert len(vocabulary) == len(set(vocabulary)) <= 105
    assert tuple(vocabulary[:5]) == SPECIAL_TOKENS
    letters = set("abcdefghijklmnopqrstuvwxyz")
    assert letters | {f"##{letter}" for letter in letters} <= set(vocabulary)


def test_chinese_characters_never_go_on_a_word_and_many_have_a_place():
    counts = {chr(0x4E00 + number): 5 for number in range(2000)} | {"abc": 5}
    vocabulary = learn(counts, 4100)
    assert set(counts) - {"abc"} <= set(vocabulary)
    assert not any(token.startswith("##") and token[2:] in counts for token in vocabulary)
    assert learn({"中": 3}, 105) == [*SPECIAL_TOKENS, "中"]
