"""Train, validation and test split of a labelled source."""

import dataclasses

from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.source_form import USUAL_FORM, SourceForm
from tfpretune.data.sources.examples import open_examples
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

    Examples:
        >>> from tfpretune.data import labelled_splits
        >>> parts = labelled_splits("demo:digits")
        >>> sum(len(part) for part in (parts.train, parts.validation, parts.test))
        1797
        >>> bool(set(parts.train.keys()) & set(parts.test.keys()))
        False
    """

    train: Examples
    validation: Examples
    test: Examples
    form: SourceForm = USUAL_FORM

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of all parts, in the order of their indices."""
        return self.train.class_names


def labelled_splits(
    source: str, form: SourceForm = USUAL_FORM, *, labels_per_class: int = 0, most: int = 0, seed: int = 0
) -> LabelledSplits:
    """Opens a source, drops duplicates and splits it as `Examples.split` says, 80/10/10. Prints what was averaged or dropped.

    Args:
        source: as `open_source` takes it.
        form: how it is read. Its `label_column` is "" where the further columns hold all labels that are wanted.
        labels_per_class: keep only so many training examples of each class; 0 keeps all.
        most: keep at most so many examples of each part, for rehearsals; 0 keeps all.
        seed: decides both draws.

    Returns:
        The parts; which of them an example is in follows from its content, not from `seed`.

    Raises:
        UsageError: the source is unlabelled, lacks a column, has fewer than two classes, or a class too few examples.

    Examples:
        >>> from tfpretune.data import labelled_splits
        >>> parts = labelled_splits("demo:digits", labels_per_class=5)
        >>> len(parts.train), len(parts.train) + len(parts.validation) + len(parts.test) < 1797
        (50, True)
        >>> parts.class_names
        ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    """
    opened = open_examples(source, form)
    examples = opened.without_duplicates()
    for note in examples.notes[len(opened.notes) :]:
        tell(f"{source}: {note}")
    least = {"regression": 0, "multi-label": 1}.get(examples.label_kind, 2)
    if form.label_column and len(examples.class_names) < least:
        found = "".join(f" ({note})" for note in examples.notes if "`label_column`" in note)
        raise UsageError(
            f"`source` {source} has {len(examples.class_names)} classes: labels of at least {least} are needed{found}"
        )
    for name in form.more_labels:
        if (classes := len(examples.more[name].class_names)) < 2:
            raise UsageError(f"`source` {source} has {classes} classes in the column {name!r}: at least 2 are needed")
    train, validation, test = examples.split("train"), examples.split("validation"), examples.split("test")
    if labels_per_class:
        train = train.few_labels(labels_per_class, seed)
    if most:
        train, validation, test = (part.sample(most, seed=seed) for part in (train, validation, test))
    read = dataclasses.replace(form, label_kind=examples.label_kind, **examples.taken)
    return LabelledSplits(train, validation, test, read)
