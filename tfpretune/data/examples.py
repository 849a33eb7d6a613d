"""Examples: the one form in which data from any source reaches the rest. Imports no TensorFlow."""

import collections
import dataclasses
import functools
import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.config import RunError, UsageError
from tfpretune.data.splits import PARTS as PARTS
from tfpretune.data.splits import Part as Part
from tfpretune.data.splits import rows_of_split, split_by_digest, split_groups_in_order, split_in_order


@dataclasses.dataclass(frozen=True, eq=False)
class LabelColumn:
    """Labels of their own for the same inputs.

    Args:
        labels: in one of the forms of `Examples.labels`.
        class_names: as `Examples.class_names`.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Texts, pairs of texts or images, with or without labels.

    Args:
        kind: "text" or "image".
        inputs: text: strings. Image: a uint8 array `(n, height, width, channels)` or a list of file paths.
        labels: classes: int32 `(n,)`, each an index into `class_names`. Numbers: float32 `(n,)`. Sets of classes: int32
            `(n, classes)` of 0 and 1. None when unlabelled.
        class_names: the classes, in the order of their indices; () when unlabelled and for numbers.
        where: `(n,)` places for messages: "reviews.csv:17", "folder/cat/3.png", "demo:digits[5]".
        name: the source, such as "demo:bbc".
        licence: what is known of the terms of use.
        groups: `(n,)` optional keys; examples with the same key stay on one side of a split.
        seconds: the second text of each pair, whose first is the input; None where there are no pairs.
        more: further label columns by name, for several tasks on the same inputs.
        in_order: `split` cuts the parts in the order of the source (a newspaper in the order of its days).
        splits: `(n,)` optional names of `PARTS`: the split that the source itself puts each example into.
    """

    kind: str
    inputs: Any
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    where: Sequence[str]
    name: str
    licence: str = ""
    groups: np.ndarray | None = None
    seconds: Sequence[str] | None = None
    more: Mapping[str, LabelColumn] = dataclasses.field(default_factory=dict)
    in_order: bool = False
    splits: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("text", "image"):
            raise ValueError(f'kind must be "text" or "image", received {self.kind!r}')
        columns = {name: getattr(self, name) for name in ("where", "labels", "groups", "seconds", "splits")}
        for field, column in (columns | {name: more.labels for name, more in self.more.items()}).items():
            if column is not None and len(column) != len(self.inputs):
                raise ValueError(
                    f"{field} must have one value an input: expected {len(self.inputs)}, received {len(column)}"
                )
        _require_range(self.labels, self.class_names)
        for more in self.more.values():
            _require_range(more.labels, more.class_names)

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: Sequence[int] | np.ndarray) -> "Examples":
        """Returns the examples at these positions (ints), in this order, or those where a bool array is true."""
        rows = np.asarray(indices)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        positions = rows.tolist()
        return dataclasses.replace(
            self,
            inputs=self.inputs[rows] if isinstance(self.inputs, np.ndarray) else [self.inputs[i] for i in positions],
            labels=None if self.labels is None else self.labels[rows],
            where=[self.where[i] for i in positions],
            groups=None if self.groups is None else self.groups[rows],
            seconds=None if self.seconds is None else [self.seconds[i] for i in positions],
            splits=None if self.splits is None else [self.splits[i] for i in positions],
            more={name: LabelColumn(more.labels[rows], more.class_names) for name, more in self.more.items()},
        )

    @property
    def label_kind(self) -> str:
        """What each label is: "class", "number", "set" (of classes), or "" when unlabelled."""
        if self.labels is None:
            return ""
        if self.labels.ndim == 2:
            return "set"
        return "number" if self.labels.dtype.kind == "f" else "class"

    def with_labels(self, name: str) -> "Examples":
        """Returns the same inputs with one of the further label columns as their labels.

        Raises:
            UsageError: there is no such column.
        """
        if name not in self.more:
            raise UsageError(
                f"{self.name} has no label column {name!r}: it has {', '.join(self.more) or 'no further one'}"
            )
        column = self.more[name]
        return dataclasses.replace(self, labels=column.labels, class_names=column.class_names)

    def keys(self) -> list[bytes]:
        """Returns the sha256 digest of each example's content.

        Texts are compared after NFC, case folding and squeezing of white space; a pair by both texts; arrays by their
        pixels; files by their bytes. Computed once an object.
        """
        return self._keys

    @functools.cached_property
    def _keys(self) -> list[bytes]:
        if self.seconds is not None:
            pairs = zip(self.inputs, self.seconds, strict=True)
            return [hashlib.sha256(text_key(first) + text_key(second)).digest() for first, second in pairs]
        if self.kind == "text":
            return [text_key(text) for text in self.inputs]
        if isinstance(self.inputs, np.ndarray):
            shape = repr(self.inputs.shape[1:]).encode()
            return [hashlib.sha256(shape + image.tobytes()).digest() for image in self.inputs]
        return [_file_key(path) for path in self.inputs]

    def split(self, part: Part, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> "Examples":
        """Returns one part of the examples, chosen by a hash of the content (or of the group, where there are groups).

        Equal contents land in the same part, and so do examples of one group. Rows that are added later move no others.
        Where the examples are `in_order`, the first share is the training part, the next one validation. Where they have
        `splits`, these are the parts; one that they lack is taken from the training part as above, in the same share of it.

        Args:
            part: "train", "validation" or "test".
            fractions: the shares of the three parts, each in [0, 1], together 1. Sizes come out near them, not exact.

        Raises:
            UsageError: for an unknown part, for fractions that are no shares, and for a part that came out empty.
        """
        return self.take(self.split_rows(part, fractions))

    def split_rows(self, part: Part, fractions: tuple[float, float, float]) -> np.ndarray:
        """Returns the int64 positions of the examples that `split` returns; raises as it does."""
        if self.splits is not None:
            own, shares = rows_of_split(self.splits, part, fractions)
            return own[dataclasses.replace(self.take(own), splits=None).split_rows(part, shares)] if shares else own
        if self.in_order and self.groups is None:
            return split_in_order(len(self), part, fractions, self.name)
        if self.in_order and self.groups is not None:
            return split_groups_in_order(self.groups, part, fractions, self.name)
        groups = self.groups
        digests = self.keys() if groups is None else [hashlib.sha256(str(group).encode()).digest() for group in groups]
        return split_by_digest(digests, part, fractions, self.name)

    def without_duplicates(self) -> "Examples":
        """Returns the first of equal contents; contents that come with more than one label are dropped entirely.

        So are those with more than one of any further label.
        """
        columns = [
            column for column in (self.labels, *(more.labels for more in self.more.values())) if column is not None
        ]
        first: dict[bytes, int] = {}
        labels: dict[bytes, set[tuple[bytes, ...]]] = collections.defaultdict(set)
        for row, key in enumerate(self.keys()):
            first.setdefault(key, row)
            labels[key].add(tuple(column[row].tobytes() for column in columns))
        return self.take([row for key, row in first.items() if len(labels[key]) == 1])

    def few_labels(self, per_class: int, seed: int) -> "Examples":
        """Draws the same number of examples from every class, without replacement.

        Args:
            per_class: how many, at least 1.
            seed: the same seed draws the same examples.

        Returns:
            `per_class * len(class_names)` examples, in the order of the source.

        Raises:
            UsageError: when the labels are no classes, or when a class has too few.
        """
        if self.labels is None or self.label_kind != "class":
            what = f"no classes but a {self.label_kind}" if self.label_kind else "no labels"
            raise UsageError(f"{self.name} has {what} for each example: so many of each class cannot be drawn")
        if per_class < 1:
            raise UsageError(f"per_class must be at least 1, received {per_class}")
        generator = np.random.default_rng(seed)
        drawn = []
        for index, class_name in enumerate(self.class_names):
            rows = np.flatnonzero(self.labels == index)
            if len(rows) < per_class:
                raise UsageError(
                    f"class {class_name!r} of {self.name} has {len(rows)} examples, {per_class} wanted: ask for fewer"
                )
            drawn.append(generator.choice(rows, per_class, replace=False))
        return self.take(np.sort(np.concatenate(drawn)))

    @property
    def known_labels(self) -> np.ndarray:
        """The labels; a UsageError where there are none."""
        if self.labels is None:
            raise UsageError(f"{self.name} has no labels, which are needed here: give a labelled source")
        return self.labels

    def sample(self, most: int, seed: int = 0) -> "Examples":
        """Returns at most `most` examples, drawn without replacement, in the order of the source."""
        if len(self) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False)))


def _require_range(labels: np.ndarray | None, class_names: tuple[str, ...]) -> None:
    if labels is None or not len(labels) or labels.dtype.kind == "f":
        return
    top = len(class_names) if labels.ndim == 1 else 2
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= top:
        raise ValueError(f"labels must be in 0..{top - 1}, received {low}..{high}")
    if labels.ndim == 2 and labels.shape[1] != len(class_names):
        raise ValueError(f"labels need one column a class: expected {len(class_names)}, received {labels.shape[1]}")


def text_key(text: str) -> bytes:
    """Returns the sha256 digest of a text after NFC, case folding and squeezing of white space."""
    normal = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    return hashlib.sha256(normal.encode("utf-8", "replace")).digest()


def _file_key(path: str) -> bytes:
    try:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError as error:
        raise RunError(
            f"{path}: cannot be read ({error.strerror}): check that it is there and that you may read it"
        ) from error
