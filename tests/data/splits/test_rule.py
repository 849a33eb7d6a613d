"""The rule by which all forms of examples are split."""

import dataclasses
import random

import numpy as np
import pytest

from tfpretune.data.examples.examples import PARTS, Examples
from tfpretune.data.examples.masks import MaskExamples
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.examples.tagged import TaggedExamples
from tfpretune.data.readers.question_records import Answer
from tfpretune.data.splits.rule import sides_of
from tfpretune.data.splits.sides import find_positions, hash_positions, leading_numbers

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def long_texts(count, seed=0):
    """Unrelated texts of 30 words."""
    generator = random.Random(seed)
    return [" ".join("".join(generator.choices(ALPHABET, k=6)) for _ in range(30)) for _ in range(count)]


def with_copies(texts):
    """Each text, and a near copy of it: another first word, another form, one word more."""
    return texts + [f"another {text.split(' ', 1)[1].title()} word" for text in texts]


def examples_of(texts, **more):
    return Examples("text", texts, None, (), [str(row) for row in range(len(texts))], "toys", **more)


def sides(examples, fractions=(0.5, 0.25, 0.25)):
    """Returns place -> part."""
    found = {where: part for part in PARTS for where in examples.split(part, fractions).where}
    assert len(found) == len(examples)
    return found


def pairs(texts):
    return examples_of(texts[: len(texts) // 2], seconds=[*texts[len(texts) // 2 :]])


def tagged(texts):
    words = [tuple(text.split()) for text in texts]
    return TaggedExamples(words, None, (), [str(row) for row in range(len(texts))], "toys")


def questions(texts):
    rows = [str(row) for row in range(len(texts))]
    return QuestionExamples([f"what is {row}" for row in rows], texts, [()] * len(texts), rows, "toys")


@pytest.mark.parametrize("make", [examples_of, tagged, questions])
def test_near_copies_are_on_one_side_whatever_the_form(make):
    texts = with_copies(long_texts(60))
    found = sides(make(texts))
    assert all(found[str(row)] == found[str(row + 60)] for row in range(60))
    assert len(set(found.values())) == 3
    assert make(texts).near_copies() == {"near_copies": 120, "near_copy_groups": 60}


def test_pairs_are_compared_by_both_texts_and_either_way_round():
    first, second, third = (long_texts(60, seed) for seed in range(3))
    source = examples_of([*first, *second, *first], seconds=[*second, *first, *third])
    found = sides(source)
    assert all(found[str(row)] == found[str(row + 60)] for row in range(60))  # (a, b) and (b, a)
    assert any(found[str(row)] != found[str(row + 120)] for row in range(60))  # (a, b) and (a, c)


def test_short_texts_are_split_by_content_alone():
    texts = [f"very good {number}" for number in range(300)]
    source = examples_of(texts)
    assert source.near_copies() == {"near_copies": 0, "near_copy_groups": 0}
    expected = sides_of(hash_positions(leading_numbers(source.keys())), (0.8, 0.1, 0.1))
    assert [PARTS[side - 1] for side in expected] == [sides(source, (0.8, 0.1, 0.1))[str(row)] for row in range(300)]


def test_a_copy_that_is_added_moves_its_own_group_only():
    texts = long_texts(100)
    before, after = sides(examples_of(texts)), sides(examples_of([*texts, *with_copies(texts[:5])[5:]]))
    assert {row for row in before if before[row] != after[row]} <= {str(row) for row in range(5)}


def test_in_order_a_group_is_on_the_side_of_its_first_text():
    texts = long_texts(20)
    texts[19] = texts[0] + " end"  # in the order of the source it would be of the test split
    texts[10] = texts[18].upper()  # equal contents, too
    source = examples_of(texts, in_order=True)
    found = sides(source, (0.5, 0.25, 0.25))
    assert [found[str(row)] for row in (0, 9, 19, 10, 14, 15, 18)] == [
        *("train", "train", "train", "validation", "validation", "test", "validation")
    ]


def test_in_order_groups_go_with_their_near_copies():
    texts = long_texts(20)
    texts[19] = texts[2] + " end"
    found = sides(examples_of(texts, in_order=True, groups=np.repeat(np.arange(10), 2)), (0.5, 0.2, 0.3))
    assert [found[str(row)] for row in (2, 3, 18, 19, 17)] == ["train"] * 4 + ["test"]


def test_groups_that_near_copies_join_are_on_one_side():
    texts = long_texts(200)
    groups = np.array([f"author {row % 100}" for row in range(200)])
    texts[101] = texts[0] + " end"  # authors 0 and 1
    found = sides(examples_of(texts, groups=groups))
    assert len({found[str(row)] for row in (0, 100, 1, 101)}) == 1
    assert all(found[str(row)] == found[str(row + 100)] for row in range(100))


def test_groups_that_near_copies_would_chain_together_stay_groups(capsys):
    """Sixteen authors of a hundred who all quote one text: they are no group of a sixth of all, and it is said."""
    texts = long_texts(200)
    groups = np.array([f"author {row % 100}" for row in range(200)])
    for row in range(15):
        texts[row] = f"{texts[150]} by {row}"
    source = examples_of(texts, groups=groups)
    found = sides(source)
    assert len({found[str(row)] for row in range(15)}) > 1
    assert all(found[str(row)] == found[str(row + 100)] for row in range(100))
    assert capsys.readouterr().out.count("note: toys: 16 texts are so alike that they would be a group") == 1


def test_what_is_left_of_a_source_stays_on_its_side():
    """A sample, a source without its duplicates and one with other labels are split as the whole is."""
    texts = with_copies(long_texts(60)) + long_texts(3)
    random.Random(0).shuffle(texts)
    for more in ({}, {"in_order": True}):
        source = examples_of(texts, **more)
        found = sides(source)
        for some in (source.without_duplicates(), source.sample(50, seed=1), source.take(np.arange(123)[::-1])):
            again = sides(dataclasses.replace(some, labels=np.zeros(len(some), np.int32), class_names=("a",)))
            assert again.items() <= found.items()


def test_masks_are_split_as_their_images():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype(np.uint8)
    images = Examples("image", pixels, None, (), [str(row) for row in range(40)], "toys")
    masks = MaskExamples(images, pixels[..., 0] % 2, ("a", "b"))
    for part in PARTS:
        assert masks.split(part).images.where == images.split(part).where
    assert images.near_copies() == {}


def test_positions_by_hand():
    places = find_positions(lambda: [b"\x00" * 32, b"\x80" + b"\x00" * 31, b"\x00" * 32])
    assert places.positions.tolist() == [0.0, 0.5, 0.0]
    ordered = find_positions(lambda: [b"b" * 32, b"a" * 32, b"b" * 32, b"c" * 32], in_order=True)
    assert ordered.positions.tolist() == [0.125, 0.375, 0.125, 0.875]
    grouped = find_positions(list, groups=["x", "y", "x", "z"], in_order=True)
    np.testing.assert_allclose(grouped.positions, [1 / 6, 1 / 2, 1 / 6, 5 / 6])
    assert find_positions(list, texts=[]).positions.tolist() == []


def test_a_fingerprint_changes_with_contents_labels_and_order():
    labels = np.array([0, 1, 0, 1], np.int32)
    one = Examples("text", ["a", "b", "c", "d"], labels, ("x", "y"), ["1", "2", "3", "4"], "toys")
    found = one.fingerprint()
    assert list(found) == ["contents", "labels"]
    moved = dataclasses.replace(one, where=["elsewhere"] * 4, name="other", license="mine")
    assert moved.fingerprint() == found
    swapped = dataclasses.replace(one, labels=1 - labels).fingerprint()
    assert swapped["contents"] == found["contents"]
    assert swapped["labels"] != found["labels"]
    for other in (
        dataclasses.replace(one, inputs=["A", "b", "c", "d"]),
        dataclasses.replace(one, inputs=["ab", "", "c", "d"]),
        dataclasses.replace(one, seconds=["", "", "", ""]),
        one.take([1, 0, 3, 2]),
        one.take([0, 1, 2]),
    ):
        assert other.fingerprint()["contents"] != found["contents"]


def test_a_fingerprint_of_every_form_tells_its_labels(tmp_path):
    words, tags = [("a", "b"), ("c",)], [np.array([0, 1], np.int32), np.array([1], np.int32)]
    sentences = TaggedExamples(words, tags, ("O", "X"), ["1", "2"], "toys")
    other = dataclasses.replace(sentences, tags=[tags[0][::-1], tags[1]])
    rows = {"where": ["1"], "name": "toys"}
    question = QuestionExamples(["who"], ["Ann and Bob"], [(Answer("Ann", 0),)], **rows)
    bob = dataclasses.replace(question, answers=[(Answer("Bob", 8),)])
    images = Examples("image", np.zeros((2, 2, 2, 1), np.uint8), None, (), ["1", "2"], "toys")
    masks, filled = (MaskExamples(images, np.full((2, 2, 2), value, np.uint8), ("a", "b")) for value in (0, 1))
    for one, changed in ((sentences, other), (question, bob), (masks, filled)):
        assert one.fingerprint()["contents"] == changed.fingerprint()["contents"]
        assert one.fingerprint()["labels"] != changed.fingerprint()["labels"]
    for folder, name in (("one", "a"), ("two", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"image")
    paths = [str(tmp_path / "one" / "a"), str(tmp_path / "two" / "b")]
    first, second = (Examples("image", [path], None, (), ["1"], "toys").fingerprint() for path in paths)
    assert first == second
