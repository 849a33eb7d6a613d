"""Questions with their passage, the true answer and the predicted one."""

from collections.abc import Sequence
from typing import NamedTuple

from tfpretune.evaluation.report.page import Section, escape

BESIDE = 160


class Asked(NamedTuple):
    """A question as the page shows it.

    Attributes:
        question: as it was asked.
        context: the passage.
        answer: the right answer; "" where the passage has none.
        start: where it stands in the passage.
        found: what the model answered; "" for no answer.
        score: how well that fits, in [0, 1].
        where: the place of the question.
    """

    question: str
    context: str
    answer: str
    start: int
    found: str
    score: float
    where: str


def asked_questions(asked: Sequence[Asked], *, most: int = 12, right: int = 3) -> Section:
    """Returns the questions that were answered worst, and a few that were answered rightly.

    Args:
        asked: all of the test set.
        most: of those with a wrong answer.
        right: of the others.
    """
    order = sorted(range(len(asked)), key=lambda row: asked[row].score)
    wrong = [row for row in order if asked[row].score < 1]
    good = [row for row in order if asked[row].score >= 1]
    shown = [*wrong[:most], *good[:right]]
    said = (
        f"Answers that are not exactly right: {len(wrong):,} of {len(asked):,}. "
        f"Shown: the worst first, {min(most, len(wrong))} of them, and {min(right, len(good))} right ones."
    )
    key = (
        '<ul class="legend" aria-label="Answers"><li><mark class="true">the true answer</mark></li>'
        '<li><mark class="found">what was answered</mark></li><li><mark class="both">both</mark></li></ul>'
    )
    items = "".join(_item(asked[row]) for row in shown)
    return Section("Questions", f'<p>{said}</p>{key}<ol class="sentences">{items}</ol>' if shown else "")


def _item(one: Asked) -> str:
    answer = f"<bdi>{escape(one.answer)}</bdi>" if one.answer else "no answer"
    found = f"<bdi>{escape(one.found)}</bdi>" if one.found else "no answer"
    return (
        f'<li><p dir="auto"><b>{escape(one.question)}</b></p><blockquote dir="auto">{_passage(one)}</blockquote>'
        f'<dl class="tagged"><dt>true</dt><dd>{answer}</dd><dt>answered</dt><dd>{found}</dd></dl>'
        f'<div class="muted">F1 {one.score:.2f}, {escape(one.where)}</div></li>'
    )


def _passage(one: Asked) -> str:
    """The passage around both answers, with each of them marked."""
    true = range(one.start, one.start + len(one.answer)) if one.answer else range(0)
    place = one.start if one.found == one.answer else one.context.find(one.found)
    found = range(place, place + len(one.found)) if one.found and place >= 0 else range(0)
    ends = [each for each in (true, found) if each]
    first = max(0, min((each.start for each in ends), default=0) - BESIDE)
    last = min(len(one.context), max((each.stop for each in ends), default=0) + BESIDE)
    if last - first > 6 * BESIDE:  # far apart: the true answer, or else the other
        first, last = max(0, ends[0].start - BESIDE), min(len(one.context), ends[0].stop + BESIDE)
    edges = sorted({first, last, *(edge for each in ends for edge in (each.start, each.stop) if first < edge < last)})
    shown = ["… " if first else ""]
    for start, end in zip(edges, edges[1:], strict=False):
        text = escape(one.context[start:end])
        kind = {(True, True): "both", (True, False): "true", (False, True): "found"}.get(
            (start in true, start in found)
        )
        shown.append(f'<mark class="{kind}">{text}</mark>' if kind else text)
    return "".join([*shown, " …" if last < len(one.context) else ""])
