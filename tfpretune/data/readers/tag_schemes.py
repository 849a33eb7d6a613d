"""Tags of entities in any scheme -> BIO: IOB1, BIOES, BILOU, BMES, IOE, with the letter first or last. Imports no TensorFlow.

B begins an entity, I (or M) goes on, E (or L) ends it, S (or U, W) is one word alone, O is outside. BIO needs B and I only, so
what a model says and is judged by is the same for every scheme.
"""

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from tfpretune.data.readers.labels.spellings import spelling_key

OUTSIDE = "O"
UNTYPED = "ENTITY"
"""Type of entities whose tags are B, I and O alone."""
BEGIN, INSIDE, END, SINGLE = "B", "IM", "EL", "SUW"
LETTERS = BEGIN + INSIDE + END + SINGLE
_FIRST = re.compile(rf"([{LETTERS}{LETTERS.lower()}])([-_])(.*)", re.DOTALL)
_LAST = re.compile(rf"(.*)([-_])([{LETTERS}{LETTERS.lower()}])", re.DOTALL)

Parsed = tuple[str, str]
"""Letter and type; ("O", "") outside."""


@dataclasses.dataclass(frozen=True)
class Scheme:
    """How the tags of a source are written.

    Args:
        parsed: tag as written -> letter and type; tags that are of no scheme lack.
        entities: the tags mark entities; otherwise each tag is a class of words, as parts of speech are.
        style: "first" (B-PER), "last" (PER-B) or "bare" (B).
        iob1: an entity begins with I, and with B only right behind another one of its type.
    """

    parsed: Mapping[str, Parsed]
    entities: bool = False
    style: str = "first"
    iob1: bool = False

    @property
    def letters(self) -> set[str]:
        """The letters in use, but for O."""
        return {letter for letter, _ in self.parsed.values()} - {OUTSIDE}

    @property
    def kinds(self) -> list[str]:
        """The types of entities, sorted."""
        return sorted({kind for _, kind in self.parsed.values()} - {""})

    @property
    def plain(self) -> bool:
        """Whether tags stay as they are written."""
        written = all(tag == OUTSIDE or tag == f"{letter}-{kind}" for tag, (letter, kind) in self.parsed.items())
        return not self.entities or (written and self.name == "BIO")

    @property
    def sample(self) -> str:
        """A few of the tags as they are written."""
        return ", ".join(sorted(self.parsed)[:4])

    @property
    def name(self) -> str:
        """What the scheme is called."""
        used = self.letters
        if used <= {"B", "I"}:
            return "IOB1" if self.iob1 else "BIO"
        if used & {"L", "U"}:
            return "BILOU"
        if "M" in used:
            return "BMES"
        return "IOE" if used <= {"I", "E"} else "BIOES"


def find_scheme(sentences: Sequence[Sequence[str]], names: Sequence[str] = ()) -> Scheme:
    """Finds out how tags are written, from all sentences of a source.

    Tags are of entities if a fifth of the words that are not O have one that can be read so; what cannot be read then, such as
    "O." or "B_PER" among "B-PER", is left out of `parsed`.

    Args:
        sentences: the tags of each.
        names: the tags that are allowed, where they are known: they then say how tags are written.
    """
    tally = collections.Counter(names) or collections.Counter(tag for tags in sentences for tag in tags)
    for style in ("first", "last", "bare"):
        parsed = _parse(tally, style)
        marked = sum(tally[tag] for tag, (letter, _) in parsed.items() if letter != OUTSIDE)
        others = sum(count for tag, count in tally.items() if tag not in parsed)
        whole = not others or style == "first"
        if marked and 4 * marked >= others and whole and _is_plausible(parsed, style):
            scheme = Scheme(parsed, True, style)
            iob1 = scheme.letters <= {"B", "I"} and _is_iob1(scheme, sentences)
            return dataclasses.replace(scheme, iob1=iob1)
    return Scheme({})


def to_bio(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """Returns the tags of a sentence as BIO. What cannot be, such as an E-X that nothing begins, begins an entity.

    Args:
        tags: as written; those that the scheme does not know are outside.
        scheme: of entities.
    """
    found: list[str] = []
    before: Parsed = (OUTSIDE, "")
    for tag in tags:
        letter, kind = now = scheme.parsed.get(tag, (OUTSIDE, ""))
        goes_on = letter in INSIDE + END and before[0] in BEGIN + INSIDE and before[1] == kind
        found.append(OUTSIDE if letter == OUTSIDE else f"{'I' if goes_on else 'B'}-{kind}")
        before = now
    return found


def faults(tags: Sequence[str], scheme: Scheme) -> list[tuple[int, str]]:
    """Finds the tags that cannot stand where they stand.

    Args:
        tags: of a sentence, as written.
        scheme: of entities; its letters say what must be: where words stand alone as S, no B does, and where entities end with
            E, no I does.

    Returns:
        The place of each and what is wrong there.
    """
    used = scheme.letters
    begins, ends, alone = (bool(used & set(letters)) for letters in (BEGIN, END, SINGLE))
    found: list[tuple[int, str]] = []
    before: Parsed = (OUTSIDE, "")
    for place, tag in enumerate([*tags, OUTSIDE]):
        letter, kind = now = scheme.parsed.get(tag, (OUTSIDE, ""))
        goes_on = letter in INSIDE + END and before[0] in BEGIN + INSIDE and before[1] == kind
        last = tags[place - 1] if place else OUTSIDE
        if letter in INSIDE + END and not goes_on and begins and not scheme.iob1:
            found.append((place, f"the tag {tag!r} cannot follow {last!r}"))
        elif not goes_on and ((before[0] == BEGIN and alone) or (before[0] in INSIDE and ends and begins)):
            what = f"{tag!r} behind it" if place < len(tags) else "the end of the sentence"
            found.append((place - 1, f"the tag {last!r} is not closed: {what} does not go on with it"))
        before = now
    return found


def unreadable(tag: str, scheme: Scheme) -> str:
    """Says what is wrong with a tag that a scheme does not know."""
    first = _FIRST.fullmatch(tag)
    if tag.upper() in LETTERS or (first and not first[3]):
        return f"the tag {tag!r} has no type"
    return f"the tag {tag!r} is none of {scheme.name}"


def twins(kinds: Iterable[str]) -> dict[str, str]:
    """Returns the types that differ from another one, the first, only in case or width: type -> the other one."""
    first: dict[str, str] = {}
    return {kind: first[key] for kind in kinds if first.setdefault(key := spelling_key(kind), kind) != kind}


def described(scheme: Scheme) -> list[str]:
    """Says in one line how tags are read, where they are not read as they are written or are none of entities."""
    if not scheme.entities:
        return ["the tags are none of entities (B-X, I-X, O): each word is judged, no entities"]
    if scheme.plain:
        return []
    typed = f", of the one type {UNTYPED}" if scheme.style == "bare" else ""
    return [
        f"the tags are {scheme.name} (such as {scheme.sample}) and are read as BIO{typed}, which is also what the model says "
        "and is judged by"
    ]


def _parse(tags: Iterable[str], style: str) -> dict[str, Parsed]:
    """Reads the tags that can be read in a style; with two separators in use, those with the usual one."""
    parsed: dict[str, tuple[str, Parsed]] = {}
    for tag in tags:
        if tag.upper() == OUTSIDE:
            parsed[tag] = ("", (OUTSIDE, ""))
        elif style == "bare" and len(tag) == 1 and tag.upper() in LETTERS:
            parsed[tag] = ("", (tag.upper(), UNTYPED))
        elif style == "first" and (match := _FIRST.fullmatch(tag)) and match[3]:
            parsed[tag] = (match[2], (match[1].upper(), match[3]))
        elif style == "last" and (match := _LAST.fullmatch(tag)) and match[1]:
            parsed[tag] = (match[2], (match[3].upper(), match[1]))
    separators = collections.Counter(separator for separator, _ in parsed.values() if separator)
    usual = "-" if "-" in separators else "_"
    return {tag: found for tag, (separator, found) in parsed.items() if separator in ("", usual)}


def _is_plausible(parsed: Mapping[str, Parsed], style: str) -> bool:
    """Whether so many letters are in use that it is no accident: a lone "NN-S" or "n" is not a scheme."""
    letters = {letter for letter, _ in parsed.values()}
    if style == "first":
        return bool(letters & set("BI")) or (OUTSIDE in letters and bool(letters & set(END + SINGLE)))
    return "B" in letters and bool(letters & set(INSIDE + END + OUTSIDE))


def _is_iob1(scheme: Scheme, sentences: Sequence[Sequence[str]]) -> bool:
    """Whether entities begin with I, and B stands only right behind an entity of its type."""
    opened = False
    for tags in sentences:
        before: Parsed = (OUTSIDE, "")
        for tag in tags:
            letter, kind = now = scheme.parsed.get(tag, (OUTSIDE, ""))
            if letter == "B" and before[1] != kind:
                return False
            opened |= letter == "I" and before[1] != kind
            before = now
    return opened
