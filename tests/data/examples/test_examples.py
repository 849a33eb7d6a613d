import dataclasses
import hashlib

import numpy as np
import pytest

from tfpretune.data.examples.examples import PARTS, Examples
from tfpretune.errors import RunError, UsageError


def texts(inputs, labels=None, class_names=("neg", "pos"), groups=None):
    labels = None if labels is None else np.asarray(labels, np.int32)
    names = () if labels is None else class_names
    where = [f"t.csv:{row + 2}" for row in range(len(inputs))]
    return Examples("text", list(inputs), labels, names, where, "csv:t.csv", groups=groups)


def test_take_by_position_and_by_mask():
    source = texts(["a", "b", "c"], [0, 1, 0])
    assert source.take([2, 0]).inputs == ["c", "a"]
    some = source.take(np.array([False, True, True]))
    assert (some.inputs, some.labels.tolist(), some.where) == (["b", "c"], [1, 0], ["t.csv:3", "t.csv:4"])


def test_keys_are_those_of_the_normal_form():
    keys = texts(["Cafe\u0301  Noir", "café noir", "cafe noir"]).keys()
    assert keys[0] == keys[1] == hashlib.sha256("café noir".encode()).digest()
    assert keys[2] != keys[0]


def test_split_is_by_content_and_worked_once():
    # The first 8 bytes of sha256, over 2**64: alpha .558, beta .954, gamma .745, delta .310, epsilon .433, zeta .362
    source = texts(["alpha", "beta", "gamma", "delta", "epsilon", "zeta"])
    assert source.split("train", (0.6, 0.3, 0.1)).inputs == ["alpha", "delta", "epsilon", "zeta"]
    assert source.split("validation", (0.6, 0.3, 0.1)).inputs == ["gamma"]
    assert source.split("test", (0.6, 0.3, 0.1)).inputs == ["beta"]


def test_split_keeps_equal_contents_together_and_old_rows_in_place():
    words = [f"word {number}" for number in range(1000)]
    before = {part: set(texts(words).split(part).inputs) for part in PARTS}
    after = texts(words + [f"new {number}" for number in range(500)] + [f"WORD  {number}" for number in range(1000)])
    for part in PARTS:
        now = after.split(part).inputs
        assert before[part] <= set(now)
        assert {text.lower().replace("  ", " ") for text in now if text[0] == "W"} == before[part]
    assert [round(len(before[part]) / 1000, 1) for part in PARTS] == [0.8, 0.1, 0.1]
    assert set.union(*before.values()) == set(words)


def test_split_keeps_groups_together():
    groups = np.array([f"author {number % 50}" for number in range(500)])
    source = texts([f"text {number}" for number in range(500)], groups=groups)
    seen = [set(source.split(part).groups) for part in PARTS]
    assert seen[0] | seen[1] | seen[2] == set(groups)
    assert sum(map(len, seen)) == 50  # none is in two parts


def test_a_share_of_zero_gives_nothing_and_the_others_everything():
    source = texts([f"word {number}" for number in range(50)])
    assert len(source.split("test", (0.8, 0.2, 0.0))) == 0
    assert len(source.split("train", (1.0, 0.0, 0.0))) == 50


def test_split_refuses_what_cannot_work():
    source = texts(["a", "b"])
    with pytest.raises(UsageError, match="unknown split 'val': expected one of train, validation, test"):
        source.split("val")
    with pytest.raises(UsageError, match="sum to 1"):
        source.split("train", (0.8, 0.1, 0.2))
    with pytest.raises(UsageError, match="sum to 1"):
        source.split("train", (1.1, 0.1, -0.2))
    with pytest.raises(UsageError, match=r"the test split of csv:t.csv is empty \(2 examples, fraction 1e-06\)"):
        source.split("test", (0.899999, 0.1, 0.000001))


def test_without_duplicates_keeps_the_first_and_drops_conflicts():
    source = texts(["a", "b", "A ", "c", "b", "d"], [0, 0, 0, 1, 1, 1])
    unique = source.without_duplicates()
    assert unique.inputs == ["a", "c", "d"]
    assert unique.where == ["t.csv:2", "t.csv:5", "t.csv:7"]
    assert texts(["a", "a", "b"]).without_duplicates().inputs == ["a", "b"]


def test_few_labels_is_balanced_and_repeatable():
    source = texts([f"t{number}" for number in range(100)], [number % 4 == 0 for number in range(100)])
    draw = source.few_labels(10, seed=1)
    assert np.bincount(draw.labels).tolist() == [10, 10]
    assert len(set(draw.inputs)) == 20
    assert draw.inputs == source.few_labels(10, seed=1).inputs
    assert draw.inputs != source.few_labels(10, seed=2).inputs


def test_few_labels_names_the_class_that_has_too_few():
    source = texts(["a", "b", "c"], [0, 0, 1])
    with pytest.raises(UsageError, match="class 'pos' of csv:t.csv has 1 examples, 2 wanted"):
        source.few_labels(2, seed=0)
    with pytest.raises(UsageError, match="has no labels"):
        texts(["a"]).few_labels(1, seed=0)
    with pytest.raises(UsageError, match="at least 1, received 0"):
        source.few_labels(0, seed=0)


def test_image_arrays_are_compared_by_pixels():
    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[1, 0, 0, 0] = 1
    source = Examples("image", images, np.array([0, 1, 0], np.int32), ("a", "b"), ["0", "1", "2"], "demo:x")
    assert source.without_duplicates().inputs.shape == (2, 2, 2, 1)


def test_image_files_are_compared_by_bytes(tmp_path):
    paths = [str(tmp_path / name) for name in "abc"]
    for path, data in zip(paths, [b"1", b"1", b"2"], strict=True):
        with open(path, "wb") as file:
            file.write(data)
    source = Examples("image", paths, None, (), paths, "images:x")
    assert source.without_duplicates().inputs == [paths[0], paths[2]]
    with pytest.raises(RunError, match=r"gone: cannot be read \(No such file"):
        Examples("image", [str(tmp_path / "gone")], None, (), ["gone"], "images:x").keys()


def test_columns_must_fit():
    with pytest.raises(ValueError, match="where must have one value an input: expected 1, received 2"):
        Examples("text", ["a"], None, (), ["x:1", "x:2"], "x")
    with pytest.raises(ValueError, match=r"labels must be in 0..1, received 2..2"):
        texts(["a"], [2])
    with pytest.raises(ValueError, match="kind must be 'text' or 'image'"):
        Examples("audio", [], None, (), [], "x")


def test_parts_in_the_order_of_the_source():
    """Ten rows: 8, 1 and 1; five groups of two: 4 groups, and the last for the test. Groups are not torn apart."""
    rows = dataclasses.replace(texts("abcdefghij"), in_order=True)
    assert ["".join(rows.split(part).inputs) for part in PARTS] == ["abcdefgh", "i", "j"]
    grouped = dataclasses.replace(rows, groups=np.repeat(np.arange(5), 2))
    fractions = (0.6, 0.2, 0.2)
    assert ["".join(grouped.split(part, fractions).inputs) for part in PARTS] == ["abcdef", "gh", "ij"]
    assert "".join(grouped.take(np.array([0, 3, 4, 8])).split("train", (0.5, 0.25, 0.25)).inputs) == "ad"
