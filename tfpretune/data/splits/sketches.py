"""MinHash sketches of texts: as many values of two sketches agree as the texts have three-word runs in common.

Broder 1997, "On the resemblance and containment of documents". A word is a run of letters and digits; in scripts that are
written without spaces every character is one. Imports no TensorFlow.
"""

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tfpretune.data.text.cleaning import normal_form

VALUES = 255
"""Values of a sketch, 16 bits each. The fraction of those that agree is the Jaccard similarity, give or take 0.03."""
RUN = 3
"""Words of a run."""
FEWEST_WORDS = 20
"""Shorter texts have no sketch: "very good" and "very good!" are not copies of each other."""
CHUNK_CHARACTERS = 1 << 18

_UNSPACED = (  # Thai and Lao, Myanmar, Khmer, kana, Han
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF)),
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x20000, 0x3FFFF)),
)
_UNKNOWN, _OTHER, _OF_WORD, _WORD = range(4)
_kinds = np.zeros(0x110000, np.uint8)  # of every character that was met
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_BASE, -1, 1 << 64)
_BLOCK = 1 << 15  # runs at once: they stay in the cache


def sketch(texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sketches texts.

    Args:
        texts: any number; about 260,000 characters are worked on at once.

    Returns:
        The positions of the texts that have a sketch, int64 `(n,)`, and the sketches, uint16 `(n, 255)`. A sketch depends on
        the normal form of its text alone.
    """
    found = list(sketch_chunks(texts))
    return (
        np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in found)]),
        np.concatenate([np.zeros((0, VALUES), np.uint16), *(values for _, values in found)]),
    )


def sketch_chunks(texts: Iterable[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields what `sketch` returns, a chunk of texts at a time."""
    chunk: list[str] = []
    start = characters = 0
    for text in texts:
        chunk.append(normal_form(text))
        characters += len(text)
        if characters >= CHUNK_CHARACTERS:
            rows, values = _sketch(chunk)
            yield rows + start, values
            start, characters = start + len(chunk), 0
            chunk = []
    rows, values = _sketch(chunk)
    yield rows + start, values


def _sketch(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    words, owners = _words(texts)
    rows = np.flatnonzero(np.bincount(owners, minlength=len(texts)) >= FEWEST_WORDS)
    runs = len(words) - RUN + 1
    if not len(rows):
        return rows, np.zeros((0, VALUES), np.uint16)
    hashes = words[:runs]
    for place in range(1, RUN):
        hashes = _mixed(hashes * np.uint64(_BASE) + words[place : place + runs])
    kept = (owners[:runs] == owners[RUN - 1 :]) & np.isin(owners[:runs], rows)
    return rows, _least(hashes[kept], owners[:runs][kept])


def _words(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns a hash of each word, uint64, and the number of its text. A hash is a polynomial of the word's characters."""
    joined = "".join(f"{text}\n" for text in texts)
    characters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _kinds_of(characters)
    goes_on = np.concatenate([[False], (kinds[1:] == _OF_WORD) & (kinds[:-1] == _OF_WORD)])[: len(kinds)]
    starts = np.flatnonzero((kinds >= _OF_WORD) & ~goes_on)
    breaks = np.flatnonzero(~goes_on)  # a word ends where the next one starts, or what is not a word
    ends = breaks[np.searchsorted(breaks, starts, side="right")] if len(starts) else starts
    size = 1 << len(joined).bit_length()
    powers, inverses = _powers(_BASE, size)[: len(joined)], _powers(_INVERSE, size)
    sums = np.zeros(len(joined) + 1, np.uint64)
    np.cumsum((characters + np.uint64(1)) * powers, out=sums[1:])
    ends_of_texts = np.cumsum([len(text) + 1 for text in texts]) if len(texts) else np.zeros(0, np.int64)
    return _mixed((sums[ends] - sums[starts]) * inverses[starts]), np.searchsorted(ends_of_texts, starts, side="right")


def _kinds_of(characters: np.ndarray) -> np.ndarray:
    kinds = _kinds[characters]
    if (kinds == _UNKNOWN).any():
        for code in np.unique(characters[kinds == _UNKNOWN]).tolist():
            of_word = unicodedata.category(chr(code))[0] in "LMN"
            alone = any(low <= code <= high for low, high in _UNSPACED)
            _kinds[code] = (_WORD if alone else _OF_WORD) if of_word else _OTHER
        kinds = _kinds[characters]
    return kinds


@functools.lru_cache(maxsize=4)
def _powers(base: int, count: int) -> np.ndarray:
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Spreads every bit of uint64 values over all others (the finalizer of SplitMix64, Steele et al. 2014)."""
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def _least(hashes: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Returns for each text the least of its hashes, under 255 orders of all 32-bit numbers: uint16 `(texts, 255)`.

    An order is a product with an odd number modulo 2**32. Of the least product 16 bits are kept.
    """
    orders = _mixed(np.arange(1, VALUES + 1, dtype=np.uint64) * np.uint64(_BASE)).astype(np.uint32) | np.uint32(1)
    starts = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]]))
    ends = np.append(starts[1:], len(owners))
    high = (hashes >> np.uint64(32)).astype(np.uint32)
    least = np.empty((VALUES, len(starts)), np.uint32)
    first = 0
    while first < len(starts):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + _BLOCK, side="right")))
        block, places = high[starts[first] : ends[last - 1]], starts[first:last] - starts[first]
        for number, order in enumerate(orders):
            least[number, first:last] = np.minimum.reduceat(block * order, places)
        first = last
    # the high bits of a least value are 0 in long texts: what tells two apart is below
    return np.ascontiguousarray(_mixed(least.astype(np.uint64)).astype(np.uint16).T)
