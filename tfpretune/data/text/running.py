"""The running text that words are cut from, as far as the words tell. Imports no TensorFlow."""

import itertools
import re
from collections.abc import Sequence

# Scripts without spaces between words. Chinese and Japanese have none to numbers and foreign words either.
_EAST_ASIAN = re.compile(
    "[\u2e80-\u2fff\u3000-\u30ff\u3100-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)
_SOUTH_EAST_ASIAN = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf]"
)
_NOT = re.compile("n['\u2019]t", re.IGNORECASE)


def running_text(words: Sequence[str], joiner: str = " ") -> str:
    """Joins words as people write them: without spaces in Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan, and n't.

    Marks of punctuation need no rule here: they stand alone for a tokenizer, with a space before them or without.

    Args:
        words: of a sentence.
        joiner: what stands between words otherwise.

    Examples:
        >>> running_text(["We", "do", "n't", "know"]), running_text(["食べ", "まし", "た", "。"])
        ("We don't know", '食べました。')
    """
    between = (joiner if _apart(left, right) else "" for left, right in itertools.pairwise(words))
    return "".join(itertools.chain.from_iterable(itertools.zip_longest(words, between, fillvalue="")))


def _apart(left: str, right: str) -> bool:
    last, first = left[-1:], right[:1]
    if _EAST_ASIAN.match(last) or _EAST_ASIAN.match(first):
        return False
    if _SOUTH_EAST_ASIAN.match(last) and _SOUTH_EAST_ASIAN.match(first):
        return False
    return not _NOT.fullmatch(right)
