"""One table, for the report, the terminal and the README."""

import dataclasses
import re
import unicodedata
from collections.abc import Sequence

Cell = str | int | float | None
_NUMBER = re.compile(r"[-+−±.]?\d")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with a title. Numbers are shown with three decimals, None as a dash.

    Args:
        title: heading.
        columns: their names; all but the first are aligned right where they hold numbers.
        rows: of as many cells: str, int, float or None.
        note: a line below.

    Raises:
        ValueError: a row of another length.

    Examples:
        >>> from tfpretune.evaluation import Table
        >>> print(Table("Test set", ("class", "F1", "examples"), [("no", 0.8125, 1200), ("yes", None, 7)]).markdown())
        **Test set**
        <BLANKLINE>
        | class |    F1 | examples |
        | ----- | ----: | -------: |
        | no    | 0.812 |    1,200 |
        | yes   |     – |        7 |
        <BLANKLINE>
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __post_init__(self) -> None:
        """Refuses rows that are too short or too long."""
        width = len(self.columns)
        for i, row in enumerate(self.rows):
            if len(row) != width:
                raise ValueError(f"table {self.title!r}, row {i}: expected {width} cells, received {len(row)}")

    def texts(self) -> list[list[str]]:
        """The cells as they are shown."""
        return [[show(cell) for cell in row] for row in self.rows]

    def numeric(self) -> list[bool]:
        """For each column but the first whether all its cells start as numbers do, so that it is aligned right."""
        columns = [[row[i] for row in self.texts() if row[i] != "–"] for i in range(len(self.columns))]
        return [i > 0 and bool(c) and all(_NUMBER.match(text) for text in c) for i, c in enumerate(columns)]

    def markdown(self) -> str:
        """The table in Markdown, padded so that it also reads well in a terminal."""
        cells = [[_one_line(text) for text in row] for row in [list(self.columns), *self.texts()]]
        numeric = self.numeric()
        widths = [max(3, *(_width(text) for text in column)) for column in zip(*cells, strict=True)]
        rule = ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True)]
        lines = []
        for row in [cells[0], rule, *cells[1:]]:
            padded = [_pad(text, width, right) for text, width, right in zip(row, widths, numeric, strict=True)]
            lines.append(f"| {' | '.join(padded)} |")
        head = [f"**{self.title}**", ""] if self.title else []
        return "\n".join([*head, *lines, *(["", self.note] if self.note else [])]) + "\n"


def show(cell: Cell) -> str:
    """A cell as text: 0.8125 as 0.812, 12345 and 12345.0 as 12,345, None as a dash."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        if abs(cell) >= 1000:
            return f"{cell:,.0f}"
        return f"{cell:.3f}" if cell == 0 or abs(cell) >= 1e-3 else f"{cell:.3g}"
    return f"{cell:,}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _width(text: str) -> int:
    """Columns of a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
