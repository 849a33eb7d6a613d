"""Cleaning of raw text. Imports no TensorFlow."""

import hashlib
import re
import unicodedata

MAX_LINE_BYTES = 4096
"""Longest line after cleaning, in UTF-8 bytes. SentencePiece silently skips training lines over 4,192 bytes."""

_SPACES = re.compile(r"[^\S ]\s*| \s+")  # every run of white space but the single space
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ud800-\udfff]")

_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10))))


def clean(text: str) -> str:
    """Returns the text in the one form that everything else in tfpretune works on.

    Unicode NFC; byte order marks and control characters gone; lone surrogates become U+FFFD; every run of white space
    is one newline if it holds a line break and one space if not; lines over `MAX_LINE_BYTES` are split
    (`split_long_lines`).

    Args:
        text: any string.

    Returns:
        The cleaned text, without white space at either end; it may be empty. Cleaning it again changes nothing.
    """
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    text = _UNWANTED.sub(_replacement, text)
    text = _SPACES.sub(_one_space, text).strip()
    return split_long_lines(text)[0] if len(text) * 4 > MAX_LINE_BYTES else text


def has_visible(text: str) -> bool:
    """Returns whether a text has a character that is seen: no white space, zero-width space, variation selector, filler."""
    return any(
        not each.isspace() and unicodedata.category(each) not in ("Cf", "Cc") and each not in _UNSEEN for each in text
    )


def normal_form(text: str) -> str:
    """Returns a text after NFC, case folding and squeezing of white space: what counts as equal has the same one."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def split_long_lines(text: str, max_bytes: int = MAX_LINE_BYTES) -> tuple[str, int]:
    """Breaks lines that are too long, at the last space that fits, or between characters where there is none.

    Args:
        text: text whose lines end in newlines.
        max_bytes: longest line allowed, in UTF-8 bytes, at least 4 (the longest character).

    Returns:
        The text, and how many of its lines were split.
    """
    if max_bytes < 4:
        raise ValueError(f"max_bytes must be at least 4, the bytes of the longest character; received {max_bytes}")
    lines: list[str] = []
    split = 0
    for line in text.split("\n"):
        pieces = _pieces(line, max_bytes)
        split += len(pieces) > 1
        lines += pieces
    return "\n".join(lines), split


def _pieces(line: str, max_bytes: int) -> list[str]:
    pieces = []
    data = line.encode("utf-8", "replace") if len(line) * 4 > max_bytes else b""
    while len(data) > max_bytes:
        end = data.rfind(b" ", 1, max_bytes + 1)
        if end < 0:
            end = max_bytes
            while data[end] & 0xC0 == 0x80:  # inside a character: bytes 10xxxxxx go on, they do not start one
                end -= 1
        pieces.append(data[:end].decode())
        data = data[end:].lstrip(b" ")
    return [*pieces, data.decode()] if pieces else [line]


def _replacement(match: re.Match[str]) -> str:
    return "\ufffd" if "\ud800" <= match[0] <= "\udfff" else ""


def _one_space(match: re.Match[str]) -> str:
    return "\n" if match[0].splitlines()[0] != match[0] else " "


def text_key(text: str) -> bytes:
    """Returns the sha256 digest of a text after NFC, case folding and squeezing of white space."""
    return hashlib.sha256(normal_form(text).encode("utf-8", "replace")).digest()
