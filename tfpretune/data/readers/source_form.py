"""How a source of examples is read, as one value. Imports no TensorFlow."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from tfpretune.data.image.fitting import RESIZES, Resize
from tfpretune.errors import UsageError

DEFAULT_TEXT = "text"
DEFAULT_LABEL = "label"
LabelKind = Literal["single", "regression", "multi-label"]
LABEL_KINDS = ("single", "regression", "multi-label")
LABEL_WORDS = {"single": "class", "regression": "number", "multi-label": "set"}
"""Kind -> what messages call such a label."""
DEFAULT_SPLIT = "split"
BlankLabels = Literal["", "unlabelled", "empty-set"]
_COLUMNS = ("text_column", "label_column", "pair_column", "image_column", "split_column", "group_column")
_FILES = ("image_folder", "delimiter", "encoding")
_STORED = (*_COLUMNS, *_FILES, "label_separator", "labels_as_written", "blank_labels", "resize")
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


@dataclasses.dataclass(frozen=True)
class SourceForm:
    """Which columns of a source are read, and what a label is. Raises UsageError for values that cannot work.

    Args:
        text_column: name of the column, key or feature with the text (csv, jsonl, parquet, tfds). Of several the texts are
            joined, a line for each; blank ones are passed over. Where the default is missing, the one column of `TEXT_NAMES`
            (`readers.tables.columns`) is taken, and said. `data.body` is the key `body` in the object `data`,
            `answers.0` the first of a list.
        label_column: the same for the label; "" reads no labels, of folders neither (of a demo they are read, and not doubted).
            The default may be missing: then the one column of `LABEL_NAMES` is taken, and said, or there are no labels,
            unless `more_labels` asks for others.
        pair_column: name of the column or key with the second text of each pair, such as "text_pair"; "" for single texts
            (csv, jsonl, parquet, tfds). A demo of pairs has its own.
        image_column: name of the column with the paths of image files, in the place of texts; "" for none.
        delimiter: what separates the columns of a csv file: a character, or "tab". "" takes a tab for .tsv, else a comma, or
            what separates the header where that has no comma.
        encoding: how files of text are encoded, such as "gb18030"; "" is UTF-8.
        label_kind: "single"; "regression", a float each; "multi-label", several classes or none: "a;b" in csv and jsonl, or a
            list in jsonl. "" takes what the source says, which is "single" for files.
        label_separator: between the classes of a set.
        labels_as_written: take every spelling for a class of its own. Otherwise labels that look missing (nan, N/A), that look
            alike (1 and 01, Sport and sport), or that look like numbers or sets where no kind is given, are refused.
        may_lack: rows may lack a further label; it is -1 then.
        blank_labels: what a blank label is where labels are sets of classes: "unlabelled", a row that nobody has labelled, or
            "empty-set", a set without a class. "" takes the second in csv and the first for a null in jsonl, and asks where
            more than half are blank. A blank class or number is always a row without a label.
        image_folder: where the paths of an image column begin; "" is the folder of the table.
        split_column: name of the column that says which split a row is of: train, val, test, …. The default may be missing;
            "" reads none (csv, jsonl, parquet), and of tfds the training split alone.
        group_column: name of the column with the group of a row, such as a patient or an author, which is never on two sides
            of a split; "" for none (csv, jsonl, parquet).
        class_names: the classes that are allowed, in the order of their indices. Labels may then be names, or
            numbers from 0. Without it: the sorted labels (as numbers if all are whole), or the order that tfds gives.
        more_labels: columns, keys or features with further labels of the same texts, a class each (csv, jsonl, tfds): they
            become `Examples.more`. The label column must then be there, too. A demo has its own, asked for or not.
        resize: how images of other aspect ratios are brought to a model's size: "squeeze", "crop" or "pad"
            (`image.fitting.axes`).
    """

    text_column: str | tuple[str, ...] = DEFAULT_TEXT
    label_column: str = DEFAULT_LABEL
    pair_column: str = ""
    image_column: str = ""
    delimiter: str = ""
    encoding: str = ""
    label_kind: LabelKind | Literal[""] = ""
    label_separator: str = ";"
    labels_as_written: bool = False
    may_lack: bool = False
    blank_labels: BlankLabels = ""
    image_folder: str = ""
    split_column: str = DEFAULT_SPLIT
    group_column: str = ""
    class_names: tuple[str, ...] = ()
    more_labels: tuple[str, ...] = ()
    resize: Resize = "squeeze"

    def __post_init__(self) -> None:
        """Refuses values that cannot work, whatever the source."""
        if self.label_kind not in ("", *LABEL_KINDS):
            raise UsageError(f"unknown kind of labels {self.label_kind!r}: expected one of {', '.join(LABEL_KINDS)}")
        if self.label_kind == "multi-label" and not self.label_separator:
            raise UsageError("the separator between the classes of a set is empty: give one, such as ;")
        if self.resize not in RESIZES:
            raise UsageError(f"`resize` must be one of {', '.join(RESIZES)}, received {self.resize!r}")
        require_different(self.class_names, "class_names")
        texts = self.text_columns
        if not texts or "" in texts:
            raise UsageError("`text_column` is empty: name the column, key or feature with the texts")
        require_different(texts, "`text_column`")
        object.__setattr__(self, "text_column", texts[0] if len(texts) == 1 else texts)
        object.__setattr__(self, "delimiter", _DELIMITERS.get(self.delimiter, self.delimiter))
        if len(self.delimiter) > 1 or self.delimiter in ("\n", "\r", '"'):
            raise UsageError(f"`delimiter` must be one character, or tab, received {self.delimiter!r}")
        require_encoding(self.encoding)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns whose texts are joined."""
        return (self.text_column,) if isinstance(self.text_column, str) else tuple(self.text_column)

    @property
    def doubts_labels(self) -> bool:
        """Whether the labels of the source may be refused for how they are written."""
        return bool(self.label_column) and not self.labels_as_written

    @property
    def needed_labels(self) -> tuple[str, ...]:
        """The label columns that must be there."""
        own = bool(self.label_column) and (self.label_column != DEFAULT_LABEL or bool(self.more_labels))
        return (self.label_column, *self.more_labels) if own else self.more_labels

    def options(self, *always: str) -> str:
        """Returns the options of `tfpretune check` that make this form, a blank before each; some even where they are usual."""
        found = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            usual = value == field.default and field.name not in always
            if usual or field.name in ("class_names", "more_labels", "resize"):
                continue
            words = value if isinstance(value, tuple) else () if value is True else (value,)
            found.append(" ".join([f"--{field.name.replace('_', '-')}", *map(shlex.quote, words)]))
        return "".join(f" {option}" for option in found)

    def as_task(self) -> dict[str, Any]:
        """Returns what `task.json` says of how the source was read: what is not the default; of sets the separator as well.

        What a label is, and the classes, follow from the model and stand there anyway.
        """
        found = {name: getattr(self, name) for name in _STORED if getattr(self, name) != getattr(SourceForm, name)}
        return found | ({"label_separator": self.label_separator} if self.label_kind == "multi-label" else {})

    @classmethod
    def from_task(cls, task: Mapping[str, Any]) -> Self:
        """Returns the form that `as_task` stored, of any version; what a label is must be asked of the model."""
        found = {name: task[name] for name in _STORED if name in task}
        texts = found.get("text_column")
        return cls(**(found | ({"text_column": tuple(texts)} if isinstance(texts, list) else {})))


def require_encoding(encoding: str) -> None:
    """Raises UsageError unless Python knows this encoding of text; "" is UTF-8."""
    try:
        "".encode(encoding or "utf-8")
    except (LookupError, ValueError):
        known = "utf-8, utf-16, gb18030, big5, shift_jis, euc-kr, cp1252, latin-1"
        raise UsageError(f"`encoding` {encoding!r} is unknown: give one such as {known}") from None


def require_different(names: Sequence[str], what: str) -> None:
    """Raises UsageError where a name is given twice: an index would have no examples."""
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise UsageError(f"{what} holds {twice!r} twice: give each name once, in the order of their indices")


USUAL_FORM = SourceForm()
