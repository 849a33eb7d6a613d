"""Train, validation and test split of a labelled source."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.readers.source_form import USUAL_FORM, SourceForm
from tfpretune.data.sources.examples import open_examples
from tfpretune.data.sources.few_labels import few_labels, fold
from tfpretune.data.sources.official import with_official_splits
from tfpretune.data.sources.own_parts import part_of, with_own_parts
from tfpretune.data.splits.folds import FoldChoice, Folds
from tfpretune.data.splits.form import USUAL_SPLITS, SplitForm
from tfpretune.data.splits.rule import BY_CLASS, Part
from tfpretune.errors import UsageError
from tfpretune.runtime.telling import tell


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledSplits:
    """The three parts of one labelled source; no content stands in two of them.

    Attributes:
        train: to learn from.
        validation: to choose settings and checkpoints by.
        test: to judge by, once.
        form: how the source was read; its `label_kind` says what was found.
        splits: where the parts come from.
        folds: of `train`, where there are too few labels for a validation part; this and, without a test split of the source's
            own, the test part are empty then.

    Examples:
        >>> from tfpretune.data import labelled_splits
        >>> parts = labelled_splits("demo:digits")
        note: demo:digits: 4 examples stand in another part than their contents alone would put them in, ...
        >>> sum(len(part) for part in (parts.train, parts.validation, parts.test))
        1797
        >>> bool(set(parts.train.keys()) & set(parts.test.keys()))
        False
    """

    train: Examples
    validation: Examples
    test: Examples
    form: SourceForm = USUAL_FORM
    splits: SplitForm = USUAL_SPLITS
    folds: Folds | None = None

    def as_task(self) -> dict[str, Any]:
        """Returns what `task.json` says, so that the same parts are found again."""
        return {"source": self.train.name} | self.form.as_task() | self.splits.as_task()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of all parts, in the order of their indices."""
        return self.train.class_names


def labelled_splits(
    source: str,
    form: SourceForm = USUAL_FORM,
    *,
    splits: SplitForm = USUAL_SPLITS,
    labels_per_class: int = 0,
    most: int = 0,
    seed: int = 0,
    folds: FoldChoice = "none",
) -> LabelledSplits:
    """Opens a source, drops duplicates and splits it as `Examples.split` says. Prints what was averaged or dropped.

    Args:
        source: as `open_source` takes it.
        form: how it is read. Its `label_column` is "" where the further columns hold all labels that are wanted.
        splits: where validation and test examples come from. A source of their own is not split, and what stands there is
            left out of the other parts (`with_own_parts`).
        labels_per_class: keep only so many training examples of each class; 0 keeps all.
        most: keep at most so many examples of each part, for rehearsals; 0 keeps all.
        seed: decides both draws, and the folds.
        folds: of the training examples, see `few_labels`; with `labels_per_class` of those that are kept, and a number only.

    Returns:
        The parts; which of them an example is in follows from its content, not from `seed`.

    Raises:
        UsageError: the source is unlabelled, lacks a column, has fewer than two classes, or a class too few examples.

    Examples:
        >>> from tfpretune.data import labelled_splits
        >>> parts = labelled_splits("demo:digits", labels_per_class=5)
        note: demo:digits: 4 examples stand in another part than their contents alone would put them in, ...
        >>> len(parts.train), len(parts.train) + len(parts.validation) + len(parts.test) < 1797
        (50, True)
        >>> parts.class_names
        ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    """
    examples = unlike(open_examples(source, form))
    least = {"regression": 0, "multi-label": 1}.get(examples.label_kind, 2)
    if form.label_column and len(examples.class_names) < least:
        found = "".join(f" ({note})" for note in examples.notes if "`label_column`" in note)
        raise UsageError(
            f"`source` {source} has {len(examples.class_names)} classes: labels of at least {least} are needed{found}"
        )
    for name in form.more_labels:
        if (classes := len(examples.more[name].class_names)) < 2:
            raise UsageError(f"`source` {source} has {classes} classes in the column {name!r}: at least 2 are needed")
    read = dataclasses.replace(form, label_kind=examples.label_kind, **examples.taken)
    splits = with_official_splits(source, read, splits)
    examples, own = with_labelled_parts(examples, read, splits)
    few = few_labels(
        examples, "none" if labels_per_class else folds, own=own, splits=splits, seed=seed, fast=bool(most)
    )
    if few is not None:
        return LabelledSplits(few.train, few.train.take([]), few.test, read, splits, few.folds)
    train, validation, test = (part_of(examples, own, splits, part) for part in get_args(Part))
    if labels_per_class:
        train = train.few_labels(labels_per_class, seed)
    dealt = None
    if labels_per_class and folds not in ("auto", "none", 1):
        dealt, validation = fold(train, folds, seed=seed, fast=bool(most)), train.take([])
    if most:
        train, validation, test = (part.sample(most, seed=seed) for part in (train, validation, test))
    return LabelledSplits(train, validation, test, read, splits, dealt)


def labelled_part(
    examples: Examples, part: Part | Literal["all"], form: SourceForm, splits: SplitForm = USUAL_SPLITS
) -> Examples:
    """Returns one part of an opened source, as `labelled_splits` makes it, or all that it holds.

    Args:
        examples: all of the source.
        part: of `PARTS`, or "all".
        form: how sources of other parts are read; its `label_kind` is that of the examples.
        splits: where validation and test examples come from.

    Examples:
        >>> from tfpretune.data import SourceForm, labelled_part, open_source
        >>> len(labelled_part(open_source("demo:digits"), "all", SourceForm(label_kind="single")))
        1797
    """
    examples = unlike(examples)
    if part == "all":
        return examples
    splits = with_official_splits(examples.name, form, splits)
    examples, own = with_labelled_parts(examples, form, splits)
    return part_of(examples, own, splits, part)


def unlike(opened: Examples, *, quiet: bool = False) -> Examples:
    """Drops duplicates, and prints what was averaged or dropped."""
    examples = opened.without_duplicates()
    for note in () if quiet else examples.notes[len(opened.notes) :]:
        tell(f"{opened.name}: {note}")
    return examples


def with_labelled_parts(
    examples: Examples, form: SourceForm, splits: SplitForm
) -> tuple[Examples, Mapping[str, Examples]]:
    """As `with_own_parts`, of examples whose labels are those of the training source.

    Raises:
        UsageError: a part is of another kind, or has no labels.
        RunError: a label there is none of the training source.
    """
    form = dataclasses.replace(form, class_names=examples.class_names)

    def open_part(argument: str, source: str) -> Examples:
        option = argument.replace("_", "-")
        opened = open_examples(source, form, checked_as=f"{examples.name} --{option} {source}")
        if opened.require_kind(examples.kind, argument).labels is None and form.label_column:
            raise UsageError(f"`{argument}` {source} has no labels: there is nothing to compare with")
        return unlike(with_classes_of(opened, examples))

    return with_own_parts(examples, splits, open_part)


def with_classes_of(examples: Examples, known: Examples) -> Examples:
    """Returns examples whose further labels are indices into the classes that others know.

    Raises:
        UsageError: a class is not among these.
    """
    more = {}
    for name, column in examples.more.items():
        names = known.more_column(name).class_names
        if strange := [each for each in column.class_names if each not in names]:
            raise UsageError(
                f"{examples.name}: the class {strange[0]!r} of {name!r} is not in {known.name}: {', '.join(names[:10])}"
            )
        index = np.array([names.index(each) for each in column.class_names] + [-1], np.int32)  # -1 stays
        more[name] = LabelColumn(index[column.labels], names)
    return dataclasses.replace(examples, more=more)


def as_under(rule: int, form: SourceForm) -> SourceForm:
    """Returns how a source was read when a rule of splitting held: before `BY_CLASS` columns of splits were not."""
    return form if rule >= BY_CLASS else dataclasses.replace(form, split_column="", group_column="")
