"""`check` on sources that are of one task."""

import json

import numpy as np
from PIL import Image

from tfpretune.data.checks.examples import check
from tfpretune.data.checks.result import format_result


def squad(path, context, *qas):
    data = {"data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(qas)}]}]}
    path.write_text(json.dumps(data), "utf-8")
    return f"squad:{path}"


def test_questions(tmp_path):
    good = {"id": "1", "question": "Who?", "answers": [{"text": "He", "answer_start": 0}]}
    bad = {"id": "2", "question": "Who?", "answers": [{"text": "He", "answer_start": 1}]}
    none = {"id": "3", "question": "Where?", "answers": [], "is_impossible": True}
    spec = squad(tmp_path / "a.json", "He came.", good, bad, bad, none)
    result = check(spec, against=squad(tmp_path / "b.json", "He  came.", good))
    assert [problem.where.rsplit("/")[-1] for problem in result.problems] == [
        "a.json:2",
        "a.json:2",
        "a.json:1",
        "a.json:3",
    ]
    assert "the same context is in squad:" in result.problems[2].what
    assert result.histogram == {"answer": 1, "no answer": 1}
    assert "contexts have 8 characters in the median, 8 at most" in format_result(result)
    assert not check(squad(tmp_path / "c.json", "x")).ok


def test_masks(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for row, top in enumerate((1, 1, 2)):
        pixels = np.full((4, 4), 50 * row + 40, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{row}.png")
        mask = np.zeros((4, 4), np.uint8)
        mask[0, 0], mask[1, 1] = top, 255
        Image.fromarray(mask).save(tmp_path / f"masks/{row}.png")
    result = check(f"images:{tmp_path}")
    assert result.ok
    assert result.histogram == {"0": 3, "1": 2, "2": 1}
    assert result.notes == (
        "255 is not a class (the others are 0 to 2)",
        "3 images have pixels without a class, 6.2 % of all pixels",
        "images are 4 to 4 pixels high and 4 to 4 wide",
    )
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\n")
    assert "class 'd' is in no image" in check(f"images:{tmp_path}").notes
    assert len(check(f"images:{tmp_path}", against=f"images:{tmp_path}").problems) == 3
    (tmp_path / "masks/1.png").unlink()
    assert [problem.where for problem in check(f"images:{tmp_path}").problems] == [f"{tmp_path}/images/1.png"]
