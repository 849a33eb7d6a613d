"""Settings that say where the validation and test examples of a run come from. Imports no TensorFlow."""

import dataclasses

from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True)
class OwnSplits:
    """The parts of a run. It stands in front of other settings, which call `require_splits`.

    Examples:
        >>> from tfpretune.settings import OwnSplits
        >>> OwnSplits(test_source="csv:test.csv").fractions
        (0.8, 0.1, 0.1)
    """

    validation_source: str = ""
    """A source of its own for the validation set, in the form of --source; it is not split. Empty: drawn from --source."""
    test_source: str = ""
    """The same for the test set. What of --source stands there, too, exactly or nearly, is left out."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Of train, validation and test in --source, where they have no splits or sources of their own."""


def require_splits(run: OwnSplits, source: str = "") -> None:
    """Raises UsageError for fractions that are none, and for one source in two places.

    Examples:
        >>> from tfpretune.settings import OwnSplits, require_splits
        >>> require_splits(OwnSplits(fractions=(0.8, 0.2, 0.2)))
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: --fractions must be three numbers that sum to 1, the first above 0, received 0.8 0.2 0.2
    """
    if min(run.fractions) < 0 or not run.fractions[0] or not abs(sum(run.fractions) - 1) < 1e-6:
        given = " ".join(f"{share:g}" for share in run.fractions)
        raise UsageError(f"--fractions must be three numbers that sum to 1, the first above 0, received {given}")
    for option, own in (("--validation-source", run.validation_source), ("--test-source", run.test_source)):
        if own and own == source:
            raise UsageError(f"{option} {own} is --source: give it a source of its own, or leave the option out")
    if run.validation_source and run.validation_source == run.test_source:
        raise UsageError(
            f"--validation-source and --test-source are both {run.test_source}: what chooses a checkpoint cannot judge it"
        )
