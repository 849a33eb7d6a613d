"""Labels that may not mean what is written: missing ones, two spellings of one class, numbers, sets. Imports no TensorFlow."""

import collections
import decimal
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from tfpretune.data.readers.labels.forms import AS_WRITTEN, SEPARATORS, form_problems, number_form
from tfpretune.data.readers.labels.spellings import number_of, spelling_key
from tfpretune.data.readers.records import Problem, Records

MISSING = frozenset(
    (
        *("nan", "-nan", "none", "null", "nil", "nat", "na", "n/a", "n.a.", "n.a", "#n/a", "#na", "n\\a", "\\n"),
        *("#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!", "#n/a!", "#error!"),
        *("undefined", "missing", "not available", "not applicable", "tbd", "tba", "t.b.d."),
        *("unlabeled", "unlabelled", "no label", "no_label", "无", "暂无", "缺失", "未标注", "なし", "없음"),
        *("-", "--", "---", "–", "—", "?", "??", "???", ".", "..."),
    )
)
"""What tables and programs write where there is no value, in lower case: pandas', R's, SQL's, and what people type."""
UNSURE = frozenset(("unknown", "unsure", "not sure", "not set", "other/unknown", "未知", "不明", "不详"))
"""What may be a class and may stand for no value."""
MANY_NUMBERS = 20
"""Classes that are written as whole numbers are seldom more."""


def looks_missing(label: str) -> bool:
    """Returns whether a label is what stands for no value: nan, None, N/A, -, ?, …."""
    plain = unicodedata.normalize("NFKC", label).casefold().strip()
    inside = plain[1:-1].strip() if plain[:1] + plain[-1:] in ("()", "<>", "[]", "{}") else ""
    return plain in MISSING or (inside in MISSING and any(map(str.isalpha, inside)))


def missing_looking(names: Collection[str], *, may_lack: bool = False) -> set[str]:
    """Returns the labels that stand for no value; so may a -1 beside names, and beside 0, 1, 2 where labels may lack.

    Args:
        names: all labels of a column.
        may_lack: rows without a label are meant.
    """
    found = {name for name in names if looks_missing(name)}
    rest = [number_of(name) for name in names if name not in found and name != "-1"]
    counts = all(each is not None and _is_whole(each) and each >= 0 for each in rest)
    if rest and ((may_lack and counts) or all(each is None for each in rest)):
        found |= {"-1"} & set(names)
    return found


def missing_problem(where: str, label: str, what: str, *, may_lack: bool = False) -> Problem:
    """Says that a label looks like a missing one."""
    todo = "leave it empty" if may_lack else "give the row a label or remove it"
    todo += f"; if {label!r} is a class of its own: {AS_WRITTEN}"
    return Problem(where, f"the {what} {label!r} looks like a missing label", todo)


def twin_problems(rows: Records, written: Sequence[Collection[str]], what: str) -> list[Problem]:
    """Names the classes that stand there in more than one spelling, at the first place of the rarer one.

    Args:
        rows: whose places are named.
        written: the classes of each row.
        what: "label", or which label.
    """
    first: dict[str, int] = {}
    tally: collections.Counter[str] = collections.Counter()
    for row, labels in enumerate(written):
        tally.update(labels)
        for label in labels:
            first.setdefault(label, row)
    alike = collections.defaultdict(list)
    for label in first:
        alike[spelling_key(label)].append(label)
    problems = []
    for spellings in alike.values():
        usual, *others = sorted(spellings, key=lambda label: (-tally[label], first[label]))
        for other in others:
            fault = f"the {what} {other!r} and the {usual!r} of {rows.where[first[usual]]} look like one class in two spellings"
            problems.append(
                Problem(rows.where[first[other]], fault, f"write both alike; if they are two: {AS_WRITTEN}")
            )
    return problems


def class_problems(rows: Records, written: Sequence[str | None], names: Sequence[str], what: str) -> list[Problem]:
    """Names what is wrong with classes: two spellings of one, numbers that stand apart.

    Args:
        rows: whose places are named.
        written: the label of each row.
        names: the classes among them; others look missing.
        what: "label", or which label.
    """
    wanted = set(names)
    alike = twin_problems(rows, [{label} & wanted if label is not None else set() for label in written], what)
    if rows.class_folders:
        return alike
    if alike and not all(number_of(name) is not None for name in names):  # "1" beside "true": a spelling, no index
        return alike
    return [*alike, *odd_numbers(rows, written, names, what), *_mixed(rows, written, names, what)]


def odd_numbers(rows: Records, written: Sequence[str | None], names: Sequence[str], what: str) -> list[Problem]:
    """Finds whole-number labels that stand apart: 0, 1, 2, 99, or a -1 beside 0, 1, 2 (which often means: none)."""
    numbers = [number_of(name) for name in names]
    if len(names) < 3 or not all(map(_is_whole, numbers)):
        return []
    values = sorted(int(number) for number in numbers if number is not None)
    gap = next((i for i in range(1, len(values)) if values[i] - values[i - 1] > 1), len(values))
    odd, rest = values[gap:], values[:gap]
    if len(odd) >= len(rest):  # 0, 2, 4: none stands apart
        return []
    if rest[:2] == [-1, 0] and values[-1] > 1:
        odd, rest = [-1, *odd], rest[1:]
    wrong = {name: int(number) for name, number in zip(names, numbers, strict=True) if number in odd}
    fault = "the {} {} is out of range: the others are {} to {}"
    todo = f"correct it; if it is a class: {AS_WRITTEN}"
    places = [(value, row) for row, label in enumerate(written) if (value := wrong.get(label or "")) is not None]
    return [
        Problem(rows.where[row], fault.format(what, value, rest[0], rest[-1]), todo)
        for value, row in sorted(places, key=lambda place: (odd.index(place[0]), place[1]))
    ]


def _mixed(rows: Records, written: Sequence[str | None], names: Sequence[str], what: str) -> list[Problem]:
    """Finds labels such as 1 or 0.87 where most classes are not numbers, and inf where all others are."""
    numbers = [name for name in names if number_of(name) is not None]
    endless = [name for name in names if name.casefold().lstrip("+-") in ("inf", "infinity")]
    odd, fault = set(numbers), "is a number, and most are none"
    if numbers and len(numbers) + len(endless) == len(names):
        odd, fault = set(endless), "is not a finite number, and the others are"
    elif 2 * sum(name in odd or bool(number_form(name)) for name in names) > len(names):
        return []
    todo = f"correct it; if it is a class: {AS_WRITTEN}"
    return [
        Problem(rows.where[row], f"the {what} {label!r} {fault}", todo)
        for row, label in enumerate(written)
        if label in odd
    ]


def number_doubt(names: Sequence[str]) -> str:
    """Says that classes look like numbers to be predicted: most are numbers, and many or not whole; "" if they do not."""
    known = [number for number in map(number_of, names) if number is not None]
    if len(known) < max(2, 0.8 * len(names)) or (len(known) <= MANY_NUMBERS and all(map(_is_whole, known))):
        return ""
    others = [name for name in names if number_of(name) is None]
    return f"the labels are {len(set(known)):,} different numbers, {min(known):f} to {max(known):f}" + (
        f", and {len(others)} that are none, such as {others[0]!r}" if others else ""
    )


def set_doubt(tally: Mapping[str, int]) -> tuple[str, str]:
    """Finds a class that looks like a set of classes, "a;b" where "a" and "b" stand elsewhere, too.

    Returns:
        The class and the separator, or two empty strings.
    """
    for separator in SEPARATORS:
        split = {name: [part.strip() for part in name.split(separator)] for name in tally}
        seen = collections.Counter(part for parts in split.values() for part in set(parts))
        for name, parts in split.items():
            if len(parts) > 1 and all(part and (part in tally or seen[part] > 1) for part in parts):
                return name, separator
    return "", ""


def kind_problems(rows: Records, names: Sequence[str]) -> list[Problem]:
    """Asks what labels are that nobody has said: numbers or classes, sets or classes."""
    wanted = set(names)
    tally = collections.Counter(label for label in rows.labels if label is not None)
    if forms := form_problems(rows, names):
        return forms
    if doubt := number_doubt(names):
        first = next(row for row, label in enumerate(rows.labels) if label in wanted)
        todo = (
            "say which they are: `label_kind` regression to learn their values, `label_kind` single if each is a class"
        )
        return [Problem(rows.where[first], doubt, todo)]
    name, separator = set_doubt({label: count for label, count in tally.items() if label in wanted})
    if not name:
        return []
    todo = (
        f"`label_kind` multi-label{_separator_option(separator)} for several classes a row, `label_kind` single for one"
    )
    return [Problem(rows.where[rows.labels.index(name)], f"the label {name!r} looks like a set of classes", todo)]


def kind_notes(names: Sequence[str], count: int) -> list[str]:
    """Says what is taken for classes though it could be something else.

    Args:
        names: the classes.
        count: how many rows there are.
    """
    unsure = [name for name in names if name.casefold() in UNSURE]
    if unsure and len(names) > 1:
        return [f"{unsure[0]!r} is taken as a class like the others: leave rows out whose class nobody knows"]
    if doubt := number_doubt(names):
        return [f"{doubt}: each is taken as a class"]
    if len(names) > 2 and all(number_of(name) is not None for name in names):
        return [
            f"the labels {names[0]} to {names[-1]} are taken as {len(names)} classes (`label_kind` regression: as numbers)"
        ]
    if len(names) > MANY_NUMBERS and len(names) * 2 > count:
        return [f"there are {len(names):,} classes for {count:,} rows"]
    return []


def _is_whole(number: decimal.Decimal | None) -> bool:
    return number is not None and number == number.to_integral_value()


def _separator_option(separator: str) -> str:
    return "" if separator == ";" else f" `label_separator` '{separator}'"
