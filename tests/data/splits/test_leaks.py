"""Examples of one source that stand in another one, too."""

import random

from tfpretune.data.splits.leaks import Compared, find_leaks
from tfpretune.data.text.cleaning import text_key

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def long_text(seed):
    generator = random.Random(seed)
    return " ".join("".join(generator.choices(ALPHABET, k=6)) for _ in range(30))


def compared(texts, groups=None):
    return Compared([text_key(text) for text in texts], texts, groups)


def test_equal_nearly_equal_and_of_one_group():
    mine = [long_text(0), long_text(1).upper(), long_text(2), "short", long_text(3), long_text(4)]
    other = [f"again {long_text(0)}", long_text(1), "Short", "of the group"]
    leaks = find_leaks(compared(mine, ["a", "b", "c", "d", "e", "f"]), compared(other, ["x", "y", "z", "e"]))
    assert leaks.equal.tolist() == [False, True, False, True, False, False]
    assert leaks.near.tolist() == [True, False, False, False, False, False]
    assert leaks.grouped.tolist() == [False, False, False, False, True, False]
    assert leaks.any.tolist() == [True, True, False, True, True, False]
    assert leaks.note("text", "csv:test.csv") == (
        "4 texts are left out because of csv:test.csv: 2 are there, too, 1 are nearly the same as one there, 1 are of a group "
        "that is there"
    )


def test_images_are_compared_by_content_alone():
    leaks = find_leaks(Compared([b"a", b"b"]), Compared([b"b", b"c"]))
    assert (leaks.equal.tolist(), leaks.near.any(), leaks.grouped.any()) == ([False, True], False, False)
    assert not find_leaks(compared([]), compared(["a"])).any.any()
