"""What a check found, and how it is printed. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping, Sequence

from tfpretune.data.checks.lines import at_most
from tfpretune.data.checks.parts import PartSize
from tfpretune.data.readers.records import Problem

MOST_LINES = 20
"""So many problems, notes or classes of a kind are printed."""


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """What `check` found.

    Args:
        name: the source.
        problems: what must be put right, in the order of the source.
        notes: what is good to know.
        histogram: class name -> good examples; {} when unlabelled and for numbers.
        counts: "examples" (good ones), "unique", "duplicates", "conflicts", "near_copies" and "near_copy_groups" (texts),
            "long_lines", "skipped_files".
        numbers: the labels are numbers, which have no histogram.
        parts: the parts that a run would make of it, by name; {} where that was not counted.

    Examples:
        >>> from tfpretune.data import check
        >>> result = check("demo:digits")
        >>> result.ok, result.counts["examples"], result.histogram["0"]
        (True, 1797, 178)
    """

    name: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    histogram: dict[str, int]
    counts: dict[str, int]
    numbers: bool = False
    parts: Mapping[str, PartSize] = dataclasses.field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems


def format_result(result: CheckResult) -> str:
    """Returns the result as lines of text: the class histogram, the notes, every problem, and the verdict.

    Args:
        result: from `check`.

    Returns:
        At most 20 classes, notes and problems of a kind; the sizes of the parts of a run; the last line is "no problems" or
        their number.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import check, format_result
        >>> _ = Path("reviews.csv").write_text('''text,label
        ... It works well,yes
        ... It broke at once,no
        ... It is too small,no''')
        >>> print(format_result(check("csv:reviews.csv")))
        csv:reviews.csv: 3 usable examples, 3 different
          no          2   66.7 %  ##############################
          yes         1   33.3 %  ###############
        note: texts have 15 characters in the median, 16 at most
        note: fine-tuning refuses so few examples: class 'yes' of csv:reviews.csv has 1 example, ...
        no problems
    """
    lines = [f"{result.name}: {result.counts['examples']:,} usable examples, {result.counts['unique']:,} different"]
    total, top = sum(result.histogram.values()), max(result.histogram.values(), default=0)
    width = max((len(name) for name in result.histogram), default=0)
    for name, count in [*result.histogram.items()][:MOST_LINES]:
        bar = "#" * round(30 * count / top) if top else ""
        lines.append(f"  {name:<{width}}  {count:>8,}  {100 * count / max(total, 1):5.1f} %  {bar}".rstrip())
    if len(result.histogram) > MOST_LINES:
        lines.append(f"  and {len(result.histogram) - MOST_LINES:,} more classes")
    if not result.histogram and not result.numbers:
        lines.append("  no labels")
    lines += _part_lines(result.parts)
    lines += at_most(MOST_LINES, [(note, f"note: {note}") for note in result.notes])
    lines += at_most(MOST_LINES, [(problem.what, f"problem: {problem}") for problem in result.problems])
    number = len(result.problems)
    lines.append("no problems" if not number else f"{number:,} problem{'s' if number > 1 else ''}")
    return "\n".join(lines)


def _part_lines(parts: Mapping[str, PartSize]) -> list[str]:
    """Returns a table: a column for each part, a line for all and for each of the first classes."""
    if not parts:
        return []
    names = ["all", *list(next(iter(parts.values())).classes)[:MOST_LINES]]
    rows = [[f"{size.examples:,}" for size in parts.values()]]
    rows += [[f"{size.classes.get(name, 0):,}" for size in parts.values()] for name in names[1:]]
    widths = [max(len(part), *(len(row[column]) for row in rows)) for column, part in enumerate(parts)]
    first = max(len("a run takes") - 2, *map(len, names))

    def line(start: str, cells: Sequence[str]) -> str:
        return "  ".join([start, *(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))])

    lines = [line(f"  {'a run takes':<{first + 2}}", list(parts))]
    return lines + [line(f"    {name:<{first}}", cells) for name, cells in zip(names, rows, strict=True)]
