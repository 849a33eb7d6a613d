"""The two ways in which a command fails. Imports no other module of tfpretune."""

import re


class UsageError(ValueError):
    """Settings or arguments that cannot work. The command line prints its one line and exits with 2.

    Examples:
        >>> from tfpretune import UsageError
        >>> from tfpretune.data import open_source
        >>> try:
        ...     examples = open_source("csv:none.csv")
        ... except UsageError as error:
        ...     print(error)
        no file matches csv:none.csv (looked in ...): check the path
    """

    # By this AutoGraph knows that one line makes an error of this kind; it turns others in a traced function into its own.
    __init__ = Exception.__init__


class RunError(RuntimeError):
    """A run that failed (bad data, full disk, not-a-number). The command line prints its one line and exits with 1.

    Examples:
        >>> from tfpretune import RunError
        >>> from tfpretune.evaluation import gain_over_scratch
        >>> try:
        ...     gain = gain_over_scratch([0.9, float("nan")], [0.8, 0.8])
        ... except RunError as error:
        ...     print(error)
        gain_over_scratch: expected finite scores, received [0.9, nan] and [0.8, 0.8]
    """


_NOTED: list[RunError] = []


def note_error(error: RunError) -> int:
    """Keeps an error for `passed_on`; returns its number, for an operation of TensorFlow that fails with "[RunError] [NUMBER]".

    An exception in a Python function that TensorFlow calls would be printed by it at once, with its stack.
    """
    _NOTED.append(error)
    return len(_NOTED) - 1


def passed_on(error: Exception) -> RunError | None:
    """Returns the RunError that a reader of files met in a thread of TensorFlow, which passes it on as text of its own."""
    text = str(error)
    if noted := re.search(r"\[RunError\] \[(\d+)\]", text):
        return _NOTED[int(noted[1])]
    found = re.search(r"\bRunError: (.+)", text)
    return RunError(found[1]) if found else None
