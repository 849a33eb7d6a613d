"""How raw text is split beside the words of a file, in five languages."""

import pytest

from tests.data.sources.test_tagged import toy
from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.tasks.finetuning.running_words import RunningWords, measure_words, say_words, served_words

TOKENIZER = TextEncoderTokenizer([*SPECIAL_TOKENS, "a"], lowercase=True)


@pytest.mark.parametrize(
    ("sentences", "joiner", "exact", "alike", "instead"),
    [
        (["彼 は 寿司 を 食べ まし た", "雨"], " ", 0.5, 0.5, ("べました", "べ まし た")),
        (["ไป โรงเรียน", "ไป"], " ", 0.5, 0.5, ("ไปโรงเรียน", "ไป โรงเรียน")),
        (["北京 大学 好", "好 人"], " ", 0.5, 1.0, ("", "")),  # a character at a time, as training reads them
        (["I do n't know", "They sleep in Rome"], " ", 0.5, 0.5, ("don", "do n")),
        (["Das kostet 3,50 Euro .", "Er geht ."], " ", 0.5, 1.0, ("", "")),
        (["1 2 中", "a"], "", 0.5, 1.0, ("", "")),  # digits are one word for both
        (["a \u3000 a"], " ", 0.0, 0.0, ("", "")),
    ],
    ids=["Japanese", "Thai", "Chinese", "English", "German", "digits", "space"],
)
def test_shares(sentences, joiner, exact, alike, instead):
    words = [sentence.split(" ") for sentence in sentences]
    found = measure_words(toy(words, [[0] * len(each) for each in words], joiner=joiner), TOKENIZER)
    assert found == RunningWords(len(sentences), exact, alike, instead)


@pytest.mark.parametrize(
    ("words", "line", "alone"),
    [
        (
            ["食べ まし た"],
            "warning: toy: raw text is split into the words of the file in 0.0% of 1 sentences, and",
            True,
        ),
        (["do n't", "a"], "'don' where training reads 'do n'): send the words where you have them", False),
        (["Er geht"], "toy: raw text is split into the words of the file in 100.0% of 1 sentences, and into", False),
    ],
    ids=["refused", "warned", "fine"],
)
def test_it_is_said_and_kept(capsys, words, line, alone):
    sentences = [sentence.split(" ") for sentence in words]
    task = say_words(toy(sentences, [[0] * len(each) for each in sentences]), TOKENIZER)
    assert line in capsys.readouterr().out
    assert served_words(task) == {"joiner": " ", "words_only": alone}


def test_runs_of_before_are_served_as_they_were():
    assert served_words({"source": "conll:a.conll"}) == {"joiner": " ", "words_only": False}
    assert served_words({"source": "demo:people-daily-ner"}) == {"joiner": "", "words_only": False}
