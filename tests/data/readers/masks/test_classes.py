"""Lists of classes in the forms that people write, and those that may mean two things. Pure Python but for small masks."""

import numpy as np
import pytest
from PIL import Image

from tfpretune.data.readers.masks.class_lines import read_lines
from tfpretune.data.readers.masks.classes import ClassList, read_classes
from tfpretune.data.sources.masks import open_masks, read_masks
from tfpretune.errors import RunError


def lines_of(text):
    return read_lines([*enumerate(text.split("\n"), 1)])


def source(root, *masks):
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for row, numbers in enumerate(masks):
        pixels = np.resize(np.array(numbers, np.uint8), (4, 6))
        Image.fromarray(pixels).save(root / f"masks/{row}.png")
        Image.new("RGB", (6, 4), (row, 1, 2)).save(root / f"images/{row}.png")
    return f"images:{root}"


@pytest.mark.parametrize(
    "form",
    [
        *(
            "{1} {0}",
            "{1}\t{0}",
            "{1},{0}",
            "{1}: {0}",
            "{1} = {0}",
            "{1} ({0})",
            "{1}_{0}",
            "{1} -> {0}",
            "'{1}': {0},",
        ),
        *("{0} {1}", "{0}={1}", "{0}. {1}", "{0}) {1}", "({0}) {1}", "[{0}] {1}", "{0}-{1}", "{0} - {1}", "{0}: {1}"),
        *('{0},"{1}"', "{0};{1}", "{0}|{1}", "0{0} {1}"),
    ],
)
def test_numbers_on_either_side_of_the_name(form):
    text = "\n".join(form.format(number, name) for number, name in ((2, "big dog"), (0, "bg"), (1, "cat")))
    listed = lines_of(text)
    assert (listed.by, listed.names, listed.codes, listed.faults) == ("number", ["big dog", "bg", "cat"], [2, 0, 1], [])


@pytest.mark.parametrize(
    ("text", "names", "codes"),
    [
        ("id name\n2 dog\n0 bg", ["dog", "bg"], [2, 0]),
        ("id,name\n0,background\n1,cat", ["background", "cat"], [0, 1]),
        ("Class_Name;Index\nbg;0\ncat;1", ["bg", "cat"], [0, 1]),
        ("name r g b\nsky 0 0 1\nsea 0 0 2", ["sky", "sea"], [1, 2]),
    ],
)
def test_a_header_is_no_class(text, names, codes):
    listed = lines_of(text)
    assert (listed.names, listed.codes, listed.header) == (names, codes, text.split("\n")[0])


@pytest.mark.parametrize("text", ["bg\ncat", "0\n1\n2", "level 0\nlevel 1", "red\ngreen", "no\nyes", "train\nbus"])
def test_names_alone_are_counted(text):
    assert (lines_of(text).by, lines_of(text).names) == ("place", text.split("\n"))


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("2\n1\n0", 0, "each line holds a number"),
        ("1\n2", 0, "each line holds a number"),
        ("level 1\nlevel 2", 0, "each line holds a number"),
        ("2dog\n0bg", 0, "each line holds a number"),
        ("name\nbg\ncat", 1, "'name' may be a header or a class"),
        ("0 bg\ncat", 2, "'cat' has no number from 0 to 255"),
        ("bg\n1 cat\n2 dog", 1, "'bg' has no number from 0 to 255"),
        ("-1 void\n0 bg", 1, "'-1 void' has no number"),
        ("0 bg\n300 cat", 2, "300 is out of range"),
        ("0 0 0 bg\n0 256 0 dog", 2, "256 is out of range"),
        ("0 0 0 bg\n1 cat", 2, "'1 cat' has no colour"),
        ("id,name,r,g,b\n0,bg,0,0,0\n1,cat,1,1,1", 0, "each line has a number and a colour"),
        ("7 0\n8 1", 1, "does not say which of the two is the number"),
        ("1 2 3 4\n4 5 6 7", 0, "may be R G B name or name R G B"),
    ],
)
def test_lines_that_may_mean_two_things_are_faults(text, number, message):
    where, what, todo = lines_of(text).faults[0]
    assert where == number
    assert message in what
    assert todo


def test_faults_name_their_lines(tmp_path):
    (tmp_path / "classes.txt").write_text("# mine\n\n0 bg\ncat\n")
    classes, problems, _ = read_classes(str(tmp_path))
    assert classes == ClassList()
    assert str(problems[0]).startswith(f"{tmp_path}/classes.txt:4: 'cat' has no number")


def test_lists_in_capitals_are_read_and_those_elsewhere_named(tmp_path):
    spec = source(tmp_path, [0, 1, 2])
    (tmp_path / "Classes.TXT").write_text("cat 1\nbg 0\ndog 2\n")
    found = open_masks(spec)
    assert found.class_names == ("cat", "bg", "dog")
    assert found.read(found.masks[0]).ravel()[:3].tolist() == [1, 0, 2]
    (tmp_path / "Classes.TXT").rename(tmp_path / "masks/classes.txt")
    with pytest.raises(
        RunError, match=r"masks/classes.txt: the list of classes is not read here; move it to .*/classes"
    ):
        open_masks(spec)
    (tmp_path / "masks/classes.txt").rename(tmp_path / "label_names.txt")
    assert any("label_names.txt is not read" in note for note in read_masks(spec).notes)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    (tmp_path / "CLASSES.txt").write_text("c\nb\na\n")
    with pytest.raises(RunError, match="is there, too; keep one of them"):
        open_masks(spec)


def test_lists_within_splits_are_named(tmp_path):
    for split in ("train", "val"):
        source(tmp_path / split, [0, 1])
    (tmp_path / "train/classes.txt").write_text("bg\ncat\n")
    with pytest.raises(RunError, match=r"train/classes.txt: the list of classes is not read here"):
        open_masks(f"images:{tmp_path}")


def test_names_that_count_from_0_beside_masks_that_do_not(tmp_path, capsys):
    spec = source(tmp_path, [1, 2])
    (tmp_path / "classes.txt").write_text("cat\ndog\nbird\n")
    open_masks(spec)
    assert "no mask holds the number 0, which is 'cat'" in capsys.readouterr().out


@pytest.mark.parametrize("listed", ["", "bg\nroad\n"])
def test_white_that_may_be_a_class_is_asked_for(tmp_path, listed):
    spec = source(tmp_path, [0, 1], [0, 255])
    if listed:
        (tmp_path / "classes.txt").write_text(listed)
    with pytest.raises(RunError, match=r"masks/1.png: this mask holds 0 and 255, .* say `MaskForm.values.` 0 1;"):
        open_masks(spec)
    assert len(open_masks(spec, values=[0, 1]).class_names) == 2


def test_white_beside_classes_in_one_mask_is_no_class(tmp_path):
    assert open_masks(source(tmp_path, [0, 1, 255], [0, 255])).class_names == ("0", "1")
