"""What a row of results has of each kind of answer."""

import pytest

from tfpretune.serving.asking.cells import cells_of, entities_of

CLASS = {"probabilities": [0.25, 0.75], "label": "glad", "scores": [0.0, 1.0]}
CLASS_CELLS = {"label": "glad", "probability": 0.75, "probabilities": {"sad": 0.25, "glad": 0.75}}
NAMES = {"": ("sad", "glad"), "mood": ("sad", "glad")}
TAGGED = {
    "words": ["In", "New", "York", ""],
    "tags": ["O", "B-LOC", "I-LOC", ""],
    "probabilities": [0.5, 0.25, 0.75, 0.0],
    "starts": [0, 3, 7, 0],
    "ends": [2, 6, 11, 0],
    "num_words": 3,
}


@pytest.mark.parametrize(
    ("answer", "value", "cells"),
    [
        (CLASS, ("x",), CLASS_CELLS),
        (
            {"probabilities": [0.9, 0.2], "fits": [True, False], "labels": ["a", "b"]},
            ("x",),
            {"labels": ["a"], "probabilities": {"a": 0.9, "b": 0.2}},
        ),
        ({"values": [1.5]}, ("x",), {"value": 1.5}),
        ({"values": [1.5, 2.0]}, ("x",), {"values": [1.5, 2.0]}),
        (
            TAGGED,
            ("In New York",),
            {
                "words": ["In", "New", "York"],
                "tags": ["O", "B-LOC", "I-LOC"],
                "probabilities": [0.5, 0.25, 0.75],
                "entities": [{"type": "LOC", "text": "New York", "start": 3, "end": 11}],
            },
        ),
        (
            {"tags": ["I-LOC", "O", ""], "probabilities": [0.5, 0.25, 0.0]},
            ["東京", "で"],
            {
                "words": ["東京", "で"],
                "tags": ["I-LOC", "O"],
                "probabilities": [0.5, 0.25],
                "entities": [{"type": "LOC", "text": "東京", "start": 0, "end": 1}],
            },
        ),
        (
            {"answer": "noon", "start": 3, "end": 7, "score": 0.5, "no_answer": 0.25},
            ("q", "c"),
            {"answer": "noon", "start": 3, "end": 7, "score": 0.5, "no_answer": 0.25},
        ),
        (
            {"answer": "noon", "start": 3, "end": 7, "score": 0.25, "no_answer": 0.5},
            ("q", "c"),
            {"answer": None, "start": None, "end": None, "score": 0.25, "no_answer": 0.5},
        ),
        ({"classes": [[0, 0], [0, 0]], "probabilities": [[1.0] * 2] * 2}, ("x",), {"pixels": {"sad": 4, "glad": 0}}),
        ({"classes": [[-1, 1]], "probabilities": [[0.0, 1.0]]}, ("x",), {"pixels": {"sad": 0, "glad": 1}}),
        ({"embedding": [0.123456789, 1e-9]}, ("x",), {"embedding": [0.1234568, 1e-09]}),
        (
            {f"mood_{name}": value for name, value in CLASS.items()} | {"stars_values": [3.0]},
            ("x",),
            {f"mood_{name}": cell for name, cell in CLASS_CELLS.items()} | {"stars_value": 3.0},
        ),
    ],
)
def test_each_kind(answer, value, cells):
    assert cells_of(answer, value, NAMES) == cells


def test_a_server_does_not_tell_the_names():
    assert cells_of(CLASS, ("x",), {})["probabilities"] == {"0": 0.25, "1": 0.75}


def test_entities():
    tags = ["B-A", "I-A", "I-B", "B-B", "O", "I-A", "X", "B-", "I-A"]
    assert entities_of(tags) == [("A", 0, 1), ("B", 2, 2), ("B", 3, 3), ("A", 5, 5), ("A", 8, 8)]
    assert entities_of(["NOUN", "VERB"]) == []
