"""Figures of tags that are judged word by word, such as parts of speech, and the line to beat."""

import collections
from collections.abc import Sequence

from tfpretune.data.examples.tagged import TaggedExamples


def word_metrics(truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Figures over words, equal to scikit-learn's.

    Args:
        truth: the tags of each sentence.
        predicted: the same for what the model says.

    Returns:
        `word_accuracy`, the fraction of words with the right tag; `f1/TAG` and `support/TAG` of each tag that occurs, and the
        mean of the first, `f1_macro`; `support`, the words.

    Raises:
        ValueError: the sentences do not match.

    Examples:
        >>> from tfpretune.evaluation import word_metrics
        >>> metrics = word_metrics([["NOUN", "VERB", "NOUN", "NOUN"]], [["NOUN", "VERB", "VERB", "NOUN"]])
        >>> metrics["word_accuracy"], metrics["f1/NOUN"], round(metrics["f1/VERB"], 3)
        (0.75, 0.8, 0.667)
    """
    require_match(truth, predicted)
    pairs = collections.Counter(
        pair for tags, said in zip(truth, predicted, strict=True) for pair in zip(tags, said, strict=True)
    )
    there, found, right = (collections.Counter[str]() for _ in range(3))
    for (tag, said), count in pairs.items():
        there[tag] += count
        found[said] += count
        right[tag] += count * (tag == said)
    names = sorted({*there, *found})
    f1 = {name: 2 * right[name] / (there[name] + found[name]) for name in names}
    figures = {
        "word_accuracy": right.total() / max(there.total(), 1),
        "f1_macro": sum(f1.values()) / max(len(names), 1),
        "support": float(there.total()),
    }
    for name in names:
        figures |= {f"f1/{name}": f1[name], f"support/{name}": float(there[name])}
    return figures


def frequent_tags(train: TaggedExamples, test: TaggedExamples) -> list[list[str]]:
    """Tags each word as it is tagged most often in `train`, and new words with the most frequent tag: the line to beat.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import TaggedExamples
        >>> from tfpretune.evaluation import frequent_tags
        >>> tags = [np.array([0, 1, 0], "int32")]
        >>> train = TaggedExamples([("dogs", "bark", "cats")], tags, ("NOUN", "VERB"), ["mine:1"], "mine")
        >>> test = TaggedExamples([("cats", "bark", "loudly")], None, (), ["mine:2"], "mine")
        >>> frequent_tags(train, test)
        [['NOUN', 'VERB', 'NOUN']]
    """
    seen: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for words, tags in zip(train.words, train.tag_lists(), strict=True):
        for word, tag in zip(words, tags, strict=True):
            seen[word][tag] += 1
    usual = _most_frequent(sum(seen.values(), collections.Counter[str]()))
    known = {word: _most_frequent(tally) for word, tally in seen.items()}
    return [[known.get(word, usual) for word in words] for words in test.words]


def require_match(truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    """Raises ValueError unless there are as many sentences with as many tags on both sides."""
    if len(truth) != len(predicted):
        raise ValueError(f"expected {len(truth)} sentences, received {len(predicted)}")
    for row, (expected, received) in enumerate(zip(truth, predicted, strict=True)):
        if len(expected) != len(received):
            raise ValueError(f"sentence {row}: expected {len(expected)} tags, received {len(received)}")


def _most_frequent(tally: collections.Counter[str]) -> str:
    return max(sorted(tally), key=tally.__getitem__)
