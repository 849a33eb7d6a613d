"""Which class a number or a colour in a mask stands for, decided over all masks of a source. Imports no TensorFlow."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from tfpretune.data.readers.masks.classes import CLASSES_FILE, ClassList
from tfpretune.data.readers.masks.files import colour_text
from tfpretune.data.readers.masks.records import NO_CLASS
from tfpretune.data.readers.masks.survey import Surveyed, palette_problems, white_of_bits
from tfpretune.data.readers.records import Problem
from tfpretune.errors import UsageError

_MOST_SHOWN = 8
_MOST_NAMED = 16  # more numbers than that, with gaps, are no list of classes


@dataclasses.dataclass(frozen=True)
class Meaning:
    """How masks are read.

    Args:
        class_names: the classes, in the order of their indices.
        codes: number (or colour code) -> class index; all others have no class.
        by_colour: codes are those of colours.
        white: what white is in masks of one bit per pixel.
        strict: only `NO_CLASS` may be missing from `codes`.
    """

    class_names: tuple[str, ...]
    codes: Mapping[int, int]
    by_colour: bool = False
    white: int = 1
    strict: bool = True

    def tally(self, mask: Surveyed) -> tuple[dict[int, int], Problem | None]:
        """Returns class index (255: none) -> pixels of a mask, and what is wrong with it."""
        found = mask.colours if self.by_colour else numbers_of(mask, self.white)
        classes: collections.Counter[int] = collections.Counter()
        for code, pixels in found.items():
            classes[self.codes.get(code, NO_CLASS)] += pixels
        wrong = sorted(code for code in found if code not in self.codes and (self.by_colour or code != NO_CLASS))
        if not wrong or not self.strict:
            return dict(classes), None
        if self.by_colour:
            what, todo = (
                f"pixels have the colour {colour_text(wrong[0])}",
                f"list it in {CLASSES_FILE} (void: no class)",
            )
        else:
            what = f"pixels have the class {wrong[0]}, there are {len(self.class_names)}"
            todo = (
                f"correct it, mark what has no class by {NO_CLASS}, or list the numbers in {CLASSES_FILE} (NUMBER name)"
            )
        return dict(classes), Problem(mask.pair.mask, what, todo)


def find_meaning(
    masks: Sequence[Surveyed], listed: ClassList, *, values: Sequence[int] = (), where: str
) -> tuple[Meaning, list[Problem], list[str]]:
    """Decides what the masks of a source say.

    Args:
        masks: all that could be read.
        listed: from `classes.txt`.
        values: the numbers that are classes, in their order, where the user says so; all others have no class.
        where: the source, for problems of no file.

    Returns:
        The meaning, problems, and what was found.

    Raises:
        UsageError: `values` are not one number for each listed class.
    """
    if listed.by == "colour" and not values and _fits_colours(masks, listed):
        return (
            Meaning(listed.names, listed.codes, by_colour=True),
            [],
            [f"classes are found by colour ({CLASSES_FILE})"],
        )
    painted = [mask for mask in masks if mask.numbers is None]
    white, problems = white_of_bits(masks)
    problems += [*_painted(painted), *palette_problems(masks)]
    found: collections.Counter[int] = collections.Counter()
    for mask in masks:
        found.update(numbers_of(mask, white))
    if values:
        meaning, notes = _by_values(listed.names, values, found)
    elif listed.names:
        meaning, notes = _by_list(listed, set(found))
        problems += _doubtful_white(masks, white, where) if listed.by == "place" else []
    else:
        meaning, notes, more = _by_numbers(set(found), where)
        problems += [*more, *_doubtful_white(masks, white, where)]
    return dataclasses.replace(meaning, white=white), problems, notes


def numbers_of(mask: Surveyed, white: int) -> dict[int, int]:
    """Returns number -> pixels of a mask; nothing for one in colours."""
    numbers = dict(mask.numbers or {})
    if mask.form == "bit" and 1 in numbers and white != 1:
        numbers[white] = numbers.pop(1)
    return numbers


def _fits_colours(masks: Sequence[Surveyed], listed: ClassList) -> bool:
    """Masks of numbers may lie beside a list of colours: then their own shades are not in the list, and numbers are places."""
    if any(mask.numbers is None for mask in masks):
        return True
    count = len(listed.codes)
    plain = all(number < count or number == NO_CLASS for mask in masks for number in mask.numbers or ())
    return not plain or all(code in listed.codes for mask in masks for code in mask.colours)


def _by_values(names: tuple[str, ...], values: Sequence[int], found: Mapping[int, int]) -> tuple[Meaning, list[str]]:
    if names and len(names) != len(values):
        raise UsageError(
            f"`MaskForm(values)` has {len(values)} numbers, {CLASSES_FILE} {len(names)} classes: give one for each"
        )
    codes = {value: index for index, value in enumerate(values)}
    left, total = sorted(set(found) - set(values)), sum(found.values())
    shares = ", ".join(f"{number} ({100 * found[number] / total:.1f} %)" for number in left[:_MOST_SHOWN])
    notes = [f"numbers that `MaskForm(values)` does not list have no class: {shares}"] if left else []
    return Meaning(names or tuple(map(str, values)), codes, strict=False), notes


def _by_list(listed: ClassList, numbers: set[int]) -> tuple[Meaning, list[str]]:
    codes = listed.codes if listed.by == "number" else {place: place for place in range(len(listed.names))}
    notes = []
    if listed.by != "number" and len(listed.names) == 2 and numbers == {0, NO_CLASS}:
        codes = {0: 0, NO_CLASS: 1}
        notes = [f"the masks hold 0 and 255: 0 is {listed.names[0]!r} and 255 is {listed.names[1]!r}"]
    elif listed.by != "number" and numbers and 0 not in numbers:
        first, low = listed.names[0], min(numbers)
        notes = [
            f"no mask holds the number 0, which is {first!r}, as {CLASSES_FILE} counts from 0; "
            f"if {first!r} is {low}, write {low} {first}, and the others so"
        ]
    return Meaning(listed.names, codes), notes


def _doubtful_white(masks: Sequence[Surveyed], white: int, where: str) -> list[Problem]:
    """Asks what 255 is where some masks hold 0 and 255 and others 0, 1, …, but none holds both."""
    held = [(mask, set(numbers_of(mask, white))) for mask in masks if mask.numbers is not None]
    whites = [mask for mask, numbers in held if numbers == {0, NO_CLASS}]
    others = [(mask, numbers) for mask, numbers in held if numbers - {0, NO_CLASS}]
    if not whites or not others or any(NO_CLASS in numbers for _, numbers in others):
        return []
    shown = " ".join(map(str, sorted(set().union(*(numbers for _, numbers in others), {0}))))
    who = f"{len(whites):,} masks hold" if len(whites) > 1 else "this mask holds"
    what = f"{who} 0 and 255, others ({others[0][0].pair.mask}) smaller numbers, none both: 255 may be a class or none"
    todo = f"save all in one way; if 255 is not a class, say `MaskForm(values)` {shown}"
    return [Problem(whites[0].pair.mask, what, todo)]


def _by_numbers(numbers: set[int], where: str) -> tuple[Meaning, list[str], list[Problem]]:
    """Without a list: 0, 1, …, n are classes and 255 is none; 0 and 255 alone are two classes."""
    classes = sorted(numbers - {NO_CLASS})
    if numbers == {0, NO_CLASS}:
        return Meaning(("0", "255"), {0: 0, NO_CLASS: 1}), ["the masks hold 0 and 255: these are two classes"], []
    names = tuple(map(str, classes))
    meaning = Meaning(names, {number: index for index, number in enumerate(classes)})
    if classes == list(range(len(classes))):
        notes = ["255 is not a class (the others are 0 to " + f"{len(classes) - 1})"] if NO_CLASS in numbers else []
        return meaning, notes, []
    shown = ", ".join(map(str, sorted(numbers)[:_MOST_SHOWN])) + (", …" if len(numbers) > _MOST_SHOWN else "")
    todo = (
        f"list the numbers of classes, in their order: `MaskForm(values)` {' '.join(names[:3])} … (others have no class), "
        f"or give them names in {CLASSES_FILE} (lines such as: {classes[-1]} name)"
    )
    what = f"the masks hold the numbers {shown}, with gaps"
    if len(numbers) > _MOST_NAMED:
        what += "; so many come from edges that were smoothed, in a JPEG file or by resizing"
    return meaning, [], [Problem(where, what, todo)]


def _painted(masks: Sequence[Surveyed]) -> list[Problem]:
    if not masks:
        return []
    found: collections.Counter[int] = collections.Counter()
    for mask in masks:
        found.update(mask.colours)
    total, more = sum(found.values()), f" and {len(masks) - 1:,} more are" if len(masks) > 1 else " is"
    shown = [f"{colour_text(code)} ({100 * pixels / total:.1f} %)" for code, pixels in found.most_common(_MOST_SHOWN)]
    what = f"this mask{more} in colours: {', '.join(shown)}{', …' if len(found) > _MOST_SHOWN else ''}"
    if len(found) > 256:
        what += f", {len(found):,} in all, as from edges that were smoothed"
    return [
        Problem(
            masks[0].pair.mask, what, f"list them in {CLASSES_FILE} (lines such as: {colour_text(max(found))} name)"
        )
    ]
