"""Train, validation and test part of a labelled source."""

import dataclasses

from tfpretune.config import UsageError
from tfpretune.data.examples import Examples
from tfpretune.data.sources import open_source


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledParts:
    """The three parts of one labelled source; no content stands in two of them."""

    train: Examples
    validation: Examples
    test: Examples

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of all parts, in the order of their indices."""
        return self.train.class_names


def labelled_parts(source: str, *, labels_per_class: int = 0, most: int = 0, seed: int = 0) -> LabelledParts:
    """Opens a source, drops duplicates and splits it by content, 80/10/10.

    Args:
        source: as `open_source` takes it.
        labels_per_class: keep only so many training examples of each class; 0 keeps all.
        most: keep at most so many examples of each part, for rehearsals; 0 keeps all.
        seed: decides both draws.

    Raises:
        UsageError: the source has fewer than two classes, or a class too few examples.
    """
    examples = open_source(source).without_duplicates()
    if len(examples.class_names) < 2:
        raise UsageError(f"--source {source} has {len(examples.class_names)} classes: labels of at least 2 are needed")
    train, validation, test = examples.split("train"), examples.split("validation"), examples.split("test")
    if labels_per_class:
        train = train.few_labels(labels_per_class, seed)
    if most:
        train, validation, test = (part.sample(most, seed=seed) for part in (train, validation, test))
    return LabelledParts(train, validation, test)
