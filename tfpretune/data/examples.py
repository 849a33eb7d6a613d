"""Examples: the one form in which data from any source reaches the rest. Imports no TensorFlow."""

import collections
import dataclasses
import functools
import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfpretune.config import RunError, UsageError

PARTS = ("train", "validation", "test")
Part = Literal["train", "validation", "test"]


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Texts or images with or without labels.

    Args:
        kind: "text" or "image".
        inputs: text: strings. Image: a uint8 array `(n, height, width, channels)` or a list of file paths.
        labels: int32 `(n,)`, each an index into `class_names`; None when unlabelled.
        class_names: the classes, in the order of their indices; () when unlabelled.
        where: `(n,)` places for messages: "reviews.csv:17", "folder/cat/3.png", "demo:digits[5]".
        name: the source, such as "demo:bbc".
        licence: what is known of the terms of use.
        groups: `(n,)` optional keys; examples with the same key stay on one side of a split.
    """

    kind: str
    inputs: Any
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    where: Sequence[str]
    name: str
    licence: str = ""
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("text", "image"):
            raise ValueError(f'kind must be "text" or "image", received {self.kind!r}')
        columns = {"where": self.where, "labels": self.labels, "groups": self.groups}
        for field, column in columns.items():
            if column is not None and len(column) != len(self.inputs):
                raise ValueError(
                    f"{field} must have one value an input: expected {len(self.inputs)}, received {len(column)}"
                )
        if self.labels is not None and len(self.labels):
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= len(self.class_names):
                raise ValueError(f"labels must be in 0..{len(self.class_names) - 1}, received {low}..{high}")

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
        )

    def keys(self) -> list[bytes]:
        """Returns the sha256 digest of each example's content.

        Texts are compared after NFC, case folding and squeezing of white space; arrays by their pixels; files by
        their bytes. Computed once an object.
        """
        return self._keys

    @functools.cached_property
    def _keys(self) -> list[bytes]:
        if self.kind == "text":
            return [text_key(text) for text in self.inputs]
        if isinstance(self.inputs, np.ndarray):
            shape = repr(self.inputs.shape[1:]).encode()
            return [hashlib.sha256(shape + image.tobytes()).digest() for image in self.inputs]
        return [_file_key(path) for path in self.inputs]

    def split(self, part: Part, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> "Examples":
        """Returns one part of the examples, chosen by a hash of the content (or of the group, where there are groups).

        Equal contents land in the same part, and so do examples of one group. Rows that are added later move no others.

        Args:
            part: "train", "validation" or "test".
            fractions: the shares of the three parts, each in [0, 1], together 1. Sizes come out near them, not exact.

        Raises:
            UsageError: for an unknown part, for fractions that are no shares, and for a part that came out empty.
        """
        if part not in PARTS:
            raise UsageError(f"unknown part {part!r}: expected one of {', '.join(PARTS)}")
        if len(fractions) != 3 or min(fractions) < 0 or not abs(sum(fractions) - 1) < 1e-6:
            raise UsageError(
                f"fractions must be three shares (train, validation, test) that sum to 1, received {fractions}"
            )
        if self.groups is None:
            digests = self.keys()
        else:
            digests = [hashlib.sha256(str(group).encode()).digest() for group in self.groups]
        positions = np.frombuffer(b"".join(digest[:8] for digest in digests), ">u8") / 2.0**64  # even in [0, 1)
        number = PARTS.index(part)
        bounds = (0.0, fractions[0], fractions[0] + fractions[1], 2.0)
        chosen = np.flatnonzero((positions >= bounds[number]) & (positions < bounds[number + 1]))
        if number == 2 and fractions[2] == 0:
            chosen = chosen[:0]
        if not len(chosen) and fractions[number] > 0:
            raise UsageError(
                f"the {part} part of {self.name} is empty ({len(self)} examples, share {fractions[number]:g}): "
                "give more data or other fractions"
            )
        return self.take(chosen)

    def without_duplicates(self) -> "Examples":
        """Returns the first of equal contents; contents that come with more than one label are dropped entirely."""
        first: dict[bytes, int] = {}
        labels = collections.defaultdict(set)
        for row, key in enumerate(self.keys()):
            first.setdefault(key, row)
            labels[key].add(0 if self.labels is None else int(self.labels[row]))
        return self.take([row for key, row in first.items() if len(labels[key]) == 1])

    def few_labels(self, per_class: int, seed: int) -> "Examples":
        """Draws the same number of examples from every class, without replacement.

        Args:
            per_class: how many, at least 1.
            seed: the same seed draws the same examples.

        Returns:
            `per_class * len(class_names)` examples, in the order of the source.

        Raises:
            UsageError: when unlabelled, or when a class has too few.
        """
        if self.labels is None:
            raise UsageError(f"{self.name} has no labels: few_labels needs a labelled source")
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
