"""Validation and test examples that have sources of their own, and what of the training source stands there, too."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from tfpretune.data.examples.base import ExampleSet
from tfpretune.data.splits.form import SplitForm
from tfpretune.data.splits.leaks import Compared, find_leaks
from tfpretune.data.splits.rule import Part
from tfpretune.errors import UsageError

Form = TypeVar("Form", bound=ExampleSet)


def with_own_parts(
    examples: Form, splits: SplitForm, open_part: Callable[[str, str], Form]
) -> tuple[Form, Mapping[str, Form]]:
    """Opens the parts that have sources of their own. They are not split; what stands there is left out of the others.

    Prints what is left out: of the validation source what is in the test source, of the training source what is in one of
    both: equal contents, near copies, and examples of a group that is there.

    Args:
        examples: of the training source, without duplicates.
        splits: names the sources.
        open_part: the name of an argument and a source -> its examples, without duplicates.

    Returns:
        What is left of the training source, and part -> examples.

    Raises:
        UsageError: a source has splits of its own, and none is the one that is wanted; or nothing is left.
    """
    own: dict[str, Form] = {}
    for part, source in splits.own.items():
        found = _the_part(open_part(f"{part}_source", source), part)
        for other in own.values():
            found = _without(found, other)
        own[part] = found
        if examples.splits is not None and (count := list(examples.splits).count(part)):
            print(f"{examples.name}: its own {part} split, {count:,} examples, is not used: {source} is the {part} set")
    for other in own.values():
        examples = _without(examples, other)
    return examples, own


def part_of(examples: Form, own: Mapping[str, Form], splits: SplitForm, part: Part) -> Form:
    """Returns a part: the one with a source of its own, or that of the training source."""
    return own[part] if part in own else examples.split(part, splits.shares, rule=splits.rule)


def _the_part(examples: Form, part: str) -> Form:
    if examples.splits is None:
        return examples
    mine = np.array([split == part for split in examples.splits], bool)
    if not mine.any():
        found = ", ".join(sorted(set(examples.splits)))
        raise UsageError(
            f"`{part}_source` {examples.name} has splits of its own ({found}) and none is {part}: give the one that is meant "
            f"by itself, such as images:FOLDER/{part}, tfds:NAME:{part} or a file of its rows"
        )
    if not mine.all():
        print(f"{examples.name}: its {part} split is taken, {mine.sum():,} of {len(mine):,} examples")
    return examples.take(mine)


def _without(examples: Form, other: Form) -> Form:
    leaks = find_leaks(_compared(examples), _compared(other))
    if leaks.any.any():
        print(f"{examples.name}: {leaks.note('example', other.name)}", flush=True)
    if leaks.any.all() and len(examples):
        raise UsageError(f"all examples of {examples.name} stand in {other.name}, too: nothing is left to train on")
    return examples.take(~leaks.any)


def _compared(examples: ExampleSet) -> Compared:
    return Compared(examples.digests(), examples.compared_texts(), examples.groups)
