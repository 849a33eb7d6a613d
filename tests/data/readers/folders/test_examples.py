"""Folders of classes, of splits, around others; hidden files and links. One walker for images and texts."""

import os

import numpy as np
import pytest
from PIL import Image

from tfpretune.data.checks.examples import check_examples
from tfpretune.data.checks.images import _clear_notes
from tfpretune.data.corpus.chunks import cut_corpus
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.folders.examples import read_image_folder, read_text_folder
from tfpretune.data.readers.folders.splits import split_of
from tfpretune.data.readers.folders.walking import folders_in, walk
from tfpretune.data.readers.records import find_files
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import RunError, UsageError


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def many(split, count=60):
    return [f"{split}/{name}/{row}.txt" for name in ("good", "bad") for row in range(count // 2)]


def told(rows, root):
    return [str(problem).replace(f"{root}/", "") for problem in rows.problems]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train2017", "train"),
        ("training_set", "train"),
        ("VAL", "validation"),
        ("valid", "validation"),
        ("val_images", "validation"),
        ("dev", "validation"),
        ("test-data", "test"),
        ("trains", None),
        ("tested", None),
        ("device", None),
        ("evaluation", None),
        ("set", None),
    ],
)
def test_names_of_splits(name, split):
    assert split_of(name) == split


def test_the_folders_of_splits_are_the_parts(tmp_path, capsys):
    write(tmp_path, *many("train"), *many("val", 10), *many("Test", 8))
    source = open_source(f"text:{tmp_path}")
    assert source.class_names == ("bad", "good")
    parts = {part: source.split(part) for part in ("train", "validation", "test")}
    assert {part: len(found) for part, found in parts.items()} == {"train": 60, "validation": 10, "test": 8}
    assert all(where.startswith(f"{tmp_path}/Test/") for where in parts["test"].where)
    assert (
        "the folders train, val (validation), Test (test) are the splits of the source, no classes"
        in capsys.readouterr().out
    )
    assert [len(source.take([0, 1, 61, 75]).split(part)) for part in parts] == [2, 1, 1]


@pytest.mark.parametrize(("given", "missing"), [("test", "validation"), ("val", "test")])
def test_a_part_without_a_folder_comes_from_train(tmp_path, given, missing):
    write(tmp_path, *many("train", 400), *many(given, 8))
    rows = read_text_folder(str(tmp_path))
    assert rows.notes[0].endswith(f"; the {missing} part is taken from train by hash")
    source = open_source(f"text:{tmp_path}")
    train, taken = source.split("train"), source.split(missing)
    assert len(source.split("test" if given == "test" else "validation")) == 8
    assert len(train) + len(taken) == 400
    assert 25 <= len(taken) <= 65  # a ninth
    assert not set(train.inputs) & set(taken.inputs)
    assert all("/train/" in where for where in taken.where)
    more = [f"train/good/more{row}.txt" for row in range(50)]
    write(tmp_path, *more)
    assert set(taken.inputs) <= set(
        open_source(f"text:{tmp_path}").split(missing).inputs
    )  # what is added moves no other


def test_splits_that_do_not_fit_together_are_named(tmp_path):
    write(tmp_path, *many("train", 4), *many("test", 4), "test/ugly/1.txt", "loose.txt")
    assert told(read_text_folder(str(tmp_path)), tmp_path) == [
        "loose.txt: the text lies beside the folders of the splits; move it into one of them",
        "test/ugly: the class 'ugly' is not in train; add training examples of it, or correct the name of the folder",
    ]
    write(tmp_path, "val/1.txt")
    rows = read_text_folder(str(tmp_path))
    assert "val has no class folders: its 1 files are not read" in rows.notes
    assert "validation" not in rows.splits
    write(tmp_path / "b", "val/1.txt", "test/1.txt")
    assert (
        "the folders val, test are splits, and there is no train"
        in told(read_text_folder(str(tmp_path / "b")), tmp_path)[0]
    )
    write(tmp_path / "c", *many("train", 4), *many("test", 4), "unlabelled/1.txt")
    assert (
        "some folders are splits by their names and others are not: unlabelled"
        in told(read_text_folder(str(tmp_path / "c")), tmp_path)[0]
    )


def test_a_class_may_be_called_train(tmp_path):
    write(tmp_path, "bus/1.txt", "train/2.txt", "car/3.txt")
    rows = read_text_folder(str(tmp_path))
    assert not rows.problems
    assert rows.labels == ["bus", "car", "train"]
    assert rows.splits == []


def test_without_labels_all_is_read(tmp_path):
    """Pre-training takes loose files and those of subfolders, and leaves a folder test out of training."""
    write(tmp_path, "1.txt", "2.txt", "rejects/3.txt", "rejects/deep/4.txt")
    assert told(read_text_folder(str(tmp_path)), tmp_path)[0].startswith(
        "1.txt: the text lies beside the class folders"
    )
    source = open_source(f"text:{tmp_path}", label_column="")
    assert source.labels is None
    assert source.inputs == ["1.txt", "2.txt", "rejects/3.txt", "rejects/deep/4.txt"]
    write(tmp_path / "b", *many("train", 40), "test/1.txt")
    assert open_source(f"text:{tmp_path}/b", label_column="").split("test").inputs == ["test/1.txt"]


def test_the_same_content_in_two_splits_is_a_problem():
    source = Examples("text", ["a", "b", "A"], None, (), ["x", "y", "z"], "s", splits=["train", "test", "test"])
    (problem,) = check_examples(source).problems
    assert str(problem) == "z: the same text is in train too, at x; delete one of the two, or the score measures memory"


def test_near_copies_in_two_splits_are_counted_and_not_moved(capsys):
    """Of each story the test split has one with another ending; a third is in the training split alone, twice."""
    stories = [" ".join(f"{name}{number}" for number in range(30)) for name in "abc"]
    texts = [*stories, f"{stories[2]} once more", f"{stories[0]} indeed", f"{stories[1]} it was"]
    source = Examples("text", texts, None, (), list("uvwxyz"), "s", splits=["train"] * 4 + ["test"] * 2)
    assert source.copies_of_training().tolist() == [4, 5]
    notes = check_examples(source).notes
    assert "6 texts are near copies of others, in 3 groups" in notes
    said = "2 held-out examples are (nearly) training examples: a score on them measures memory in part"
    assert said in notes
    assert source.split("train").near_copies()["near_copies_across_splits"] == 2
    assert f"note: s: {said}" in capsys.readouterr().out
    assert source.split("test").inputs == texts[4:]


def test_a_folder_around_the_source_and_folders_in_classes_are_named(tmp_path):
    write(tmp_path / "a", "data/cat/1.txt", "data/dog/2.txt", "__MACOSX/data/1.txt")
    assert told(read_text_folder(str(tmp_path / "a")), tmp_path) == [
        "a: all lies in one folder, data, with the folders cat, dog; give that folder as the source: a/data"
    ]
    write(tmp_path / "b", "train/cat/1.txt")
    assert "give that folder as the source" in told(read_text_folder(str(tmp_path / "b")), tmp_path)[0]
    write(tmp_path / "c", "cat/wild/1.txt", "cat/2.txt", "dog/3.txt")
    rows = read_text_folder(str(tmp_path / "c"))
    assert rows.labels == ["cat", "cat", "dog"]
    assert rows.notes == ["class folders hold folders of their own (cat/wild): the top folder is the class"]


def test_hidden_files_and_those_of_systems_are_passed_over(tmp_path):
    hidden = [
        "cat/._1.jpg",
        "cat/.ipynb_checkpoints/1-checkpoint.jpg",
        "__MACOSX/cat/._1.jpg",
        "cat/Thumbs.db",
        ".git/2.jpg",
    ]
    write(tmp_path, "cat/1.jpg", "dog/2.JPG", *hidden)
    rows = read_image_folder(str(tmp_path))
    assert [os.path.relpath(path, tmp_path) for path in rows.inputs] == ["cat/1.jpg", "dog/2.JPG"]
    assert rows.problems == rows.skipped == []
    assert len(rows.hidden) == 5
    assert rows.notes == ["left out: 5 files and folders: 5 hidden"]


def test_links_are_followed_and_those_that_lead_nowhere_are_named(tmp_path):
    write(tmp_path / "elsewhere", "3.txt", "4.txt")
    write(tmp_path / "a", "cat/1.txt", "dog/2.txt")
    (tmp_path / "a/cat/more").symlink_to("../../elsewhere")
    (tmp_path / "a/bird").symlink_to("../elsewhere", target_is_directory=True)
    rows = read_text_folder(str(tmp_path / "a"))
    assert rows.labels == ["bird", "bird", "cat", "cat", "cat", "dog"]
    assert not rows.problems
    (tmp_path / "a/dog/gone.txt").symlink_to("/nonexistent")
    (tmp_path / "a/dog/around").symlink_to("..")
    problems = told(read_text_folder(str(tmp_path / "a")), tmp_path)
    assert (
        "a/dog/gone.txt: the link leads nowhere (/nonexistent is not there); bring the file back or delete the link"
        in problems
    )
    assert "a/dog/around: the link leads back to a folder that it lies in; delete the link" in problems
    with pytest.raises(RunError, match=r"dog/(gone.txt|around): the link leads"):
        cut_corpus(f"text:{tmp_path}/a")
    with pytest.raises(UsageError, match=r"gone.txt: the link leads nowhere"):
        find_files(f"{tmp_path}/a/dog/*.txt", "text")


@pytest.mark.parametrize("read", [read_text_folder, read_image_folder])
def test_links_to_themselves_are_named(tmp_path, read):
    write(tmp_path, "cat/1.txt", "cat/1.jpg", "dog/2.txt", "dog/2.jpg")
    for name in ("self", "dog/self.jpg"):
        (tmp_path / name).symlink_to(name.split("/")[-1])
    assert told(read(str(tmp_path)), tmp_path)[:2] == [
        f"{name}: the link leads in a circle (Too many levels of symbolic links); bring the file back or delete the link"
        for name in ("dog/self.jpg", "self")
    ]
    assert folders_in(str(tmp_path)) == ["cat", "dog"]


def test_transparent_gifs_are_told(tmp_path):
    clear = Image.fromarray(np.array([[0, 1], [1, 1]], np.uint8))
    clear = clear.convert("P")
    clear.putdata([0, 1, 1, 1])
    clear.putpalette([0, 0, 0, 255, 255, 255])
    clear.save(tmp_path / "clear.gif", transparency=0)
    clear.save(tmp_path / "whole.gif")
    (note,) = _clear_notes([f"{tmp_path}/whole.gif", f"{tmp_path}/clear.gif"])
    assert note.startswith(f"1 GIF images are transparent, the first is {tmp_path}/clear.gif: they are laid on black")


def test_the_walk_of_a_folder(tmp_path):
    write(tmp_path, "b/2.txt", "a.txt", ".c", "d/.e/f")
    found = walk(str(tmp_path))
    assert [os.path.relpath(path, tmp_path) for path in found.files] == ["a.txt", "b/2.txt"]
    assert [os.path.relpath(path, tmp_path) for path in found.folders] == ["b", "d"]
    assert sorted(os.path.relpath(path, tmp_path) for path in found.hidden) == [".c", "d/.e"]
    write(tmp_path, "x/__MACOSX/1.csv", "x/y/2.csv")
    assert find_files(f"{tmp_path}/**/*.csv", "csv") == [f"{tmp_path}/x/y/2.csv"]
    assert find_files(f"{tmp_path}/x/__MACOSX/*.csv", "csv") == [f"{tmp_path}/x/__MACOSX/1.csv"]


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.csv", "image,label\nd/1.jpg,cat\nd/2.PNG,dog\n", "text"),
        ("a.csv", "label,file name\ncat,d/1.jpg\n", "text"),
        ("a.csv", "image,label\nd/1.jpg,cat\n", "image"),
        ("a.csv", "text,label\nd/1.jpg,cat\nd/2.png,dog\n", "text"),
        ("a.jsonl", '{"image": "d/1.jpg", "label": 1}\n', "text"),
    ],
)
def test_a_table_of_image_files_is_no_table_of_texts(tmp_path, name, content, column):
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=r"the column '.*' names image files \(d/1.jpg\).*a folder for each class"):
        open_source(f"{name.split('.')[1]}:{tmp_path}/{name}", text_column=column)


def test_a_text_that_ends_like_a_file_is_a_text(tmp_path):
    (tmp_path / "a.csv").write_text("text,label,image\nsee d/1.jpg,x,1.jpg\nfine,y,2.jpg\n")
    assert len(open_source(f"csv:{tmp_path}/a.csv")) == 2


@pytest.mark.parametrize(
    "tops",
    [
        *(
            ("train", "extra"),
            ("train", "eval"),
            ("holdout", "train"),
            ("fold1", "fold2"),
            ("part_a", "part_b", "part_c"),
        ),
        *(("seg_train/seg_train", "seg_test/seg_test"), ("my train", "my test")),
    ],
)
def test_folders_that_hold_the_same_folders_may_be_splits(tmp_path, tops):
    write(tmp_path, *(f"{top}/{name}/{top[:4]}.txt" for top in tops for name in ("a", "b")))
    (problem,) = read_text_folder(str(tmp_path)).problems
    assert "hold the same folders, a, b: they may be splits or classes; name splits train, val and test" in str(problem)
    assert read_text_folder(str(tmp_path), labels=False).problems == []


def test_folders_beside_splits_that_hold_files_alone(tmp_path):
    write(tmp_path, *(f"{s}/{s}/{name}/1.txt" for s in ("seg_train", "seg_test") for name in ("a", "b")))
    write(tmp_path, "seg_pred/seg_pred/1.txt")
    assert "seg_test, seg_train hold the same folders, a, b" in told(read_text_folder(str(tmp_path)), tmp_path)[0]
    write(tmp_path / "b", "train/a/1.txt", "train/b/1.txt", "other/1.txt")
    assert "train is a split by its name and holds the folders a, b" in str(
        read_text_folder(str(tmp_path / "b")).problems[0]
    )
    write(tmp_path / "c", "cat/train/1.txt", "cat/test/2.txt", "dog/train/1.txt", "dog/test/1.txt")
    assert "put the folders of the splits on top" in str(read_text_folder(str(tmp_path / "c")).problems[0])


def test_inner_folders_of_a_few_classes_are_no_splits(tmp_path):
    write(tmp_path, "bus/red/1.txt", "bus/blue/2.txt", "car/red/3.txt", "car/blue/1.txt")
    write(tmp_path, *(f"{name}/1.txt" for name in ("train", "ship", "plane")))
    rows = read_text_folder(str(tmp_path))
    assert not rows.problems
    assert set(rows.labels) == {"bus", "car", "train", "ship", "plane"}


def test_splits_in_a_folder_each_are_read_through(tmp_path):
    for top in ("training_set", "test_set"):
        write(tmp_path, *(f"{top}/{top}/{name}/1.txt" for name in ("cats", "dogs")))
    rows = read_text_folder(str(tmp_path))
    assert not rows.problems
    assert rows.labels == ["cats", "dogs"] * 2
    assert rows.splits == ["train"] * 2 + ["test"] * 2
    assert "training_set holds one folder, training_set: the folders in it are the classes" in rows.notes


def test_a_folder_deep_within_is_named(tmp_path):
    write(tmp_path, "ds/sub/more/cat/1.txt", "ds/sub/more/dog/1.txt")
    assert told(read_text_folder(str(tmp_path)), tmp_path)[0].endswith(
        "all lies in one folder, ds/sub/more, with the folders cat, dog; give that folder as the source: ds/sub/more"
    )


@pytest.mark.parametrize("name", ["unsup", "unlabeled", "Un-labelled"])
def test_examples_without_labels_are_no_class(tmp_path, name):
    write(tmp_path, *many("train", 4), *many("test", 4), f"train/{name}/1.txt")
    rows = read_text_folder(str(tmp_path))
    assert told(rows, tmp_path) == [
        f"train/{name}: by its name it holds texts without labels, and it would be the class {name!r}; move it elsewhere "
        "(pre-training reads it by itself, text:FOLDER), or rename it if it is a class"
    ]
    assert f"test has no text of the class {name}" in rows.notes
    assert read_text_folder(str(tmp_path), labels=False).problems == []
    write(tmp_path / "b", "good/1.txt", "bad/1.txt", f"{name}/1.txt")
    assert len(read_text_folder(str(tmp_path / "b")).problems) == 1
