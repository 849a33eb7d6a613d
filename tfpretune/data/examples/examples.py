"""Examples: the one form in which data from any source reaches the rest. Imports no TensorFlow."""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np

from tfpretune.data.examples.base import ExampleSet, Origin, in_bytes
from tfpretune.data.examples.kinds import KINDS, InputKind
from tfpretune.data.examples.merging import merge
from tfpretune.data.image.fitting import Resize
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.readers.source_form import LABEL_WORDS, LabelKind
from tfpretune.data.splits.rule import PARTS as PARTS
from tfpretune.data.splits.strata import Members, members_of
from tfpretune.data.text.cleaning import text_key
from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Examples(ExampleSet):
    """Texts, pairs of texts or images, with or without labels.

    Args:
        kind: what the inputs are, of `KINDS`: "text" or "image".
        inputs: text: strings. Image: a uint8 array `(n, height, width, channels)` or a list of file paths.
        labels: classes: int32 `(n,)`, each an index into `class_names`. Numbers: float32 `(n,)`. Sets of classes: int32
            `(n, classes)` of 0 and 1. None when unlabelled.
        class_names: the classes, in the order of their indices; () when unlabelled and for numbers.
        where: `(n,)` places for messages: "reviews.csv:17", "folder/cat/3.png", "demo:digits[5]"; () counts them: "NAME:1", ….
        name: the source, such as "demo:bbc".
        license: what is known of the terms of use.
        groups: `(n,)` optional keys; examples with the same key stay on one side of a split.
        seconds: the second text of each pair, whose first is the input; None where there are no pairs.
        more: further label columns by name, for several tasks on the same inputs.
        in_order: `split` cuts the parts in the order of the source (a newspaper in the order of its days).
        notes: how the source was read, where it could be read in another way.
        origin: the whole source that these were taken from, which decides how they are split; None: this is it.
        splits: `(n,)` optional names of `PARTS`: the split that the source itself puts each example into.
        taken: columns that were found without having been asked for: field of `SourceForm` -> column.
        resize: how images of other aspect ratios are brought to a model's size (`image.fitting.axes`).
        some_labels: where `labels` are not read or rows lack them: classes for `split` alone, -1 for none, or sets.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import Examples
        >>> texts, labels = ["It works", "It broke", "Works well"], np.array([1, 0, 1], "int32")
        >>> examples = Examples("text", texts, labels, ("no", "yes"), name="mine")
        >>> examples
        <Examples of mine: 3 texts, 2 classes (no, yes)>
        >>> examples.take(labels == 0).inputs, len(examples.few_labels(1, seed=0))
        (['It broke'], 2)
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "inputs",
        "labels",
        "where",
        "groups",
        "seconds",
        "more",
        "splits",
        "some_labels",
    )

    kind: str
    inputs: Any
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    where: Sequence[str] = ()
    name: str = "examples"
    license: str = ""
    groups: np.ndarray | None = None
    seconds: Sequence[str] | None = None
    more: Mapping[str, LabelColumn] = dataclasses.field(default_factory=dict)
    in_order: bool = False
    notes: tuple[str, ...] = ()
    origin: Origin | None = dataclasses.field(default=None, repr=False)
    splits: Sequence[str] | None = None
    taken: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    resize: Resize = "squeeze"
    some_labels: np.ndarray | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be {' or '.join(map(repr, KINDS))}, received {self.kind!r}")
        super().__post_init__()
        _require_range(self.labels, self.class_names)
        for more in self.more.values():
            _require_range(more.labels, more.class_names, lowest=-1)

    def __repr__(self) -> str:
        pairs = "pairs of " if self.seconds is not None else ""
        labels = {"single": _listed("classes", self.class_names), "multi-label": _listed("labels", self.class_names)}
        labelled = {"regression": "numbers", "": "no labels"}.get(self.label_kind) or labels[self.label_kind]
        more = f", more labels: {', '.join(self.more)}" if self.more else ""
        return f"<Examples of {self.name}: {len(self):,} {pairs}{self.kind}s, {labelled}{more}>"

    @property
    def of_kind(self) -> InputKind:
        """What is the same for all inputs of this kind."""
        return KINDS[self.kind]

    def require_kind(self, kind: str, argument: str = "source") -> Self:
        """Returns these examples if they are of one kind.

        Args:
            kind: of `KINDS`.
            argument: what named their source.

        Raises:
            UsageError: they are of another kind.
        """
        if self.kind != kind:
            raise UsageError(f"`{argument}` {self.name} holds {self.kind} examples, expected {kind}")
        return self

    @property
    def label_kind(self) -> LabelKind | Literal[""]:
        """What each label is: "single", "regression", "multi-label" (of classes), or "" when unlabelled."""
        if self.labels is None:
            return ""
        if self.labels.ndim == 2:
            return "multi-label"
        return "regression" if self.labels.dtype.kind == "f" else "single"

    def with_labels(self, name: str) -> "Examples":
        """Returns the inputs that have a label in one of the further label columns, with that as their label.

        Raises:
            UsageError: there is no such column.
        """
        column = self.more_column(name)
        known = self.take(column.labels >= 0)
        return dataclasses.replace(known, labels=known.more[name].labels, class_names=column.class_names)

    def more_column(self, name: str) -> LabelColumn:
        """Returns one of the further label columns.

        Raises:
            UsageError: there is no such column.
        """
        if name not in self.more:
            raise UsageError(
                f"{self.name} has no label column {name!r}: it has {', '.join(self.more) or 'no further one'}"
            )
        return self.more[name]

    def keys(self) -> list[bytes]:
        """Returns the sha256 digest of each content, computed once.

        Texts after NFC, case folding and squeezing of white space; pairs by both; arrays by pixels; files by bytes.
        """
        return self._keys

    @functools.cached_property
    def _keys(self) -> list[bytes]:
        if self.seconds is not None:
            pairs = zip(self.inputs, self.seconds, strict=True)
            return [hashlib.sha256(text_key(first) + text_key(second)).digest() for first, second in pairs]
        whole = self.origin.whole if self.origin else None
        if (
            self.origin and isinstance(whole, Examples) and not isinstance(self.inputs, np.ndarray)
        ):  # a file is read once
            rows = self.origin.rows.tolist()
            if all(whole.inputs[row] == path for row, path in zip(rows, self.inputs, strict=True)):
                return [whole._keys[row] for row in rows]
        return self.of_kind.keys(self.inputs)

    digests = keys

    def members(self) -> Members | None:
        """Returns the classes, those of further columns as well; None where the labels are numbers, or there are none."""
        return members_of(self.labels, self.some_labels, *(more.labels for more in self.more.values()))

    def compared_texts(self) -> Sequence[str] | None:
        """Returns what near copies are looked for in: each text, or both of a pair; None for images."""
        texts = self.of_kind.texts
        if texts is None or self.seconds is None:
            return texts and texts(self.inputs)
        return [f"{first}\n{second}" for first, second in zip(self.inputs, self.seconds, strict=True)]

    def _contents_and_labels(self) -> tuple[Iterable[bytes], Iterable[bytes] | None]:
        columns = [self.labels, *(self.more[name].labels for name in sorted(self.more))]
        known = [column for column in columns if column is not None]
        labels = (b"".join(column[row].tobytes() for column in known) for row in range(len(self)))
        contents: Iterable[bytes] = self.keys()
        if self.seconds is not None:
            contents = itertools.starmap(in_bytes, zip(self.inputs, self.seconds, strict=True))
        elif self.of_kind.exact:
            contents = map(self.of_kind.exact, self.inputs)
        return contents, labels if known else None

    def near_copies(self) -> dict[str, int]:
        """Counts near copies as `ExampleSet.near_copies` does; of images none are looked for."""
        return super().near_copies() if self.of_kind.texts else {}

    def without_duplicates(self) -> "Examples":
        """Returns the first of equal contents. Numbers are averaged; contents with two classes or sets are dropped entirely.

        So are those with two of any further label; a further label that only a copy has is kept.
        """
        columns = {name: more.labels for name, more in self.more.items()}
        kept = merge(self.keys(), self.labels, columns)
        merged = self.take(kept.rows)
        more = {name: LabelColumn(kept.more[name], each.class_names) for name, each in self.more.items()}
        notes = (*self.notes, *kept.notes(self.kind, self.where))
        return dataclasses.replace(merged, labels=kept.labels, more=more, notes=notes)

    def few_labels(self, per_class: int, seed: int) -> "Examples":
        """Draws so many examples of every class without replacement, and returns them in the order of the source.

        Args:
            per_class: how many, at least 1.
            seed: the same seed draws the same examples.

        Raises:
            UsageError: when the labels are not classes, or when a class has too few.
        """
        if self.labels is None or self.label_kind != "single":
            what = f"no classes but a {LABEL_WORDS[self.label_kind]}" if self.label_kind else "no labels"
            raise UsageError(f"{self.name} has {what} for each example: that number per class cannot be drawn")
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


def _require_range(labels: np.ndarray | None, class_names: tuple[str, ...], *, lowest: int = 0) -> None:
    if labels is None or not len(labels) or labels.dtype.kind == "f":
        return
    top = len(class_names) if labels.ndim == 1 else 2
    low, high = int(labels.min()), int(labels.max())
    if low < lowest or high >= top:
        raise ValueError(f"labels must be in {lowest}..{top - 1}, received {low}..{high}")
    if labels.ndim == 2 and labels.shape[1] != len(class_names):
        raise ValueError(f"labels need one column per class: expected {len(class_names)}, received {labels.shape[1]}")


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{len(names)} {what} ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})"
