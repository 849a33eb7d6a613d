"""The two ways in which a command fails. Imports no other module of tfpretune."""

import re


class UsageError(Exception):
    """Settings or arguments that cannot work. The command line prints its one line and exits with 2.

    No ValueError: the option parser would put it in a box of several lines.
    """


class RunError(RuntimeError):
    """A run that failed (bad data, full disk, not-a-number). The command line prints its one line and exits with 1."""


def passed_on(error: Exception) -> RunError | None:
    """Returns the RunError that a reader of files raised in a thread of TensorFlow, which passes it on as text of its own."""
    found = re.search(r"\bRunError: (.+)", str(error))
    return RunError(found[1]) if found else None
