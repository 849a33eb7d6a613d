"""Pairs of paragraphs of the BBC's news: are they from the same article? Imports no TensorFlow."""

import collections
from collections.abc import Sequence
from pathlib import Path

from tfpretune.data.demo.news import bbc_articles
from tfpretune.data.readers.records import Records
from tfpretune.data.text.cleaning import clean, text_key

SHORTEST = 80
"""Characters; shorter paragraphs are titles, captions and calls."""
MOST_PAIRS = 3
"""Of one article, so that long ones do not take over."""
TOGETHER = 4
"""Articles of one topic that exchange paragraphs, and stay on one side of a split."""

Pair = tuple[str, str, str]
"""Two paragraphs and where they stand."""


def read_bbc_pairs(folder: Path) -> Records:
    """Makes pairs of paragraphs, half of them from the same article, the others from two articles of the same topic.

    Each paragraph stands in one pair of either kind, so no paragraph alone tells the answer, and neither does the topic.
    The group of a pair is that of its articles: no article is on two sides of a split by groups.
    """
    rows = Records("text", class_names=("different", "same"))
    for topic, articles in _articles(folder).items():
        for number in range(0, len(articles) - TOGETHER + 1, TOGETHER):
            last = number + 2 * TOGETHER > len(articles)
            members = articles[number:] if last else articles[number : number + TOGETHER]
            pairs = balanced(members)
            shift = max(collections.Counter(place for _, _, place in pairs).values(), default=0)
            for row, (first, second, place) in enumerate(pairs):
                _, other, other_place = pairs[(row + shift) % len(pairs)]
                rows.add_text(first, "same", place, second=second)
                rows.add_text(first, "different", f"{place} and {other_place}", second=other)
                rows.groups += [f"{topic}/{number}"] * 2
    return rows


def balanced(articles: Sequence[Sequence[Pair]]) -> list[Pair]:
    """Returns the pairs of all articles, one article behind the other, such that none has more than half of them.

    Then the second paragraphs, moved on by as many places as the largest article has, all come from another article.
    """
    kept = [list(pairs[:MOST_PAIRS]) for pairs in articles]
    while 2 * max(map(len, kept)) > sum(map(len, kept)):
        max(kept, key=len).pop()
    return [pair for pairs in kept for pair in pairs]


def _articles(folder: Path) -> dict[str, list[list[Pair]]]:
    """Returns the pairs of each different article by topic, articles in the order of their hashes."""
    texts: dict[bytes, tuple[str, str, str]] = {}
    for topic, file, text in bbc_articles(folder):
        texts.setdefault(text_key(text), (topic, file, text))
    counts = collections.Counter(text_key(line) for _, _, text in texts.values() for line in set(text.split("\n")))
    articles = collections.defaultdict(list)
    for _, (topic, file, text) in sorted(texts.items()):
        lines = [clean(line) for line in text.split("\n")[1:]]
        lines = [line for line in lines if len(line) >= SHORTEST and counts[text_key(line)] == 1]
        place = f"demo:bbc-pairs/{topic}/{file}"
        pairs = [(lines[at], lines[at + 1], place) for at in range(0, len(lines) - 1, 2)]
        if pairs:
            articles[topic].append(pairs)
    return articles
