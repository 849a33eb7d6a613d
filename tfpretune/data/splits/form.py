"""Where the parts of a run come from, as one value. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from tfpretune.data.splits.rule import PARTS, RULE, WITHOUT_COPIES, Shares, part_number

_STORED = ("validation_source", "test_source", "fractions")


@dataclasses.dataclass(frozen=True)
class SplitForm:
    """Where validation and test examples come from. Raises UsageError for values that cannot work.

    Args:
        validation_source: a source of their own, as `open_source` takes it; "" draws them from the training source.
        test_source: the same for the test examples.
        fractions: of train, validation and test in a source that is split; together 1.
        rule: the rule by which it is split, `splits.rule.RULE` or one of before for what was made under it.

    Examples:
        >>> from tfpretune.data import SplitForm
        >>> SplitForm(test_source="csv:test.csv", fractions=(0.8, 0.2, 0)).shares
        (0.8, 0.2, 0.0)
    """

    validation_source: str = ""
    test_source: str = ""
    fractions: Shares = (0.8, 0.1, 0.1)
    rule: int = RULE

    def __post_init__(self) -> None:
        """Refuses fractions that are none."""
        part_number("train", self.fractions)

    @property
    def own(self) -> dict[str, str]:
        """The parts that have sources of their own, the test first: part -> source."""
        given = {"test": self.test_source, "validation": self.validation_source}
        return {part: source for part, source in given.items() if source}

    @property
    def shares(self) -> Shares:
        """The fractions of the training source: what parts of their own have there falls to the others.

        Raises:
            UsageError: nothing is left to train on.
        """
        return without_parts(self.fractions, tuple(self.own))

    def as_task(self) -> dict[str, Any]:
        """Returns what `task.json` says: what is not the default, and the rule."""
        found = {name: getattr(self, name) for name in _STORED if getattr(self, name) != getattr(SplitForm, name)}
        return found | {"split_rule": self.rule}

    @classmethod
    def from_task(cls, task: Mapping[str, Any]) -> Self:
        """Returns the form that `as_task` stored, of any version."""
        found = {name: task[name] for name in _STORED if name in task}
        found |= {"fractions": tuple(found["fractions"])} if "fractions" in found else {}
        return cls(**found, rule=task.get("split_rule", WITHOUT_COPIES))


def without_parts(fractions: Shares, parts: tuple[str, ...]) -> Shares:
    """Returns the fractions of the parts that are left, together 1; the others have 0."""
    kept = [0.0 if name in parts else share for name, share in zip(PARTS, fractions, strict=True)]
    whole = sum(kept)
    train, validation, test = (share / whole for share in kept) if whole else (1.0, 0.0, 0.0)
    return train, validation, test


USUAL_SPLITS = SplitForm()
