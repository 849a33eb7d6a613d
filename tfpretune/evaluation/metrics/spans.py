"""Exact match and F1 of answers, as the official script of SQuAD defines them."""

import collections
import re
import string
import unicodedata
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
CHINESE = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f])")


def normalized(text: str, *, per_character: bool = False) -> list[str]:
    """Returns the words of an answer that are compared: lower case, without punctuation and the articles a, an, the.

    Args:
        text: the answer.
        per_character: each Chinese character is a word, and punctuation beyond ASCII is left out, too.
    """
    text = text.lower().translate(PUNCTUATION)
    if per_character:
        text = "".join(" " if unicodedata.category(character)[0] == "P" else character for character in text)
        text = CHINESE.sub(r" \1 ", text)
    return ARTICLES.sub(" ", text).split()


def exact_match(predicted: str, right: str, *, per_character: bool = False) -> float:
    """Returns 1.0 if the normalized answers are the same, else 0.0."""
    both = (normalized(text, per_character=per_character) for text in (predicted, right))
    return float(next(both) == next(both))


def answer_f1(predicted: str, right: str, *, per_character: bool = False) -> float:
    """Returns the F1 of the words that the normalized answers share; where one has none: 1.0 if both have none."""
    said, expected = (normalized(text, per_character=per_character) for text in (predicted, right))
    if not said or not expected:
        return float(said == expected)
    shared = (collections.Counter(said) & collections.Counter(expected)).total()
    return 2 * shared / (len(said) + len(expected))


def span_metrics(
    right: Sequence[Sequence[str]], predicted: Sequence[str], *, per_character: bool = False
) -> dict[str, float]:
    """Figures of answers, as SQuAD 2.0's script has them, but as shares in [0, 1].

    Args:
        right: the right answers of each question; none where the context has no answer. The best of them counts.
        predicted: one a question; "" says that there is no answer.
        per_character: for Chinese, see `normalized`.

    Returns:
        `exact_match`, `f1`, `questions`; and, where some questions have no answer, the same under `…/answerable` and
        `…/unanswerable`.

    Raises:
        ValueError: the lengths differ, or there are no questions.

    Examples:
        >>> from tfpretune.evaluation import span_metrics
        >>> metrics = span_metrics([["Paris", "in Paris"], ["two red cars"]], ["Paris", "red cars"])
        >>> metrics["exact_match"], round(metrics["f1"], 3)  # of the second: 2 * 2 / (3 + 2) = 0.8
        (0.5, 0.9)
    """
    if len(right) != len(predicted) or not right:
        raise ValueError(
            f"expected one answer for each of {len(right)} questions (at least 1), received {len(predicted)}"
        )
    scores = []
    for golds, answer in zip(right, predicted, strict=True):
        # The script drops right answers of which nothing is left, and takes "" where none remains.
        golds = [gold for gold in golds if normalized(gold, per_character=per_character)] or [""]
        scores.append(
            (
                max(exact_match(answer, gold, per_character=per_character) for gold in golds),
                max(answer_f1(answer, gold, per_character=per_character) for gold in golds),
            )
        )
    figures = _means(scores, "")
    kinds = [bool(golds) for golds in right]
    if not all(kinds):
        for kind, name in ((True, "/answerable"), (False, "/unanswerable")):
            figures |= _means([score for score, has in zip(scores, kinds, strict=True) if has == kind], name)
    return figures


def _means(scores: Sequence[tuple[float, float]], ending: str) -> dict[str, float]:
    if not scores:
        return {}
    exact, f1 = (sum(column) / len(scores) for column in zip(*scores, strict=True))
    return {f"exact_match{ending}": exact, f"f1{ending}": f1, f"questions{ending}": float(len(scores))}
