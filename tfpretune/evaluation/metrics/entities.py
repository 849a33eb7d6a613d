"""Entities in sequences of tags, and precision, recall and F1 over whole entities."""

import collections
import re
from collections.abc import Sequence

from tfpretune.data.examples.tagged import TaggedExamples
from tfpretune.data.readers.tag_schemes import BEGIN, END, INSIDE, LETTERS, OUTSIDE, SINGLE
from tfpretune.evaluation.metrics.word_tags import require_match

Entity = tuple[str, int, int]
"""Type, first word and the word behind the last."""


def find_entities(tags: Sequence[str], *, strict: bool = False) -> list[Entity]:
    """Returns the entities in the tags of one sentence, in order.

    Args:
        tags: one a word, such as "O", "B-PER", "I-PER"; of BIOES, BILOU and BMES, too. Without a type it is "_".
        strict: IOB2 to the letter: an entity starts at a B- and goes on while I- of the same type follow; an I- that
            cannot follow belongs to none. Otherwise, as in conlleval and by default in seqeval, such an I- starts one.

    Raises:
        ValueError: a tag is none of entities, or, if `strict`, not of IOB2.
    """
    entities: list[Entity] = []
    kind, start, closed = "", 0, False
    for place, tag in enumerate([*tags, OUTSIDE]):
        letter, name = _letter_and_type(tag, BEGIN + INSIDE[0] if strict else LETTERS)
        if kind and name == kind and letter in INSIDE + END and not closed:
            closed = letter in END
            continue
        if kind:
            entities.append((kind, start, place))
        starts = letter in BEGIN + SINGLE or (letter != OUTSIDE and not strict)
        kind, start, closed = (name if starts else ""), place, letter in END + SINGLE
    return entities


def _letter_and_type(tag: str, letters: str) -> tuple[str, str]:
    if tag == OUTSIDE:
        return OUTSIDE, ""
    match = re.fullmatch(rf"([{letters}])(?:-(.*))?", tag, re.DOTALL)
    if match is None:
        raise ValueError(f"the tag {tag!r} is none of entities: expected O, or one of {', '.join(letters)} with -TYPE")
    return match[1], match[2] or "_"


def entity_metrics(
    truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, strict: bool = False
) -> dict[str, float]:
    """Figures over whole entities: one is right when its type, first and last word are. Equal to seqeval's.

    Args:
        truth: the tags of each sentence.
        predicted: the same for what the model says.
        strict: as for `find_entities`.

    Returns:
        `precision`, `recall`, `f1` over all entities (micro), `precision_macro`, … as the mean over the types that occur, and
        `precision/PER`, …, `support/PER` (how many there are) for each type. 0/0 counts as 0. `word_accuracy` is the share
        of words with the right tag.

    Raises:
        ValueError: the sentences do not match, or a tag is none of entities.

    Examples:
        >>> from tfpretune.evaluation import entity_metrics
        >>> truth, predicted = [["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]]
        >>> metrics = entity_metrics(truth, predicted)
        >>> metrics["f1"], metrics["word_accuracy"]  # the person lacks a word: of 2 entities 1 is right, of 4 words 3
        (0.5, 0.75)
    """
    require_match(truth, predicted)
    right, found, there = (collections.Counter[str]() for _ in range(3))
    for true_tags, tags in zip(truth, predicted, strict=True):
        expected, said = (set(find_entities(each, strict=strict)) for each in (true_tags, tags))
        there.update(kind for kind, _, _ in expected)
        found.update(kind for kind, _, _ in said)
        right.update(kind for kind, _, _ in expected & said)
    kinds = sorted({*there, *found})
    by_kind = {kind: _three(right[kind], found[kind], there[kind]) for kind in kinds}
    figures = _three(right.total(), found.total(), there.total())
    for name in ("precision", "recall", "f1"):
        figures[f"{name}_macro"] = sum(each[name] for each in by_kind.values()) / max(len(kinds), 1)
    figures["support"] = float(there.total())
    words = sum(map(len, truth))
    same = sum(a == b for each, other in zip(truth, predicted, strict=True) for a, b in zip(each, other, strict=True))
    figures["word_accuracy"] = same / max(words, 1)
    for kind, three in by_kind.items():
        figures |= {f"{name}/{kind}": value for name, value in three.items()} | {f"support/{kind}": float(there[kind])}
    return figures


def dictionary_tags(train: TaggedExamples, test: TaggedExamples) -> list[list[str]]:
    """Tags sentences without a model, from left to right by the longest name that is in a dictionary: the line to beat.

    The dictionary holds the entities of `train`, each with its most frequent type, that are right in half of the places of
    `train` where they are found, or more. Where a word is a character, names of one character are left out.

    Args:
        train: with tags.
        test: the sentences to tag.

    Returns:
        BIO tags of each sentence of `test`.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import TaggedExamples
        >>> from tfpretune.evaluation import dictionary_tags
        >>> tags = [np.array([1, 2, 0], "int32")]
        >>> train = TaggedExamples([("New", "York", "sleeps")], tags, ("O", "B-LOC", "I-LOC"), ["mine:1"], "mine")
        >>> test = TaggedExamples([("In", "New", "York")], None, (), ["mine:2"], "mine")
        >>> dictionary_tags(train, test)
        [['O', 'B-LOC', 'I-LOC']]
    """
    seen: dict[tuple[str, ...], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    truth = [find_entities(tags) for tags in train.tag_lists()]
    for words, entities in zip(train.words, truth, strict=True):
        for kind, start, end in entities:
            if end - start > 1 or train.joiner:
                seen[words[start:end]][kind] += 1
    kinds = {name: max(sorted(tally), key=tally.__getitem__) for name, tally in seen.items()}
    lengths = sorted({len(name) for name in kinds}, reverse=True)
    score: collections.Counter[tuple[str, ...]] = collections.Counter()
    for words, entities in zip(train.words, truth, strict=True):
        for kind, start, end in find_entities(_look_up(words, kinds, lengths)):
            score[words[start:end]] += 1 if (kind, start, end) in entities else -1
    kinds = {name: kind for name, kind in kinds.items() if score[name] >= 0}
    return [_look_up(words, kinds, lengths) for words in test.words]


def _look_up(words: tuple[str, ...], kinds: dict[tuple[str, ...], str], lengths: Sequence[int]) -> list[str]:
    tags: list[str] = []
    while len(tags) < len(words):
        at = len(tags)
        left = len(words) - at
        length = next((size for size in lengths if size <= left and words[at : at + size] in kinds), 0)
        kind = kinds[words[at : at + length]] if length else ""
        tags += [f"B-{kind}", *[f"I-{kind}"] * (length - 1)] if length else [OUTSIDE]
    return tags


def _three(right: int, found: int, there: int) -> dict[str, float]:
    return {
        "precision": right / found if found else 0.0,
        "recall": right / there if there else 0.0,
        "f1": 2 * right / (found + there) if found + there else 0.0,
    }
