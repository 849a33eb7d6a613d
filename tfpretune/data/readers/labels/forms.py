"""Labels in a form that another program wrote: lists in one cell, a column per class, numbers as people write them.

Imports no TensorFlow.
"""

import re
from collections.abc import Collection, Sequence

from tfpretune.data.readers.labels.spellings import number_of
from tfpretune.data.readers.records import Problem, Records

AS_WRITTEN = "`labels_as_written`"
SEPARATORS = (";", "|", ",", "；", "，", "、")
"""What may stand between the classes of a set."""
_LIST = re.compile(
    r"""\[\s*\]|\[.*[,'"].*\]|\[\s*[-+.\d]+(\s+[-+.\d]+)*\s*\]|[({].*['"].*[)}]|set\(\)|(frozen)?set\(.*\)|array\(.*\)""",
    re.DOTALL,
)
_BITS = re.compile(r"[01](?:\.0*)?(?:[\s,;|]+[01](?:\.0*)?)+")
_PLAIN = r"(?:[0-9]+(?:[.,][0-9]+)?|[0-9]{1,3}(?:[,.'’\s][0-9]{3})+(?:[.,][0-9]+)?)"
_NUMBER_FORMS = {
    "a decimal comma or a thousands separator": rf"[-+−]?{_PLAIN}",
    "a currency": rf"[-+−]?\s*(?:[$€£¥₹]\s*[-+−]?{_PLAIN}|{_PLAIN}\s*[$€£¥₹元円])",
    "a percent sign": rf"[-+−]?{_PLAIN}\s*%",
}


def is_written_list(label: str) -> bool:
    """Returns whether a label is a list, a set or an object as JSON, Python or numpy write it: "['a', 'b']", "[1 0 1]"."""
    return _LIST.fullmatch(label.strip()) is not None


def number_form(label: str) -> str:
    """Says how a label that is not a plain number is written as one: 3,5, 1,000, $10, 5 %; "" if it is not."""
    if number_of(label) is not None:
        return ""
    found = (form for form, pattern in _NUMBER_FORMS.items() if re.fullmatch(pattern, label.strip()))
    return next(found, "")


def form_problems(rows: Records, names: Sequence[str]) -> list[Problem]:
    """Asks about classes that are lists in a cell, bits in a row, or numbers that are not written as programs read them.

    Args:
        rows: whose labels and places are named.
        names: the classes among the labels; others look missing.
    """
    if lists := [name for name in names if is_written_list(name)]:
        return [_list_problem(rows, lists, f"if each is a class: `label_kind` single, or {AS_WRITTEN}")]
    if are_bits(names):
        return [_bits_problem(rows, names, "if each is a class: `label_kind` single")]
    forms = {name: form for name in names if (form := number_form(name))}
    numbers = len(forms) + sum(number_of(name) is not None for name in names)
    if not forms or numbers < max(2, 0.8 * len(names)):
        return []
    name, where = _first(rows, forms)
    todo = "write 3.5, 1000 or 0.05 and say `label_kind` regression; if each is a class: `label_kind` single"
    if any("," in each for each in forms):
        todo += "; if each is a set of classes: `label_kind` multi-label `label_separator` ','"
    return [Problem(where, f"the label {name!r} looks like a number with {forms[name]}", todo)]


def set_form_problems(rows: Records, parts: Sequence[Sequence[str]], separator: str) -> list[Problem]:
    """Asks about sets of classes that are lists in a cell, one column per class, or cut by another separator.

    Args:
        rows: whose labels and places are named.
        parts: the classes of each row, as often as they stand there.
        separator: that they were cut by.
    """
    lists = [label for label in dict.fromkeys(rows.labels) if label is not None and is_written_list(label)]
    if lists:
        return [_list_problem(rows, lists, f"if each is a class: {AS_WRITTEN}")]
    names = list(dict.fromkeys(part for each in parts for part in each))
    if are_bits(names):
        return [_bits_problem(rows, names, f"if each is a class: {AS_WRITTEN}")]
    if is_column_a_class(parts):
        row = next(row for row, each in enumerate(parts) if each)
        what = f"the labels are lists of {len(parts[row])} numbers each, such as {', '.join(parts[row][:8])}"
        what += ", which looks like one column per class"
        return [Problem(rows.where[row], what, f"{_NAME_THEM}; if 0 and 1 are names of classes: {AS_WRITTEN}")]
    return _other_separator(rows, parts, separator)


def are_bits(names: Sequence[str]) -> bool:
    """Returns whether all labels are as many 0 and 1 in a row, "1 0 1" or "011"."""
    if len(names) < 2 or len({len(re.findall(r"(?<!\.)[01]", name)) for name in names}) > 1:
        return False
    return all(map(_BITS.fullmatch, names)) or (
        all(re.fullmatch("[01]{3,}", name) for name in names) and any(name.startswith("0") for name in names)
    )


def is_column_a_class(parts: Sequence[Sequence[str]]) -> bool:
    """Returns whether sets are rather rows of one length, a number for each class: [1, 0, 1], [0, 1, 0]."""
    lists = [each for each in parts if each]
    if len({len(each) for each in lists}) != 1 or len(lists[0]) < 2:
        return False
    numbers = [[_value(part) for part in each] for each in lists]
    if any(number is None for each in numbers for number in each):
        return False
    bits = all(number in (0, 1) for each in numbers for number in each)
    return bits or any(len(set(each)) < len(each) for each in numbers)


_NAME_THEM = (
    'give the names of the classes that are 1, such as "a;c" or in JSON ["a", "c"], with `label_kind` multi-label'
)


def _value(part: str) -> float | None:
    number = number_of({"true": "1", "false": "0"}.get(part.casefold(), part))
    return None if number is None else float(number)


def _list_problem(rows: Records, lists: Sequence[str], else_todo: str) -> Problem:
    """Names the first label that is a list in one cell."""
    if all(re.fullmatch(r"\[[01.,\s]*\]", name) for name in lists) and any("1" in name for name in lists):
        what, todo = "is a list of 0 and 1 in one cell, which looks like one column per class", _NAME_THEM
    else:
        what = "is a list in one cell"
        todo = 'write it as "a;b" with `label_kind` multi-label, or as a list in JSON lines (jsonl:FILE)'
    label, where = _first(rows, lists)
    return Problem(where, f"the label {label[:60]!r} {what}", f"{todo}; {else_todo}")


def _bits_problem(rows: Records, names: Sequence[str], else_todo: str) -> Problem:
    label, where = _first(rows, names)
    what = f"the label {label!r} is a row of 0 and 1, which looks like one column per class"
    return Problem(where, what, f"{_NAME_THEM}; {else_todo}")


def _other_separator(rows: Records, parts: Sequence[Sequence[str]], separator: str) -> list[Problem]:
    """Names the first class that holds another separator: one that is seldom in a name, or where the separator cuts none."""
    cut = any(len(each) > 1 for each in parts)
    names = dict.fromkeys(part for each in parts for part in each)
    for other in (*SEPARATORS, "\t", "/", "+", "&", " "):
        if other == separator:
            continue
        for name in names:
            pieces = [piece.strip() for piece in name.split(other)]
            if len(pieces) < 2 or not all(pieces):
                continue
            if all(piece in names for piece in pieces) or (other in ";|；\t" or (other in ",，、" and not cut)):
                row = next(row for row, each in enumerate(parts) if name in each)
                todo = f"if it is a set of classes: `label_separator` {other!r}, the same for all; if it is one: {AS_WRITTEN}"
                return [Problem(rows.where[row], f"the label {name!r} holds another separator, {other!r}", todo)]
    return []


def _first(rows: Records, names: Collection[str]) -> tuple[str, str]:
    """Returns the first of these labels that stands in a row, and its place."""
    wanted = set(names)
    row = next(row for row, label in enumerate(rows.labels) if label in wanted)
    return rows.labels[row] or "", rows.where[row]
