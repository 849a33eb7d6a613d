import pytest

from tfpretune.data.text.cleaning import MAX_LINE_BYTES, clean, split_long_lines


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("cafe\u0301", "caf\u00e9"),  # e + combining accent is one character in NFC
        ("\ufeffhello", "hello"),
        ("a\x00b\x07c\x7f", "abc"),
        ("  a  b\t\tc \u3000d\u00a0 ", "a b c d"),
        ("one\r\ntwo\rthree\n\n \n four", "one\ntwo\nthree\nfour"),
        ("a\u2028b\x0bc\x85d", "a\nb\nc\nd"),
        ("bad \ud800 surrogate", "bad \ufffd surrogate"),
        ("👩\u200d🚀 ok", "👩\u200d🚀 ok"),  # joiners carry meaning
        (" \n\t ", ""),
    ],
)
def test_clean(raw, expected):
    assert clean(raw) == expected
    assert clean(clean(raw)) == expected


def test_long_lines_are_split_at_the_last_space_that_fits():
    assert split_long_lines("aa bb cc\ndd", max_bytes=5) == ("aa bb\ncc\ndd", 1)


def test_long_lines_without_spaces_are_split_between_characters():
    # Three bytes per character: two fit in 8 bytes.
    assert split_long_lines("新年快乐好", max_bytes=8) == ("新年\n快乐\n好", 1)


def test_clean_leaves_no_line_over_the_limit_and_drops_nothing():
    text = "字" * 5000 + "\n" + "word " * 3000
    lines = clean(text).split("\n")
    assert max(len(line.encode()) for line in lines) <= MAX_LINE_BYTES
    assert "".join(lines).replace(" ", "") == "字" * 5000 + "word" * 3000


@pytest.mark.parametrize("character", ["a", "é", "字", "😀"])
def test_a_line_of_one_byte_too_many_is_split_whatever_its_characters_take(character):
    """1,024 to 4,096 characters are 4,096 bytes; one more character makes two lines, clean or not."""
    size = len(character.encode())
    most = character * (MAX_LINE_BYTES // size) + "a" * (MAX_LINE_BYTES % size)
    assert (clean(most), split_long_lines(most)) == (most, (most, 0))
    assert clean(most + character) == f"{most}\n{character}"
    assert split_long_lines(most + character) == (f"{most}\n{character}", 1)


def test_max_bytes_must_hold_a_character():
    with pytest.raises(ValueError, match="at least 4"):
        split_long_lines("a", max_bytes=3)
