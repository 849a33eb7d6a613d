"""What the benchmark of near copies prints is what it says."""

import near_copies
import pytest
from near_copies import Config, largest, least_alike, main, runs_of, words_of

from tfpretune.data.splits.sketches import sketch

LONG = [f"w{number}" for number in range(40)]


def test_words_and_runs():
    assert words_of("One, two-3 新闻!") == ["one", "two", "3", "新", "闻"]
    assert runs_of("a b c d") == {"a b c", "b c d"}


def test_the_least_alike_of_the_pairs():
    """One of 40 words apart: 3 of 38 runs on either side, so 35 of 41."""
    texts = [" ".join(LONG), " ".join(["x", *LONG[1:]]), " ".join(f"v{number}" for number in range(40))]
    assert least_alike([texts[0], " ".join([*LONG[:20], "x", *LONG[21:]]), texts[2]]) == pytest.approx(35 / 41)
    assert least_alike(texts[1:]) is None


def test_groups_by_threshold():
    """Two texts with two thirds of their runs in common, and a stranger."""
    texts = [" ".join(LONG), " ".join([*LONG[:32], *(f"y{n}" for n in range(8))]), " ".join(f"v{n}" for n in range(40))]
    assert largest(sketch(texts)[1]) == [2, 2, 2]
    texts[1] = " ".join([*LONG[:14], *(f"y{n}" for n in range(26))])  # 12 of 64
    assert largest(sketch(texts)[1]) == [1, 1, 1]


def test_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(near_copies, "seconds_of_datasketch", lambda texts: None)
    table = main(Config(out_dir=str(tmp_path), sources=("demo:bbc",), fast=True))
    ((name, texts, seconds, grouped, *groups, least, other),) = table.rows
    assert (name, texts, other) == ("demo:bbc", 300, None)
    assert 0 <= grouped <= texts
    assert groups == sorted(groups, reverse=True)
    assert seconds > 0
    assert least is None or 0 < least < 1
    assert (tmp_path / "near_copies.md").read_text("utf-8") == table.markdown()
