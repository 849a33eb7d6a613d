"""How a source of tagged words is read, as one value. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from tfpretune.data.readers.source_form import require_different, require_encoding

_NAMES = ("words_key", "tags_key", "tag_names", "joiner", "encoding")


@dataclasses.dataclass(frozen=True)
class TagForm:
    """Where words and tags stand, and what a tag is. Raises UsageError for values that cannot work.

    Args:
        word_column: number of the column with the word, from 0; from the end where negative (conll).
        tag_column: the same for the tag; None reads no tags, and there may be none.
        words_key: the key of the words (jsonl, parquet).
        tags_key: the key of the tags (jsonl, parquet); "" reads none. "ner_tags" is taken where "tags" is not there, and said.
        tag_names: the tags that are allowed, in the order of their indices. Without it those that are found: O, B-LOC, I-LOC, …
            Entities in another scheme (IOB1, BIOES, BILOU, BMES, IOE, the letter behind the type) are turned into BIO.
        repair: let an I-X that cannot follow be B-X, and the like. Without it such a tag is an error.
        joiner: what stands between words in running text: "" for files with one Chinese character a line.
        encoding: how files of text are encoded, such as "gb18030"; "" is UTF-8.
    """

    word_column: int = 0
    tag_column: int | None = -1
    words_key: str = "tokens"
    tags_key: str = "tags"
    tag_names: tuple[str, ...] = ()
    repair: bool = False
    joiner: str = " "
    encoding: str = ""

    def __post_init__(self) -> None:
        """Refuses values that cannot work, whatever the source."""
        require_different(self.tag_names, "tag_names")
        require_encoding(self.encoding)

    def as_task(self) -> dict[str, Any]:
        """Returns what `task.json` says of how the source was read: the columns, and what is not the default."""
        found = {name: getattr(self, name) for name in _NAMES}
        found = {name: value for name, value in found.items() if value != getattr(TagForm, name)}
        return {"word_column": self.word_column, "tag_column": self.tag_column} | found

    @classmethod
    def from_task(cls, task: Mapping[str, Any]) -> Self:
        """Returns the form that `as_task` stored, of any version."""
        found = {name: task[name] for name in ("word_column", "tag_column", *_NAMES) if name in task}
        return cls(**(found | {"tag_names": tuple(found.get("tag_names", ()))}))


USUAL_TAGS = TagForm()
