"""Sentences whose words have tags. Imports no TensorFlow."""

import dataclasses
import functools
from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

import numpy as np

from tfpretune.data.examples.base import ExampleSet, Origin, in_bytes
from tfpretune.data.readers.tag_schemes import OUTSIDE
from tfpretune.data.text.cleaning import text_key
from tfpretune.errors import UsageError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TaggedExamples(ExampleSet):
    """Sentences as words, each word with a tag. Equal sentences with different tags are not the same: taggers meet both.

    Args:
        words: the words of each sentence.
        tags: int32 `(words,)` a sentence, indices into `tag_names`; None when untagged.
        tag_names: the tags, in the order of their indices; () when untagged.
        where: the place of each sentence, for messages: "train.conll:17"; () counts them: "NAME:1", ….
        name: the source.
        license: what is known of the terms of use.
        joiner: what stands between words in the running text: " ", or "" where each character is a word.
        in_order: the parts are cut in the order of the source (a newspaper in the order of its days), not drawn.
        notes: how the source was read, where it could be read in another way.
        origin: the whole source that these were taken from, which decides how they are split; None: this is it.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import TaggedExamples
        >>> tags = [np.array([1, 2, 0], "int32")]
        >>> examples = TaggedExamples([("New", "York", "sleeps")], tags, ("O", "B-LOC", "I-LOC"), ["mine:1"], "mine")
        >>> examples.texts(), examples.offsets(0).tolist(), examples.tag_lists()
        (['New York sleeps'], [[0, 3], [4, 8], [9, 15]], [['B-LOC', 'I-LOC', 'O']])
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("words", "tags", "where")

    words: Sequence[tuple[str, ...]]
    tags: Sequence[np.ndarray] | None
    tag_names: tuple[str, ...]
    where: Sequence[str] = ()
    name: str = "examples"
    license: str = ""
    joiner: str = " "
    in_order: bool = False
    notes: tuple[str, ...] = ()
    origin: Origin | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for row, tags in enumerate(self.tags or ()):
            if len(tags) != len(self.words[row]):
                raise ValueError(
                    f"{self.where[row]}: tags need one value per word: {len(self.words[row])} words, {len(tags)} tags"
                )
        if self.tags:
            flat = np.concatenate(self.tags)
            if len(flat) and not (flat.min() >= 0 and flat.max() < len(self.tag_names)):
                raise ValueError(f"tags must be in 0..{len(self.tag_names) - 1}, received {flat.min()}..{flat.max()}")

    def __repr__(self) -> str:
        tags = f"{len(self.tag_names)} tags" if self.tags is not None else "no tags"
        return f"<TaggedExamples of {self.name}: {len(self):,} sentences, {sum(map(len, self.words)):,} words, {tags}>"

    def texts(self) -> list[str]:
        """Returns the sentences as running text."""
        return [self.joiner.join(words) for words in self.words]

    def offsets(self, row: int) -> np.ndarray:
        """Returns where the words of a sentence stand in its running text: int32 `(words, 2)`, start and end character."""
        lengths = np.array([len(word) for word in self.words[row]], np.int32)
        ends = np.cumsum(lengths + len(self.joiner), dtype=np.int32) - len(self.joiner)
        return np.stack([ends - lengths, ends], 1)

    def tag_lists(self) -> list[list[str]]:
        """Returns the tags of all sentences by name."""
        return self.names_of(self.known_tags)

    def names_of(self, tags: Sequence[np.ndarray]) -> list[list[str]]:
        """Turns indices, such as predictions, into tag names; `(words,)` a sentence."""
        return [[self.tag_names[tag] for tag in sentence] for sentence in tags]

    @property
    def known_tags(self) -> Sequence[np.ndarray]:
        """The tags; a UsageError where there are none."""
        if self.tags is None:
            raise UsageError(f"{self.name} has no tags, which are needed here: give a tagged source")
        return self.tags

    def _sameness(self) -> Iterable[Hashable]:
        tags = self._tag_bytes()
        return self._keys if tags is None else zip(self._keys, tags, strict=True)

    def digests(self) -> list[bytes]:
        """Returns a digest of the words of each sentence."""
        return self._keys

    def compared_texts(self) -> Sequence[str]:
        """Returns the sentences as running text."""
        return self.texts()

    def _contents_and_labels(self) -> tuple[Iterable[bytes], Iterable[bytes] | None]:
        return (in_bytes(*words) for words in self.words), self._tag_bytes()

    def _tag_bytes(self) -> list[bytes] | None:
        return None if self.tags is None else [tags.astype("<i4").tobytes() for tags in self.tags]

    @functools.cached_property
    def _keys(self) -> list[bytes]:
        return [text_key(" ".join(words)) for words in self.words]


def is_bio(tag_names: Sequence[str]) -> bool:
    """Returns whether tags are of the BIO scheme: "O", "B-X" and "I-X", with one B- or I- at least.

    Examples:
        >>> from tfpretune.data import is_bio
        >>> is_bio(("O", "B-LOC", "I-LOC")), is_bio(("NOUN", "VERB"))
        (True, False)
    """
    spans = [name for name in tag_names if name[:2] in ("B-", "I-") and len(name) > 2]
    return bool(spans) and all(name == OUTSIDE or name in spans for name in tag_names)


def order_tags(found: set[str]) -> tuple[str, ...]:
    """Returns tag names in the order of their indices: BIO tags as O, B-LOC, I-LOC, …, both for each type; others sorted."""
    if not is_bio(sorted(found)):
        return tuple(sorted(found))
    kinds = sorted({name[2:] for name in found} - {""})
    return (OUTSIDE, *(prefix + kind for kind in kinds for prefix in ("B-", "I-")))


def continued(tag_names: Sequence[str]) -> np.ndarray:
    """Returns the tag with which a word goes on after its first part: B-X and I-X -> I-X, others stay; int32 `(tags,)`."""
    index = {name: number for number, name in enumerate(tag_names)}
    return np.array([index.get(f"I-{name[2:]}", n) if name[:2] == "B-" else n for name, n in index.items()], np.int32)
