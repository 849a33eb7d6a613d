"""Lines that a run prints on its way: the launcher says how arguments are written there. Imports no TensorFlow."""

import contextlib
from collections.abc import Callable, Iterator

_write: list[Callable[[str], str]] = []


def tell(line: str) -> None:
    """Prints a line at once; arguments that it names in backticks are written as the launcher writes them."""
    print(_write[-1](line) if _write else line, flush=True)


@contextlib.contextmanager
def written(write: Callable[[str], str]) -> Iterator[None]:
    """Has `tell` write lines in this way."""
    _write.append(write)
    try:
        yield
    finally:
        _write.pop()
