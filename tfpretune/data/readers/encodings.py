"""Bytes of a file as text, every byte that does not fit named. Imports no TensorFlow."""

import codecs
import re

Fault = tuple[int, int, str, str]
"""Line and byte within it, both from 1; what is wrong, what to do."""

OTHERS = "`encoding`: gb18030, big5, cp1252, …"
_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\xef\xbb\xbf", "UTF-8"),
)
"""What files begin with: the longest first."""
_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
_NO_ACCIDENT = 4
_BEYOND_LINES = ("utf_16", "utf_32", "utf_7", "iso2022", "hz")


def decode(data: bytes, encoding: str, path: str) -> tuple[str, list[Fault]]:
    """Returns the text of a file without the mark at its start, and what does not fit.

    Args:
        data: all of it.
        encoding: a name that Python knows; "" is UTF-8.
        path: for what to do about it.
    """
    name, marked = plain_name(encoding), mark_of(data)
    if marked and not name.startswith(marked.lower().replace("-", "_")):
        if name == "utf_8":
            todo = f"convert it: iconv -f {marked} -t UTF-8 {path}, or give `encoding` {marked.lower()}"
            return "", [(1, 1, f"the file is {marked}, not UTF-8", todo)]
        return "", [(1, 1, f"the file begins with the mark of {marked}, and `encoding` is {encoding}", "correct it")]
    if name == "utf_8":
        return _utf8(data, path)
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        number, start = before.count("\n") + 1, len(before[: before.rfind("\n") + 1].encode(encoding, "replace"))
        return "", [(number, max(1, error.start - start + 1), *not_in(encoding, data[error.start], path))]
    if _is_utf8_as_well(data):
        return "", [(1, 1, f"the file is UTF-8: read as {encoding} it holds other signs", "leave `encoding` out")]
    if name in ("iso8859_1", "latin_1") and (found := _CONTROLS.search(text)):
        number = text.count("\n", 0, found.start()) + 1
        byte = found.start() - text.rfind("\n", 0, found.start())
        what = f"byte 0x{ord(found[0]):02x} is a control character in {encoding} and a sign in cp1252"
        return "", [(number, byte, what, "give `encoding` cp1252")]
    return text, []


def _is_utf8_as_well(data: bytes) -> bool:
    """Returns whether bytes are UTF-8 with so many signs beyond ASCII that it is no accident."""
    try:
        return sum(not sign.isascii() for sign in data.decode("utf-8")) >= _NO_ACCIDENT
    except UnicodeDecodeError:
        return False


def mark_of(data: bytes) -> str:
    """Returns the encoding that the first bytes of a file mark; "" where they mark none."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), "")


def ends_lines_with_lf(encoding: str) -> bool:
    """Returns whether a byte 0x0a always ends a line, so that files can be cut there."""
    name = plain_name(encoding)
    return not name.startswith(_BEYOND_LINES) and "\n".encode(name) == b"\n"


def plain_name(encoding: str) -> str:
    """Returns the one name of an encoding: "utf_8" for "", "UTF-8" and "utf-8-sig"."""
    return codecs.lookup(encoding or "utf-8").name.replace("-", "_").removesuffix("_sig")


def not_in(encoding: str, byte: int, path: str) -> tuple[str, str]:
    """Says that a byte is not in an encoding ("" is UTF-8), and what to do."""
    if plain_name(encoding) != "utf_8":
        return f"byte 0x{byte:02x} is not {encoding}", f"give another {OTHERS}"
    todo = f"save the file as UTF-8, such as: iconv -f GBK -t UTF-8 {path} (or -f ISO-8859-1), or give {OTHERS}"
    return f"byte 0x{byte:02x} is not UTF-8", todo


def _utf8(data: bytes, path: str) -> tuple[str, list[Fault]]:
    for encoding, zeros in (("utf-16-le", data[1:400:2]), ("utf-16-be", data[:400:2])):
        if zeros.count(0) > len(zeros) // 2:
            return "", [(1, 1, f"the file seems to be {encoding}, not UTF-8", f"give `encoding` {encoding}")]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        faults: list[Fault] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            faults.append((number, error.start + 1, *not_in("", line[error.start], path)))
    return data.decode("utf-8-sig", "replace"), faults
