"""What all forms of examples in memory share: rows are taken, drawn, split, freed of copies. Imports no TensorFlow."""

import dataclasses
import functools
import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.splits.rule import (
    BY_CLASS,
    CONTENTS,
    LABELS,
    RULE,
    WITH_COPIES,
    Part,
    Shares,
    part_number,
    shares_within,
    sides_of,
)
from tfpretune.data.splits.sides import Positions, across_splits_note, find_positions, moved_note, too_alike_note
from tfpretune.data.splits.strata import Members, stratified_sides
from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True, eq=False)
class Origin:
    """Rows of a whole source."""

    whole: "ExampleSet"
    rows: np.ndarray

    def take(self, rows: np.ndarray) -> "Origin":
        """Returns some of these rows."""
        return Origin(self.whole, self.rows[rows])


class ExampleSet:
    """Examples of one source.

    A form of examples is a frozen dataclass that names its columns, and says what decides on their sides (`compared`), which
    are the same (`_sameness`), and what a run that goes on must find again (`_contents_and_labels`).
    """

    COLUMNS: ClassVar[tuple[str, ...]]
    """The fields with one value per example, the inputs first; the others may be None. One of columns by name has many."""
    name: str
    origin: Origin | None
    groups: Any = None
    in_order: bool = False
    splits: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Names places that are not given, and refuses columns of different lengths."""
        if "where" in self.COLUMNS and len(self) and not len(getattr(self, "where")):  # noqa: B009  # a field of some
            object.__setattr__(self, "where", [f"{self.name}:{row}" for row in range(1, len(self) + 1)])
        for field in self.COLUMNS[1:]:
            column = getattr(self, field)
            columns = column if isinstance(column, Mapping) else {field: column}
            for name, values in columns.items():
                if values is not None and len(values) != len(self):
                    raise ValueError(
                        f"{name} must have one value an input: expected {len(self)}, received {len(values)}"
                    )

    def __len__(self) -> int:
        return len(getattr(self, self.COLUMNS[0]))

    def take(self, indices: Sequence[int] | np.ndarray | range) -> Self:
        """Returns the examples at these positions (ints), in this order, or those where a bool array is true."""
        rows = np.asarray(indices)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        columns = {name: _rows_of(getattr(self, name), rows) for name in self.COLUMNS}
        origin = self.origin.take(rows) if self.origin is not None else Origin(self, rows)
        return dataclasses.replace(self, **columns, origin=origin)  # type: ignore[type-var]  # each form is a dataclass

    def without_duplicates(self) -> Self:
        """Returns the first of those that are the same."""
        first: dict[Hashable, int] = {}
        for row, same in enumerate(self._sameness()):
            first.setdefault(same, row)
        return self.take(list(first.values()))

    def _sameness(self) -> Iterable[Hashable]:
        """Returns a value for each example that only examples that are the same share."""
        raise NotImplementedError

    def digests(self) -> list[bytes]:
        """Returns the digest of what decides on the side of each example, where it has no group."""
        raise NotImplementedError

    def compared_texts(self) -> Sequence[str] | None:
        """Returns what near copies are looked for in; None: nowhere."""
        raise NotImplementedError

    def members(self) -> Members | None:
        """Returns the classes of the examples of a whole source, which each part is to hold; None where there are none."""
        return None

    def _places(self) -> Positions:
        """Works out the places of a whole source; see `find_positions`."""
        texts = self.compared_texts()
        return find_positions(self.digests, texts=texts, groups=self.groups, in_order=self.in_order)

    @functools.cached_property
    def places(self) -> Positions:
        """The positions of these examples, and the near copies in the whole source that they come from."""
        if self.origin is not None:
            whole = self.origin.whole.places
            return Positions(whole.positions[self.origin.rows], whole.copies)
        return self._places()

    def split(self, part: Part, fractions: Shares = (0.8, 0.1, 0.1), *, rule: int = RULE) -> Self:
        """Returns one part of the examples.

        Which part an example belongs to is decided by the source that it was opened from: by a hash of its content, or of its
        group where there are groups; where the source is `in_order`, its first share is the training split, the next one
        validation. Equal contents, examples of a group and near copies (`near_copies`) are on one side: in a source that is
        in order on that of the first of them. A class of few examples is in every part if it has three (`splits.strata`).
        Rows that are added later move no others but near copies of theirs and some of a class of few examples.

        Args:
            part: "train", "validation" or "test".
            fractions: the fractions of the three parts, each in [0, 1], together 1. Sizes come out near them, not exact.
            rule: `splits.rule.RULE`, or one of before for what was made under it.

        Raises:
            UsageError: for an unknown part, for fractions that are not fractions, and for a part that came out empty.
        """
        return self.take(self.split_rows(part, fractions, rule=rule))

    def split_rows(self, part: Part, fractions: Shares, *, rule: int = RULE) -> np.ndarray:
        """Returns the int64 positions among these examples of those that `split` returns; raises as it does."""
        number = part_number(part, fractions)
        if part == "train":
            self._say_what_is_odd(fractions, rule)
        chosen = np.flatnonzero(self.sides(fractions, rule=rule) == number + 1)
        if not len(chosen) and fractions[number] > 0:
            size, share = len(self), fractions[number]
            raise UsageError(
                f"the {part} split of {self.name} is empty ({size} examples, fraction {share:g}): "
                "give more data or other fractions"
            )
        return chosen

    def _say_what_is_odd(self, fractions: Shares, rule: int) -> None:
        moved = int(np.count_nonzero(self.sides(fractions, rule=rule) != self.sides(fractions, rule=WITH_COPIES)))
        for note in (
            too_alike_note(self.places.copies) if self.places.copies.too_alike else "",
            across_splits_note(copies) if (copies := len(self.copies_of_training())) else "",
            moved_note(moved) if moved else "",
        ):
            if note:
                print(f"note: {self.name}: {note}", flush=True)

    def sides(self, fractions: Shares, *, rule: int = RULE) -> np.ndarray:
        """Returns the part of each example as `sides_of` does; examples of the source's own splits keep to them."""
        if self.origin is not None:
            return self.origin.whole.sides(fractions, rule=rule)[self.origin.rows]
        by_class = rule >= BY_CLASS and not self.in_order
        if (fractions, by_class) not in self._found_sides:
            members = self.members() if by_class else None
            self._found_sides[fractions, by_class] = self._work_out_sides(fractions, members)
        return self._found_sides[fractions, by_class]

    @functools.cached_property
    def _found_sides(self) -> dict[tuple[Shares, bool], np.ndarray]:
        return {}

    def _work_out_sides(self, fractions: Shares, members: Members | None) -> np.ndarray:
        positions, sides = self.places.positions, np.zeros(len(self), np.uint8)
        own = np.array(self.splits or [""] * len(self), object)
        present = set(self.splits or ())
        for split in present or {""}:
            inside = np.flatnonzero(own == split)
            some, shares = positions[inside], shares_within(split or None, present, fractions)
            one = sides_of(some, shares) if members is None else stratified_sides(some, shares, members.take(inside))
            sides[inside] = one
        return sides

    def copies_of_training(self) -> np.ndarray:
        """Returns the positions of examples that the source's own splits hold out and that are (nearly) training examples."""
        if self.splits is None:
            return np.zeros(0, np.int64)
        train, positions = np.asarray(self.splits) == "train", self.places.positions
        return np.flatnonzero(~train & np.isin(positions, positions[train]))

    def near_copies(self) -> dict[str, int]:
        """Counts the near copies in the whole source, for reports; they stay on one side but of the source's own splits."""
        whole = self if self.origin is None else self.origin.whole
        across = {} if whole.splits is None else {"near_copies_across_splits": len(whole.copies_of_training())}
        return whole.places.copies.facts() | across

    def fingerprint(self) -> dict[str, str]:
        """Returns short texts that change with the contents, or the labels, or the order of the examples, not with their place.

        A run that goes on must find the same; see `tfpretune.training.loop.fingerprint`.
        """
        contents, labels = self._contents_and_labels()
        found = {CONTENTS: f"{len(self):,}, sha256 {_digest_of(contents)}"}
        return found if labels is None else found | {LABELS: f"sha256 {_digest_of(labels)}"}

    def _contents_and_labels(self) -> tuple[Iterable[bytes], Iterable[bytes] | None]:
        """Returns each content in bytes, and each label, or None where there are none."""
        raise NotImplementedError

    def sample(self, most: int, seed: int = 0) -> Self:
        """Returns at most `most` examples, drawn without replacement, in the order of the source."""
        if len(self) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False)))


def _rows_of(column: Any, rows: np.ndarray) -> Any:
    """Returns the values of a column at these rows, in the form that it has."""
    if column is None:
        return None
    if isinstance(column, Mapping):
        return {name: _rows_of(each, rows) for name, each in column.items()}
    if isinstance(column, ExampleSet | LabelColumn):
        return column.take(rows)
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows.tolist()]


def _digest_of(items: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(len(item).to_bytes(8, "little") + item)
    return digest.hexdigest()[:16]


def in_bytes(*texts: str) -> bytes:
    """Returns texts in bytes, each with its length, so that no two lists of texts give the same."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(len(each).to_bytes(8, "little") + each for each in encoded)
