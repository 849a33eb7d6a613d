"""What a new form of examples gets from the base, and what it has to say for it."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

from tfpretune.data.examples.base import ExampleSet, Origin, in_bytes
from tfpretune.data.examples.examples import Examples
from tfpretune.data.examples.masks import MaskExamples
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.examples.tagged import TaggedExamples
from tfpretune.data.readers.labels.column import LabelColumn
from tfpretune.data.splits.rule import PARTS
from tfpretune.data.splits.sides import find_positions
from tfpretune.data.text.cleaning import text_key


@dataclasses.dataclass(frozen=True, eq=False)
class Melodies(ExampleSet):
    """A toy: notes, each melody with a mood and the years that it was written and printed in."""

    COLUMNS: ClassVar = ("notes", "moods", "years", "where")

    notes: list[str]
    moods: np.ndarray | None
    years: dict[str, LabelColumn]
    where: list[str]
    name: str = "toys"
    origin: Origin | None = None

    def _sameness(self):
        return map(text_key, self.notes)

    def _places(self):
        return find_positions(lambda: [text_key(notes) for notes in self.notes])

    def _contents_and_labels(self):
        return map(in_bytes, self.notes), None if self.moods is None else (mood.tobytes() for mood in self.moods)


def melodies(count=40):
    notes = [f"c d {row // 2}" for row in range(count)]  # each stands there twice
    years = {"printed": LabelColumn(np.arange(count, dtype=np.int32), ("?",) * count)}
    return Melodies(notes, np.arange(count), years, [str(row) for row in range(count)])


def test_rows_are_taken_from_all_columns():
    taken = melodies().take([3, 0])
    assert (taken.notes, taken.moods.tolist(), taken.where) == (["c d 1", "c d 0"], [3, 0], ["3", "0"])
    assert taken.years["printed"].labels.tolist() == [3, 0]
    assert len(dataclasses.replace(taken, moods=None).take(np.array([True, False]))) == 1
    assert taken.take([1]).origin.rows.tolist() == [0]


def test_the_first_of_those_that_are_the_same_stays():
    assert melodies().without_duplicates().where == [str(row) for row in range(0, 40, 2)]


def test_parts_and_draws():
    source = melodies().without_duplicates()
    parts = [source.split(part, (0.5, 0.25, 0.25)).where for part in PARTS]
    assert sorted(sum(parts, []), key=int) == source.where
    again = source.sample(10, seed=1).split("train", (0.5, 0.25, 0.25)).where
    assert again
    assert set(again) <= set(parts[0])
    assert source.sample(10, seed=1).where != source.sample(10, seed=2).where


def test_what_a_run_that_goes_on_must_find_again():
    found = melodies().fingerprint()
    assert set(found) == {"contents", "labels"}
    moved = dataclasses.replace(melodies(), moods=np.arange(40)[::-1]).fingerprint()
    assert (moved["contents"] == found["contents"], moved["labels"] == found["labels"]) == (True, False)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="printed must have one value an input: expected 2, received 3"):
        dataclasses.replace(melodies(2), years={"printed": LabelColumn(np.zeros(3, np.int32), ("?",))})


def test_an_image_with_two_masks_stays_twice():
    images = Examples("image", np.zeros((3, 2, 2, 1), np.uint8), None, (), ["a", "b", "c"], "toys")
    masks = np.stack([np.zeros((2, 2)), np.ones((2, 2)), np.ones((2, 2))]).astype(np.uint8)
    assert MaskExamples(images, masks, ("x", "y")).without_duplicates().images.where == ["a", "b"]


def test_places_that_are_not_given_are_counted():
    texts = Examples("text", ["a", "b"])
    assert (texts.where, texts.name, texts.labels, texts.class_names) == (
        ["examples:1", "examples:2"],
        "examples",
        None,
        (),
    )
    assert texts.take([1]).where == ["examples:2"]
    assert TaggedExamples([("a",)], None, (), name="mine").where == ["mine:1"]
    assert QuestionExamples(["Who?"], ["Bob."], [()]).where == ["examples:1"]
    assert list(Examples("text", []).where) == []
