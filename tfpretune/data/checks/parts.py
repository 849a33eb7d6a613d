"""The sizes of the parts that a run would get, for the pass before step 1."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import get_args

from tfpretune.data.checks.labels import label_histogram
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.records import Problem
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.few_labels import Few, few_labels
from tfpretune.data.sources.labelled import unlike, with_labelled_parts
from tfpretune.data.splits.folds import FEW
from tfpretune.data.splits.form import SplitForm
from tfpretune.data.splits.rule import Part
from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True)
class PartSize:
    """How large a part is.

    Args:
        examples: in it, without duplicates.
        classes: class -> how many of them; {} where there are no classes.
    """

    examples: int
    classes: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class PartSizes:
    """How large the parts of a run are, and what is wrong with that.

    Args:
        parts: name of a part -> its size; {} where nothing could be counted.
        problems: classes that nothing can be learnt of.
        notes: parts that are empty, which a run refuses.
    """

    parts: Mapping[str, PartSize] = dataclasses.field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def part_sizes(examples: Examples, form: SourceForm, splits: SplitForm) -> PartSizes:
    """Counts the parts that a run would make of a source.

    Args:
        examples: the good ones, with duplicates.
        form: how sources of other parts are read.
        splits: where validation and test examples come from.
    """
    name = examples.name
    try:
        examples, own = with_labelled_parts(unlike(examples, quiet=True), form, splits)
    except UsageError as error:
        return PartSizes(problems=(Problem(name, str(error), "give other sources"),))
    if examples.labels is not None:
        try:
            few = few_labels(examples, "auto", own=own, splits=splits)
        except UsageError as error:
            return PartSizes(notes=(f"fine-tuning refuses so few examples: {error}",))
        if few is not None:
            return _in_folds(few)
    sides = examples.sides(splits.shares, rule=splits.rule)
    parts = {
        part: _size(own[part] if part in own else examples.take(sides == number + 1))
        for number, part in enumerate(get_args(Part))
    }
    train = parts["train"].classes
    held_out = [part for part in parts if part != "train"]
    lacking = [
        each for each, count in train.items() if not count and any(parts[part].classes.get(each) for part in held_out)
    ]
    empty = [
        part for number, part in enumerate(parts) if not parts[part].examples and (part in own or splits.shares[number])
    ]
    notes = [
        f"the {' and '.join(empty)} part{'s' * (len(empty) > 1)} of a run would be empty, which a run refuses: give more "
        "examples, other fractions or sources of their own"
    ]
    return PartSizes(parts, _without_training(name, lacking), tuple(notes if empty else ()))


def _in_folds(few: Few) -> PartSizes:
    """The parts of a run that has no validation part, and what it does instead."""
    parts = {"train": few.train, "validation": few.train.take([]), "test": few.test}
    note = (
        f"fewer than {FEW} labelled examples: fine-tuning learns from all of train and is judged in {few.folds.count} folds x "
        f"{few.folds.repeats} repeats (`folds` none cuts off a validation and a test part)"
    )
    return PartSizes({name: _size(part) for name, part in parts.items()}, notes=(note,))


def _without_training(name: str, classes: Sequence[str]) -> tuple[Problem, ...]:
    if not classes:
        return ()
    more = f", nor have {len(classes) - 1:,} more classes" if len(classes) > 1 else ""
    todo = "add examples of it, or let fewer of them be held out"
    return (Problem(name, f"the class {classes[0]!r} has no training example{more}", todo),)


def _size(part: Examples) -> PartSize:
    has_classes = part.labels is not None and part.label_kind != "regression"
    return PartSize(len(part), label_histogram(part) if has_classes else {})
