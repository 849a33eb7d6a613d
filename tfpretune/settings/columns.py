"""Which columns of a source are read: options that recipes share, and `tfpretune check` has. Imports no TensorFlow.

Their names are those of `tfpretune.data.SourceForm`. They stand in front of the other settings:
`class Config(TextColumns, RunConfig)`.
"""

import dataclasses
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class EncodedFiles:
    """How files of text are written.

    Examples:
        >>> from tfpretune.settings import EncodedFiles
        >>> EncodedFiles("gb18030").encoding
        'gb18030'
    """

    encoding: str = ""
    """Encoding of files of text, such as gb18030, cp1252 or utf-16. Empty: UTF-8."""


@dataclasses.dataclass(frozen=True)
class TableFiles(EncodedFiles):
    """How files of tables are written.

    Examples:
        >>> from tfpretune.settings import TableFiles
        >>> TableFiles(delimiter="tab").encoding
        ''
    """

    delimiter: str = ""
    """csv: what separates the columns: a character, or tab. Empty: a tab for .tsv, else a comma, or what the header has."""
    split_column: str = "split"
    """Column that says the split of a row: train, val, test, …. The default may be missing; '' reads none, and of tfds the
    training split alone."""
    group_column: str = ""
    """Column with the group of a row, such as a patient or an author, which is never on two sides of a split."""


@dataclasses.dataclass(frozen=True)
class TextColumns(TableFiles):
    """Texts in tables.

    Examples:
        >>> from tfpretune.settings import TextColumns
        >>> TextColumns(text_column=("title", "body")).text_column
        ('title', 'body')
    """

    text_column: tuple[str, ...] = ("text",)
    """Column, key or feature with the texts; several are joined, a line for each, blank ones passed over. a.b is b within a."""


@dataclasses.dataclass(frozen=True)
class ImageColumns(TableFiles):
    """Paths of images in tables.

    Examples:
        >>> from tfpretune.settings import ImageColumns
        >>> ImageColumns(image_column="file").image_column
        'file'
    """

    image_column: str = ""
    """Column with the paths of image files, from the folder of the table on. Empty: the table holds texts."""
    image_folder: str = ""
    """Where these paths begin; empty: the folder of the table."""


@dataclasses.dataclass(frozen=True)
class LabelColumns(TextColumns, ImageColumns):
    """Texts or images with labels in tables.

    Examples:
        >>> from tfpretune.settings import LabelColumns
        >>> LabelColumns(label_column="topic").labels_as_written
        False
    """

    label_column: str = "label"
    """Column, key or feature with the labels."""
    labels_as_written: bool = False
    """Each spelling is a class of its own: NA, -1 alongside 0 1 2, 1 and 01, Sport and sport. Otherwise they are refused."""
    blank_labels: Literal["", "unlabelled", "empty-set"] = ""
    """What a blank label is where labels are sets of classes: a row that nobody has labelled, or a set without a class. A blank
    class or number is always the first."""


@dataclasses.dataclass(frozen=True)
class ColumnsOfRun(TableFiles):
    """Columns of a source for a model that is there: those that are empty are as its run read them.

    Examples:
        >>> from tfpretune.settings import ColumnsOfRun
        >>> ColumnsOfRun(text_column=("body",), label_column="topic").given
        {'text_column': ('body',), 'label_column': 'topic'}
    """

    text_column: tuple[str, ...] = ()
    """Column, key or feature with the texts, several are joined. Empty: as the run read its source."""
    label_column: str = ""
    """The same for the labels."""
    pair_column: str = ""
    """The same for the second texts of pairs."""
    image_column: str = ""
    """The same for the paths of images."""
    split_column: str = ""
    """The same for the splits of rows."""

    @property
    def given(self) -> dict[str, Any]:
        """The columns that are given, and how files are written."""
        fields = [field.name for field in dataclasses.fields(ColumnsOfRun)]
        return {name: value for name in fields if (value := getattr(self, name))}
