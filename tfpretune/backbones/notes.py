"""What a reader of checkpoints says once a process, however often the folder is read."""

import functools


@functools.cache
def note(text: str) -> None:
    """Prints a line, the first time; nothing, if there is nothing to say."""
    if text:
        print(f"note: {text}", flush=True)
