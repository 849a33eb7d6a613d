"""One pass over all of a data source before step 1: every bad file, line and label by name."""

import collections
import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfpretune.data.examples import Examples
from tfpretune.data.rows import Problem
from tfpretune.data.sources import index_labels, is_whole_number, read_rows
from tfpretune.data.tables import DEFAULT_LABEL, DEFAULT_TEXT


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """What `check` found.

    Args:
        name: the source.
        problems: what must be put right, in the order of the source.
        notes: what is good to know.
        histogram: class name -> good examples; {} when unlabelled.
        counts: "examples" (good ones), "unique", "duplicates", "conflicts", "long_lines", "skipped_files".
    """

    name: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    histogram: dict[str, int]
    counts: dict[str, int]

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems


def check(
    spec: str,
    *,
    against: str = "",
    text_column: str = DEFAULT_TEXT,
    label_column: str = DEFAULT_LABEL,
    class_names: Sequence[str] = (),
) -> CheckResult:
    """Goes over all of a source: reads every row, decodes every image, looks at every label, compares every content.

    Args:
        spec: the source, as for `open_source`.
        against: a second source, such as the test set, that must share no example and no more classes with the first.
        text_column: as for `open_source`.
        label_column: as for `open_source`.
        class_names: the classes that are allowed; without it, a whole number that stands apart
            from the others (0, 1, 2, 99) counts as wrong.

    Raises:
        UsageError: when there is no such source or column.
    """
    rows = read_rows(spec, text_column=text_column, label_column=label_column)
    labels, names = index_labels(rows, class_names)
    good = np.ones(len(rows.inputs), bool) if labels is None else labels >= 0
    problems = [*rows.problems, *rows.skipped]
    notes = []
    if rows.kind == "image" and not isinstance(rows.inputs, np.ndarray):
        faults, image_notes = _decode_all(rows.inputs)
        good[[rows.inputs.index(fault.where) for fault in faults]] = False
        problems += faults
        notes += image_notes
    labels = None if labels is None else np.maximum(labels, 0)  # the missing ones are left out below
    examples = Examples(rows.kind, rows.inputs, labels, names, rows.where, spec).take(good)
    if not class_names and not rows.class_names:
        problems += _odd_numbers(examples)
    result = check_examples(examples)
    problems += result.problems
    if against:
        other, other_notes = _second_source(against, text_column, label_column, class_names)
        problems += _shared(examples, other)
        notes += other_notes
    if rows.long_lines:
        notes.append(f"{rows.long_lines:,} lines were over 4,096 bytes and were split")
    counts = {**result.counts, "long_lines": rows.long_lines, "skipped_files": len(rows.skipped)}
    return CheckResult(spec, tuple(problems), (*notes, *result.notes), result.histogram, counts)


def check_examples(examples: Examples) -> CheckResult:
    """Checks examples in memory: that there are any, that there are two classes, duplicates, conflicting labels."""
    problems, notes = [], []
    if not len(examples):
        problems.append(
            Problem(examples.name, "there are no usable rows", "nothing can be learnt from it: give another source")
        )
    groups = collections.defaultdict(list)
    for row, key in enumerate(examples.keys()):
        groups[key].append(row)
    conflicts = 0
    histogram = {}
    if examples.labels is not None:
        tally = np.bincount(examples.labels, minlength=len(examples.class_names))
        histogram = {name: int(count) for name, count in zip(examples.class_names, tally, strict=True)}
        used = [name for name, count in histogram.items() if count]
        if len(used) == 1:
            problems.append(
                Problem(examples.name, f"there is only one class, {used[0]!r}", "add examples of another class")
            )
        notes += [f"class {name!r} has no examples" for name, count in histogram.items() if not count]
        folded = collections.Counter(name.casefold() for name in used)
        notes += [
            f"classes that differ only in upper and lower case: {name!r}" for name, count in folded.items() if count > 1
        ]
        for members in groups.values():
            conflict = _conflict(examples, members)
            problems += conflict
            conflicts += len(conflict)
    duplicates = len(examples) - len(groups)
    if duplicates:
        notes.append(
            f"{duplicates:,} examples are copies of others: drop them before splitting (Examples.without_duplicates)"
        )
    if examples.kind == "text" and len(examples):
        lengths = [len(text) for text in examples.inputs]
        notes.append(f"texts have {int(np.median(lengths)):,} characters in the median, {max(lengths):,} at most")
    counts = {"examples": len(examples), "unique": len(groups), "duplicates": duplicates, "conflicts": conflicts}
    return CheckResult(examples.name, tuple(problems), tuple(notes), histogram, counts)


def format_result(result: CheckResult) -> str:
    """Returns the result as lines of text: the class histogram, the notes, every problem, and the verdict."""
    lines = [f"{result.name}: {result.counts['examples']:,} usable examples, {result.counts['unique']:,} different"]
    total, top = sum(result.histogram.values()), max(result.histogram.values(), default=0)
    width = max((len(name) for name in result.histogram), default=0)
    for name, count in result.histogram.items():
        bar = "#" * round(30 * count / top) if top else ""
        lines.append(f"  {name:<{width}}  {count:>8,}  {100 * count / max(total, 1):5.1f} %  {bar}".rstrip())
    if not result.histogram:
        lines.append("  no labels")
    lines += [f"note: {note}" for note in result.notes]
    lines += [f"problem: {problem}" for problem in result.problems]
    number = len(result.problems)
    lines.append("no problems" if not number else f"{number:,} problem{'s' if number > 1 else ''}")
    return "\n".join(lines)


def _decode_all(paths: list[str]) -> tuple[list[Problem], list[str]]:
    """Decodes every file by itself, since TensorFlow's errors do not name the file."""
    import tensorflow as tf  # here, so that checking texts does not wait for TensorFlow

    from tfpretune.data.images import DECODE_ERRORS, decode_pixels, explain_decode_error

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def shape_of(path: tf.Tensor) -> tf.Tensor:
        return tf.shape(decode_pixels(tf.io.read_file(path)))

    def look(path: str) -> tuple[int, int] | Problem:
        try:
            height, width, _ = shape_of(tf.constant(path)).numpy()
        except DECODE_ERRORS as error:
            return Problem(path, explain_decode_error(error), "replace or remove it")
        return int(height), int(width)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(look, paths))
    problems = [item for item in seen if isinstance(item, Problem)]
    sizes = [item for item in seen if not isinstance(item, Problem)]
    notes = []
    if sizes:
        low, high = np.min(sizes, axis=0), np.max(sizes, axis=0)
        notes.append(f"images are {low[0]} to {high[0]} pixels high and {low[1]} to {high[1]} wide")
    return problems, notes


def _odd_numbers(examples: Examples) -> list[Problem]:
    """Finds whole-number labels that stand apart: 0, 1, 2, 99, or a -1 beside 0, 1, 2 (which often means: none)."""
    if examples.labels is None or len(examples.class_names) < 3 or not all(map(is_whole_number, examples.class_names)):
        return []
    values = [int(name) for name in examples.class_names]
    gap = next((i for i in range(1, len(values)) if values[i] - values[i - 1] > 1), None)
    odd = values[gap:] if gap else []
    rest = values[:gap]
    if rest[:2] == [-1, 0] and values[-1] > 1:
        odd, rest = [-1, *odd], rest[1:]
    problems = []
    for value in odd:
        for row in np.flatnonzero(examples.labels == values.index(value)).tolist():
            what = f"the label {value} is out of range: the others are {rest[0]} to {rest[-1]}"
            problems.append(
                Problem(examples.where[row], what, "correct it; if it is meant, name the classes with class_names")
            )
    return problems


def _conflict(examples: Examples, members: list[int]) -> list[Problem]:
    """Names the first two examples with the same content and different labels."""
    labels = [examples.class_names[examples.labels[row]] for row in members] if examples.labels is not None else []
    first = members[0]
    for other, label in zip(members[1:], labels[1:], strict=True):
        if label != labels[0]:
            names = f"{labels[0]!r} and {label!r}"
            what = f"the same {examples.kind} stands at {examples.where[first]} with another label ({names})"
            return [Problem(examples.where[other], what, "correct one or remove both")]
    return []


def _second_source(
    spec: str, text_column: str, label_column: str, class_names: Sequence[str]
) -> tuple[Examples, list[str]]:
    rows = read_rows(spec, text_column=text_column, label_column=label_column)
    labels, names = index_labels(rows, class_names)
    notes = [f"{spec} has problems of its own, run: tfpretune check {spec}"] if rows.problems else []
    labels = None if labels is None else np.maximum(labels, 0)
    return Examples(rows.kind, rows.inputs, labels, names, rows.where, spec), notes


def _shared(examples: Examples, other: Examples) -> list[Problem]:
    """Names every content that is in both, and the classes that are in one alone."""
    places = dict(zip(other.keys(), other.where, strict=True))
    todo = "remove it from one of the two, or the score measures memory"
    problems = [
        Problem(where, f"the same {examples.kind} is in {other.name} too, at {places[key]}", todo)
        for key, where in zip(examples.keys(), examples.where, strict=True)
        if key in places
    ]
    alone = set(examples.class_names) ^ set(other.class_names)
    if examples.labels is not None and other.labels is not None and alone:
        what = f"classes that are not in both sources: {', '.join(sorted(alone))}"
        problems.append(
            Problem(f"{examples.name} and {other.name}", what, "use the same classes, or name them with class_names")
        )
    return problems
