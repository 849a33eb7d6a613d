"""Sentences with their true and their predicted tags."""

from collections.abc import Iterator, Mapping, Sequence

from tfpretune.evaluation.report.page import Section, escape
from tfpretune.evaluation.report.plots import NUM_COLOURS

MOST_WORDS = 60
Piece = tuple[str, str, bool]
"""Words, their tag ("" for none), and whether it is wrong."""


def tagged_sentences(
    words: Sequence[Sequence[str]],
    truth: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    where: Sequence[str],
    entities: bool,
    joiner: str = " ",
    most: int = 12,
) -> Section:
    """Returns the sentences with the most wrong tags: the true tags, and below them the predicted ones.

    Args:
        words: of each sentence.
        truth: a tag for each word.
        predicted: the same.
        where: the place of each sentence.
        entities: the tags are BIO: words of one entity are one piece, and words outside stand as they are.
        joiner: between two words.
        most: sentences.
    """
    wrong = [sum(a != b for a, b in zip(*tags, strict=True)) for tags in zip(truth, predicted, strict=True)]
    order = sorted(range(len(words)), key=lambda row: -wrong[row])
    shown = [row for row in order if wrong[row]][:most] or order[: min(3, most)]
    names = dict.fromkeys(_type(tag) for tags in (truth, predicted) for row in shown for tag in tags[row] if tag != "O")
    colours = {name: number % NUM_COLOURS for number, name in enumerate(sorted(names))}
    items = []
    for row in shown:
        start = _start(truth[row], predicted[row])
        cut = slice(start, start + MOST_WORDS)
        lines = "".join(
            f'<dt>{name}</dt><dd dir="auto">{"… " if start else ""}'
            f"{_line(words[row][cut], tags[cut], other[cut], colours, entities=entities, joiner=joiner)}"
            f"{' …' if len(words[row]) > start + MOST_WORDS else ''}</dd>"
            for name, tags, other in (("true", truth[row], predicted[row]), ("predicted", predicted[row], truth[row]))
        )
        items.append(f'<li><dl class="tagged">{lines}</dl><div class="muted">{escape(where[row])}</div></li>')
    count = sum(map(bool, wrong))
    said = f"Sentences with a wrong tag: {count:,} of {len(words):,}. Shown: {len(shown)}, those with the most first."
    said = said if count else f"No wrong tag in {len(words):,} sentences; these are the first."
    legend = "".join(
        f'<li><span class="colour" style="background: var(--series-{number})"></span>{escape(name)}</li>'
        for name, number in colours.items()
    )
    head = f'<p>{said} A dashed frame: the tags differ there.</p><ul class="legend" aria-label="Tags">{legend}</ul>'
    return Section("Sentences", f'{head}<ol class="sentences">{"".join(items)}</ol>' if items else "")


def _type(tag: str) -> str:
    """B-PER and I-PER are both PER."""
    return tag[2:] if tag[:2] in ("B-", "I-") else tag


def _start(truth: Sequence[str], predicted: Sequence[str]) -> int:
    """Where a long sentence is shown from: somewhat before its first wrong tag."""
    first = next((place for place, (a, b) in enumerate(zip(truth, predicted, strict=True)) if a != b), 0)
    return 0 if len(truth) <= MOST_WORDS else max(0, min(first - 10, len(truth) - MOST_WORDS))


def _line(
    words: Sequence[str],
    tags: Sequence[str],
    other: Sequence[str],
    colours: Mapping[str, int],
    *,
    entities: bool,
    joiner: str,
) -> str:
    shown = []
    for text, tag, wrong in _pieces(words, tags, other, entities=entities, joiner=joiner):
        if not tag and not wrong:
            shown.append(escape(text))
            continue
        colour = f' style="--tag: var(--series-{colours[_type(tag)]})"' if _type(tag) in colours else ""
        label = f"<small>{escape(_type(tag))}</small>" if tag else ""
        shown.append(f'<span class="tag{" off" if wrong else ""}"{colour}><bdi>{escape(text)}</bdi>{label}</span>')
    return joiner.join(shown)


def _pieces(
    words: Sequence[str], tags: Sequence[str], other: Sequence[str], *, entities: bool, joiner: str
) -> Iterator[Piece]:
    """Words of one entity in one piece; a piece is wrong where any of its tags is."""
    place = 0
    while place < len(words):
        end = place + 1
        if entities and tags[place] != "O":
            while end < len(words) and tags[end] == f"I-{_type(tags[place])}":
                end += 1
        wrong = list(tags[place:end]) != list(other[place:end])
        if tags[place] != "O" and entities and end < len(words) and other[end] == f"I-{_type(tags[place])}":
            wrong = True  # the other one goes on
        outside = entities and tags[place] == "O"
        yield joiner.join(words[place:end]), "" if outside else tags[place], wrong and not outside
        place = end
