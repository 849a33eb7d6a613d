"""How a source of tagged words is read, as one value. Imports no TensorFlow."""

import dataclasses

from tfpretune.data.readers.source_form import require_different


@dataclasses.dataclass(frozen=True)
class TagForm:
    """Where words and tags stand, and what a tag is. Raises UsageError for values that cannot work.

    Args:
        word_column: number of the column with the word, from 0; from the end where negative (conll).
        tag_column: the same for the tag.
        words_key: the key of the words (jsonl).
        tags_key: the key of the tags (jsonl); "" reads none.
        tag_names: the tags that are allowed, in the order of their indices. Without it those that are found: O, B-LOC, I-LOC, …
            Entities in another scheme (IOB1, BIOES, BILOU, BMES, IOE, the letter behind the type) are turned into BIO.
        repair: let an I-X that cannot follow be B-X, and the like. Without it such a tag is an error.
        joiner: what stands between words in running text: "" for files with one Chinese character a line.
    """

    word_column: int = 0
    tag_column: int = -1
    words_key: str = "tokens"
    tags_key: str = "tags"
    tag_names: tuple[str, ...] = ()
    repair: bool = False
    joiner: str = " "

    def __post_init__(self) -> None:
        """Refuses values that cannot work, whatever the source."""
        require_different(self.tag_names, "tag_names")


USUAL_TAGS = TagForm()
