"""The text that words are cut from."""

import pytest

from tfpretune.data.text.running import running_text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("He does n't know Ada 's dog .", "He doesn't know Ada 's dog ."),
        ("食べ まし た 。", "食べました。"),
        ("iPhone を 3 台 買う", "iPhoneを3台買う"),
        ("北京 大学", "北京大学"),
        ("ไป โรงเรียน 5 คน", "ไปโรงเรียน 5 คน"),
        ("Er geht nach Köln", "Er geht nach Köln"),
        ("나는 학교에 간다", "나는 학교에 간다"),
        ("word", "word"),
    ],
)
def test_by_hand(words, text):
    assert running_text(words.split()) == text


def test_a_joiner_of_nothing_and_no_words():
    assert running_text(["a", "b"], "") == "ab"
    assert running_text([]) == ""
