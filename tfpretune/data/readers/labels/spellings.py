"""What spellings of one label share. Imports no TensorFlow."""

import decimal
import re
import unicodedata

_QUOTES = "'\"`‘’‚“”„«»‹›"
_ALIKE = str.maketrans(
    "авеіјкмнорсѕтухαβεζηικμνορτυχ",
    "abeijkmhopcstyxabezhikmvoptux",
)
"""Small letters of Cyrillic and Greek which, small or large, look like Latin ones (Unicode's confusables)."""
_BETWEEN = re.compile(r"(?<=[^\W_])[\s_-]+(?=[^\W_])")


def spelling_key(name: str) -> str:
    """Returns what spellings of one class share: "Not-Spam" and "not_spam", 1 and 01.0 and true, "pos" with quotes and without.

    No matter are case, width, digits of another script, white space, underscores and hyphens between words, invisible
    characters, quotes around all of it, and Cyrillic and Greek letters that look like Latin ones.
    """
    key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    key = " ".join("".join(map(_plain_digit, key)).split())
    if len(key) > 2 and key[0] in _QUOTES and key[-1] in _QUOTES:
        key = key[1:-1].strip()
    key = {"true": "1", "false": "0"}.get(key, key)
    number = number_of(key)
    if number is not None:
        return f"{number or decimal.Decimal(0):f}"
    return _BETWEEN.sub(" ", key).translate(_ALIKE)


def number_of(label: str) -> decimal.Decimal | None:
    """Returns a label as a number, exactly and in its shortest form; None if it is not a finite one."""
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", label, re.ASCII) is None:
        return None
    with decimal.localcontext(prec=max(28, len(label) + 100)):
        return decimal.Decimal(label).normalize()


def _plain_digit(character: str) -> str:
    """Returns a digit of any script as one of 0 to 9, and "" for an invisible character."""
    if unicodedata.category(character) == "Cf":
        return ""
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
