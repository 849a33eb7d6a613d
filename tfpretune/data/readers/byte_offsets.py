"""Where bytes of a file stand, for messages: line and byte. Imports no TensorFlow."""

from tfpretune.data.readers.packed_files import no_text
from tfpretune.errors import RunError


def decoded(path: str, at: int, data: bytes) -> str:
    """Returns bytes that stand at `at` in a file as text; a RunError names the first that is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        with open(path, "rb") as file:
            fault = no_text(file.read(16), path)
        if fault:
            raise RunError(f"{path}: {fault[0]}; {fault[1]}") from None
        before = data[: error.start]
        number = line_number(path, at) + before.count(b"\n")
        byte = error.start - (before.rfind(b"\n") + 1) + 1
        raise RunError(
            f"{path}:{number}:{byte}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8, such as: "
            f"iconv -f GBK -t UTF-8 {path} (or -f ISO-8859-1)"
        ) from None


def line_number(path: str, at: int) -> int:
    """Returns the number of the line, from 1, that starts at this byte."""
    number, left = 1, at
    with open(path, "rb") as file:
        while left > 0 and (part := file.read(min(left, 1 << 20))):
            number += part.count(b"\n")
            left -= len(part)
    return number
