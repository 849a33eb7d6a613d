"""Answers as lines."""

import pytest

from tfpretune.serving.asking.lines import as_line

CLASS = {"probabilities": [0.25, 0.75], "label": "glad", "scores": [0.0, 1.0]}
LABELS = {"probabilities": [0.9, 0.2, 0.5], "fits": [True, False, True], "labels": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (CLASS, "glad 75.0%"),
        (LABELS, "a 90.0%, c 50.0%"),
        (LABELS | {"fits": [False] * 3}, "no label fits"),
        ({"values": [1.5, -2.0]}, "1.5 -2"),
        ({"words": ["In", "Rome", ""], "tags": ["O", "B-LOC", ""], "starts": [0, 3, 0]}, "In/O Rome/B-LOC"),
        (
            {"answer": "noon", "start": 3, "end": 7, "score": 0.5, "no_answer": 0.25},
            "'noon' (characters 3 to 7, 50.0%)",
        ),
        ({"words": [], "tags": []}, "no words"),
        ({"answer": "noon", "start": 3, "end": 7, "score": 0.25, "no_answer": 0.5}, "no answer"),
        ({"answer": "", "start": 0, "end": 0, "score": 0.0, "no_answer": 1.0}, "no answer"),
        ({"classes": [[0, 1], [1, 1]], "probabilities": [[1.0] * 2] * 2}, "2 x 2 pixels: class 1 75.0%, class 0 25.0%"),
        ({"embedding": [0.5, 0.25, 0.125, 1.0, 2.0]}, "5 numbers: 0.500 0.250 0.125 1.000 …"),
        (
            {f"mood_{name}": value for name, value in CLASS.items()} | {"a_b_values": [3.0]},
            "a_b: 3; mood: glad 75.0%",
        ),
    ],
)
def test_each_kind_of_answer(answer, line):
    assert as_line(answer) == line
