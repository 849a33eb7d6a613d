"""Where bytes of a file stand, for messages: line and byte. Imports no TensorFlow."""

from tfpretune.data.readers.encodings import not_in
from tfpretune.data.readers.packed_files import no_text
from tfpretune.errors import RunError


def decoded(path: str, at: int, data: bytes, encoding: str = "") -> str:
    """Returns bytes that stand at `at` in a file as text; a RunError names the first that is not in its encoding."""
    try:
        return data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        with open(path, "rb") as file:
            fault = no_text(file.read(16), path)
        if fault:
            raise RunError(f"{path}: {fault[0]}; {fault[1]}") from None
        before = data[: error.start]
        number = line_number(path, at) + before.count(b"\n")
        byte = error.start - (before.rfind(b"\n") + 1) + 1
        what, todo = not_in(encoding, data[error.start], path)
        raise RunError(f"{path}:{number}:{byte}: {what}; {todo}") from None


def line_number(path: str, at: int) -> int:
    """Returns the number of the line, from 1, that starts at this byte."""
    number, left = 1, at
    with open(path, "rb") as file:
        while left > 0 and (part := file.read(min(left, 1 << 20))):
            number += part.count(b"\n")
            left -= len(part)
    return number
