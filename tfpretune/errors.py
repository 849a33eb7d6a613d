"""The two ways in which a command fails. Imports nothing."""


class UsageError(Exception):
    """Settings or arguments that cannot work. The command line prints its one line and exits with 2.

    No ValueError: the option parser would put it in a box of several lines.
    """


class RunError(RuntimeError):
    """A run that failed (bad data, full disk, not-a-number). The command line prints its one line and exits with 1."""
