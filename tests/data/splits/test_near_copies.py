"""Sketches and groups of near copies, beside the exact Jaccard similarity."""

import collections
import random

import numpy as np
import pytest

from tfpretune.data.splits import near_copies as module
from tfpretune.data.splits.near_copies import CopyCounts, Forest, near_copies
from tfpretune.data.splits.sketches import FEWEST_WORDS, VALUES, sketch

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def words_of(generator, count):
    return ["".join(generator.choices(ALPHABET, k=6)) for _ in range(count)]


def jaccard(first, second):
    runs = [{tuple(words[at : at + 3]) for at in range(len(words) - 2)} for words in (first, second)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def groups_of(texts, total=None):
    """Returns the groups of two or more texts, as sets of texts."""
    rows, sketches = sketch(texts)
    found = collections.defaultdict(set)
    for row, group in zip(rows, near_copies([sketches], total or len(texts)).groups, strict=True):
        found[group].add(texts[row])
    return {frozenset(group) for group in found.values() if len(group) > 1}


@pytest.mark.parametrize("changed", [0, 1, 4, 10, 40])
@pytest.mark.parametrize("length", [25, 200, 3000])
def test_a_sketch_estimates_the_jaccard_similarity(length, changed):
    """Of 255 values; four standard errors are at most .126."""
    generator = random.Random(length + changed)
    words = words_of(generator, length)
    other = list(words)
    for at in generator.sample(range(length), min(changed, length // 2)):
        other[at] = "changed" + other[at]
    _, values = sketch([" ".join(words), " ".join(other)])
    assert values.shape == (2, VALUES)
    expected = jaccard(words, other)
    error = 4 * np.sqrt(expected * (1 - expected) / VALUES)
    assert (values[0] == values[1]).mean() == pytest.approx(expected, abs=error + 1e-9)


def test_a_sketch_is_that_of_the_normal_form_and_of_words():
    words = [f"caf\u00e9{number}" for number in range(30)]
    texts = [
        " ".join(words),
        "  ".join(words).upper(),
        ", ".join(words) + "!",
        " ".join(words).replace("\u00e9", "e\u0301"),
    ]
    _, values = sketch(texts)
    assert (values == values[0]).all()


@pytest.mark.parametrize(
    "text",
    [
        "".join(chr(0x4E00 + 7 * number) for number in range(60)),
        "".join(chr(0x0E01 + number % 40) for number in range(60)),
        "".join(chr(0x3041 + number) for number in range(60)),
        " ".join(chr(0xAC00 + 28 * number) * 2 for number in range(60)),
        " ".join(f"\u0928\u092e\u0938\u094d\u0924\u0947{number}" for number in range(60)),
    ],
    ids=["Han", "Thai", "kana", "Hangul", "Devanagari"],
)
def test_every_script_has_words(text):
    """In scripts without spaces each character is one: a changed one in 60 leaves most runs."""
    half = len(text) // 2
    rows, values = sketch([text, text[:half] + "\u9f98\u9f98" + text[half + 1 :], "\u9f98 " * 60])
    assert rows.tolist() == [0, 1, 2]
    assert (values[0] == values[1]).mean() > 0.7
    assert (values[0] == values[2]).mean() < 0.05


def test_short_texts_have_no_sketch():
    words = words_of(random.Random(0), FEWEST_WORDS)
    texts = ["good", "very good", "", "\U0001f600" * 99, "!" * 99, " ".join(words[1:]), " ".join(words)]
    assert sketch(texts)[0].tolist() == [6]
    assert sketch([])[1].shape == (0, VALUES)


def test_chunks_do_not_change_a_sketch(monkeypatch):
    generator = random.Random(0)
    texts = [" ".join(words_of(generator, generator.choice([2, 30, 400]))) for _ in range(60)]
    rows, values = sketch(texts)
    monkeypatch.setattr("tfpretune.data.splits.sketches.CHUNK_CHARACTERS", 100)
    monkeypatch.setattr("tfpretune.data.splits.sketches._BLOCK", 64)
    again, same = sketch(iter(texts))
    np.testing.assert_array_equal(rows, again)
    np.testing.assert_array_equal(values, same)


def families(seed=0, count=40):
    """Texts of 50 words: of every one a copy with 3 other words, and a copy of that one with 3 more; and unrelated ones."""
    generator = random.Random(seed)
    found = []
    for _ in range(count):
        family = [words_of(generator, 50)]
        for _ in range(2):
            words = list(family[-1])
            for at in generator.sample(range(50), 3):
                words[at] = "new" + words[at]
            family.append(words)
        found.append(frozenset(" ".join(words) for words in family))
    return found, [" ".join(words_of(generator, 50)) for _ in range(200)]


@pytest.mark.parametrize("neighbours", [1, 8])
def test_chains_of_near_copies_are_groups_in_any_order(monkeypatch, neighbours):
    monkeypatch.setattr(module, "_NEIGHBOURS", neighbours)
    expected, others = families()
    texts = [text for family in expected for text in sorted(family)] + others
    for seed in range(3):
        random.Random(seed).shuffle(texts)
        assert groups_of(texts) == set(expected)
    doubled = groups_of([*texts, *(text.upper() for text in texts)])  # equal contents change no group
    assert {frozenset(text.lower() for text in group) for group in doubled if len(group) > 2} == set(expected)


def test_several_tables_and_little_memory_give_the_same_groups(monkeypatch):
    expected, others = families()
    texts = sorted(others + [text for family in expected for text in family])
    _, sketches = sketch(texts)
    one = near_copies([sketches], len(texts))
    assert one.counts == CopyCounts(groups=40, texts=120)
    monkeypatch.setattr(module, "_KEYS_BYTES", 1)
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    many = near_copies([sketches[:1], sketches[1:1], sketches[1:100], sketches[100:]], len(texts))
    np.testing.assert_array_equal(one.groups, many.groups)


def test_texts_that_share_a_sentence_or_a_subject_are_no_near_copies():
    generator = random.Random(0)
    shared = " ".join(words_of(generator, 10))
    assert groups_of([f"{shared} {' '.join(words_of(generator, 50))}" for _ in range(100)]) == set()
    few = words_of(generator, 30)  # the same words in any order
    assert groups_of([" ".join(generator.sample(few, 30)) for _ in range(100)]) == set()


def test_a_form_that_is_filled_in_is_taken_apart_and_told():
    """100 of 500 texts are one form with other words: no group of a fifth of all; two that differ in a word stay together."""
    generator = random.Random(0)
    form = words_of(generator, 40)
    filled = [" ".join([*form[:20], *words_of(generator, 8), *form[20:]]) for _ in range(99)]
    filled.append(filled[0] + " end")
    others = [" ".join(words_of(generator, 40)) for _ in range(400)]
    _, sketches = sketch([*filled, *others])
    found = near_copies([sketches], 500)
    assert found.counts == CopyCounts(groups=1, texts=2, too_alike=100)
    assert found.groups[0] == found.groups[99]
    assert near_copies([sketches], 5000).counts == CopyCounts(groups=1, texts=100)  # a fiftieth of all: one group


def test_of_a_small_set_ten_may_be_copies():
    generator = random.Random(0)
    form = words_of(generator, 40)
    texts = [" ".join([*form, *words_of(generator, 2)]) for _ in range(11)]
    assert len(groups_of(texts[:10])) == 1
    _, sketches = sketch(texts)
    assert near_copies([sketches], 11).counts.too_alike == 11


def test_no_texts_have_no_groups():
    assert near_copies([], 0).counts == CopyCounts()
    assert near_copies([np.zeros((0, VALUES), np.uint16)], 3).groups.tolist() == []


def test_a_forest_joins_in_any_order():
    one, other = Forest(8), Forest(8)
    one.join(np.array([6, 1, 3, 6]), np.array([5, 2, 2, 3]))
    other.join(np.array([5, 3]), np.array([3, 6]))
    other.join(np.array([2, 1]), np.array([6, 2]))
    assert one.roots(np.arange(8)).tolist() == other.roots(np.arange(8)).tolist() == [0, 1, 1, 1, 4, 1, 1, 7]
