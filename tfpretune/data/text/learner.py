"""A WordPiece vocabulary from counted words, with tensorflow-text's learner. Imports no TensorFlow before it learns."""

import collections
import re
import zlib
from collections.abc import Mapping

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST_WHOLE = 20
"""Characters of a word that the learner takes whole: it counts all parts of a word, so time and memory grow with the square."""
WINDOW = 8
"""Characters of the windows into which longer words are cut for it; tokens of unspaced scripts are seldom longer."""
MOST_WINDOWS = 50_000
# Thai, Lao, Tibetan, Burmese, Khmer, Tai, Balinese, Javanese, kana: without spaces, a run of them is hardly ever seen twice.
_UNSPACED = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\u3040-\u30ff\u31f0-\u31ff\ua980-\ua9ff\uaa60-\uaa7f]"
)
# The same characters as `normalizers.CHINESE`, which stand alone and never go on a word; a test compares them.
_CHINESE = re.compile(
    "[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf\U0002f800-\U0002fa1f]"
)


def learn(counts: Mapping[str, int], vocabulary_size: int) -> list[str]:
    """Learns a vocabulary with which a word is unknown only if it holds a rare character.

    Each character that is not rare is a token, and behind `##` another one (but for Chinese characters, which never go on a
    word). Rare is what a corpus of over 100,000 words has once, and what would take more than half of the vocabulary. The
    tokenizer takes words of any length; the learner takes those of over 20 characters, and in scripts without spaces also those
    that are seen once, in windows of 8 characters.

    Args:
        counts: of each word, already normalized.
        vocabulary_size: upper bound of the number of tokens, the five special ones included.

    Returns:
        Tokens; the special ones come first, [PAD] with id 0, then the characters, then the rest from the most frequent down.
    """
    total = sum(counts.values())
    least = 2 if total > 100_000 else 1
    alphabet = find_alphabet(counts, vocabulary_size // 2, least=least)
    chinese = {character for character in alphabet if _CHINESE.match(character)}
    needed = dict.fromkeys([*SPECIAL_TOKENS, *sorted(alphabet), *(f"##{c}" for c in sorted(alphabet - chinese))])
    room = vocabulary_size - len(needed)
    whole, inside = (
        {word: count for word, count in words.items() if word not in chinese and alphabet.issuperset(word)}
        for words in learnable(counts, least)
    )
    bounds = {"most": max(100, 2 * total // vocabulary_size), "least": least}
    starts = _learn(whole, vocabulary_size - len(chinese), **bounds)
    goes_on = [f"##{token.removeprefix('##')}" for token in _learn(inside, vocabulary_size - len(chinese), **bounds)]
    share = _size(inside) / max(_size(whole) + _size(inside), 1)
    pieces = [token for token in dict.fromkeys(goes_on) if token not in needed][: round(room * share)]
    taken = {*needed, *pieces}
    pieces += [token for token in starts if token not in taken][: room - len(pieces)]
    kept = {*needed, *pieces}
    order = [*SPECIAL_TOKENS, *sorted(alphabet), *(token for token in [*starts, *goes_on] if token in kept), *needed]
    return list(dict.fromkeys(order))


def find_alphabet(counts: Mapping[str, int], slots: int, *, least: int = 1) -> set[str]:
    """Returns the most frequent characters of words that have a place in the vocabulary.

    Args:
        counts: of each word.
        slots: tokens that the characters may take: one for a Chinese character, two for any other.
        least: a character that is seen less often is left out.
    """
    seen: collections.Counter[str] = collections.Counter()
    for word, count in counts.items():
        for character in word:
            seen[character] += count
    alphabet: set[str] = set()
    for character, count in sorted(seen.items(), key=lambda pair: (-pair[1], pair[0])):
        slots -= 1 if _CHINESE.match(character) else 2
        if slots < 0 or count < least:
            break
        alphabet.add(character)
    return alphabet


def learnable(counts: Mapping[str, int], least: int) -> tuple[dict[str, int], dict[str, int]]:
    """Returns the words that the learner takes, with their counts: whole ones, and windows of what goes on a word.

    The start of a run in a script without spaces counts as a word; long words of other scripts begin as short ones do.
    """
    whole: dict[str, int] = {}
    first: collections.Counter[str] = collections.Counter()
    inside: collections.Counter[str] = collections.Counter()
    for word, count in counts.items():
        unspaced = _UNSPACED.search(word) is not None
        if len(word) <= LONGEST_WHOLE and count >= least:
            whole[word] = count
        elif count >= least or unspaced:
            if unspaced:
                first[word[:WINDOW]] += count
            for start in range(WINDOW if unspaced else 0, len(word), WINDOW):
                inside[word[start : start + WINDOW]] += count
    for window, count in _most_frequent(first).items():
        whole[window] = whole.get(window, 0) + count
    return whole, _most_frequent(inside)


def _most_frequent(windows: Mapping[str, int]) -> dict[str, int]:
    """Of windows that are seen once a hash chooses: the order of their letters would take one script and not another."""
    order = sorted(windows.items(), key=lambda pair: (-pair[1], zlib.crc32(pair[0].encode()), pair[0]))
    return dict(order[:MOST_WINDOWS])


def _size(words: Mapping[str, int]) -> int:
    return sum(len(word) * count for word, count in words.items())


def _learn(counts: Mapping[str, int], vocabulary_size: int, *, most: int, least: int) -> list[str]:
    """Calls tensorflow-text's learner; its search starts near the count that the answer must have."""
    from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

    if not counts:
        return []
    return learner.learn(
        list(counts.items()),
        vocab_size=vocabulary_size,
        reserved_tokens=list(SPECIAL_TOKENS),
        upper_thresh=most,
        lower_thresh=least,
        num_iterations=2,
        slack_ratio=0.1,
        max_token_length=LONGEST_WHOLE,
        max_unique_chars=len({character for word in counts for character in word}),
    )
