import json

import numpy as np
import pytest
from PIL import Image

from tfpretune.data.checks.examples import check, check_examples
from tfpretune.data.checks.result import format_result
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.errors import UsageError


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def picture(path, number, form=None, size=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path, form)
    return str(path)


def told(result):
    return [str(problem) for problem in result.problems]


def test_a_good_source_has_no_problems(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\none,x\ntwo,y\nthree,y\n")
    result = check(f"csv:{path}")
    assert result.ok
    assert result.histogram == {"x": 1, "y": 2}
    assert result.counts == {
        "examples": 3,
        "unique": 3,
        "duplicates": 0,
        "conflicts": 0,
        "near_copies": 0,
        "near_copy_groups": 0,
        "long_lines": 0,
        "skipped_files": 0,
    }
    assert format_result(result).splitlines() == [
        f"csv:{path}: 3 usable examples, 3 different",
        "  x         1   33.3 %  ###############",
        "  y         2   66.7 %  ##############################",
        "note: texts have 3 characters in the median, 5 at most",
        f"note: fine-tuning refuses so few examples: class 'x' of csv:{path} has 1 example, near copies of each other counted "
        "once: 3 are needed to learn from some and be tried on others; add examples or leave the class out",
        "no problems",
    ]


def test_few_examples_are_judged_in_folds(tmp_path):
    """The same rule as that of a run."""
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(f"text {n},{'xy'[n % 2]}\n" for n in range(16)))
    result = check(f"csv:{path}")
    assert {name: part.examples for name, part in result.parts.items()} == {"train": 16, "validation": 0, "test": 0}
    assert any("learns from all of train and is judged in 5 folds x 2 repeats" in note for note in result.notes)
    folds = labelled_splits(f"csv:{path}", folds="auto").folds
    assert (folds.count, folds.repeats) == (5, 2)


def test_every_bad_row_of_a_table_is_named(tmp_path):
    rows = [b"text,label", b"good,x", b"caf\xe9,y", b"one,two,three", b" ,x", b"no label,", b"fine,y", b"caf\xe9 2,y"]
    path = write(tmp_path / "a.csv", b"\n".join(rows))
    result = check(f"csv:{path}")
    assert [problem.where for problem in result.problems] == [
        f"{path}:3:4",
        f"{path}:8:4",
        f"{path}:4",
        f"{path}:5",
    ]
    assert "byte 0xe9 is not UTF-8" in told(result)[0]
    assert all(problem.todo for problem in result.problems)
    assert result.counts["examples"] == 2
    assert format_result(result).endswith("4 problems")
    assert (
        "1 of 3 rows have no label and are left out of what is learnt from labels; pretrain_text learns from them"
        in (result.notes)
    )


def test_every_bad_line_of_jsonl_is_named(tmp_path):
    lines = ['{"text": "a", "label": 0}', "{", '{"text": "b", "label": 1}', "[]", '{"text": "c"}']
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    assert [problem.where for problem in check(f"jsonl:{path}").problems] == [f"{path}:{line}" for line in (2, 4)]


def test_text_that_is_not_utf8_is_named_by_file_line_and_byte(tmp_path):
    path = write(tmp_path / "a.txt", "good\n新年".encode() + "新年".encode("gbk") + b"\nlast")
    result = check(f"text:{path}")
    assert told(result) == [
        f"{path}:2:7: byte 0xd0 is not UTF-8; save the file as UTF-8, such as: "
        f"iconv -f GBK -t UTF-8 {path} (or -f ISO-8859-1), or give `encoding`: gb18030, big5, cp1252, …"
    ]


def test_every_bad_image_is_named(tmp_path):
    for number, name in enumerate(("cat/1.png", "cat/2.jpg", "dog/1.webp", "dog/2.gif")):
        picture(tmp_path / name, number)
    whole = (tmp_path / "cat/2.jpg").read_bytes()
    write(tmp_path / "cat/corrupt.jpg", whole[: len(whole) // 2])
    write(tmp_path / "cat/empty.png", b"")
    write(tmp_path / "cat/text.png", "this is text")
    write(tmp_path / "dog/notes.txt", "not an image")
    write(tmp_path / "dog/scan.tiff", b"II*\x00")
    write(tmp_path / "dog/.DS_Store", b"x")
    result = check(f"images:{tmp_path}")
    found = {problem.where.removeprefix(f"{tmp_path}/"): problem.what for problem in result.problems}
    assert set(found) == {"cat/corrupt.jpg", "cat/empty.png", "cat/text.png", "dog/notes.txt", "dog/scan.tiff"}
    assert found["cat/corrupt.jpg"].startswith("the image is corrupt")
    assert found["cat/empty.png"] == "the file is empty"
    assert found["cat/text.png"].startswith("not an image")
    assert found["dog/notes.txt"].startswith("skipped: not one of .jpg")
    assert found["dog/scan.tiff"].startswith(".tiff images are not read")
    assert result.histogram == {"cat": 2, "dog": 2}
    assert "images are 6 to 6 pixels high and 5 to 5 wide" in result.notes
    assert result.counts["skipped_files"] == 1


@pytest.mark.parametrize("form", ["png", "gif", "webp", "bmp", "jpg"])
def test_half_an_image_of_any_format_is_named(tmp_path, form):
    picture(tmp_path / f"a/1.{form}", 0, size=(40, 40))
    picture(tmp_path / "b/1.png", 1)
    whole = (tmp_path / f"a/1.{form}").read_bytes()
    write(tmp_path / f"a/half.{form}", whole[: len(whole) // 2])
    assert [problem.where for problem in check(f"images:{tmp_path}").problems] == [f"{tmp_path}/a/half.{form}"]


def test_labels_out_of_range(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\na,0\nb,1\nc,2\nd,99\ne,-1\n")
    assert told(check(f"csv:{path}", SourceForm(class_names=("x", "y", "z")))) == [
        f"{path}:5: the label '99' is out of range; expected one of x, y, z or 0..2",
        f"{path}:6: the label '-1' is out of range; expected one of x, y, z or 0..2",
    ]
    todo = "correct it; if it is a class: `labels_as_written`"
    assert told(check(f"csv:{path}")) == [
        f"{path}:6: the label -1 is out of range: the others are 0 to 2; {todo}",
        f"{path}:5: the label 99 is out of range: the others are 0 to 2; {todo}",
    ]


@pytest.mark.parametrize("labels", [(-1, 1), (0, 4), (-1, 0, 1), (0, 2, 4), (1, 2, 3, 4, 5), ("a", 0, 7)])
def test_whole_numbers_that_are_fine(tmp_path, labels):
    path = write(tmp_path / "a.jsonl", "\n".join(json.dumps({"text": f"t{x}", "label": x}) for x in labels))
    assert check(f"jsonl:{path}").ok


def test_one_class_only_and_no_rows(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\na,x\nb,x\n")
    assert told(check(f"csv:{path}")) == [f"csv:{path}: there is only one class, 'x'; add examples of another class"]
    path = write(tmp_path / "b.csv", "text,label\n")
    assert "there are no usable rows" in told(check(f"csv:{path}"))[0]
    write(tmp_path / "c/x/.keep", "")
    assert ["the class folder has no images" in line for line in told(check(f"images:{tmp_path}/c"))] == [True, False]


def test_duplicates_are_counted_and_conflicts_named(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\nGood,x\nbad,y\ngood ,x\nGOOD,y\n")
    result = check(f"csv:{path}")
    assert told(result) == [
        f"{path}:5: the same text stands at {path}:2 with another label ('x' and 'y'); correct one or remove both"
    ]
    assert (result.counts["duplicates"], result.counts["conflicts"], result.counts["unique"]) == (2, 1, 2)
    assert any(note.startswith("2 examples are copies of others") for note in result.notes)


def test_what_is_in_both_sources_is_named(tmp_path):
    train = write(tmp_path / "train.csv", "text,label\none,x\ntwo,y\nthree,y\n")
    test = write(tmp_path / "test.csv", "text,label\nTWO,y\nfour,x\nfive,z\n")
    result = check(f"csv:{train}", against=f"csv:{test}")
    assert told(result) == [
        f"{train}:3: the same text is in csv:{test} too, at {test}:2; "
        "remove it from one of the two, or the score measures memory",
        f"csv:{train} and csv:{test}: classes that are not in both sources: z; "
        "use the same classes, or name them with class_names",
    ]


def test_the_same_image_in_both_sources_is_named(tmp_path):
    for part, numbers in (("train", (1, 2)), ("test", (3, 2))):
        picture(tmp_path / part / "a/1.png", numbers[0])
        picture(tmp_path / part / "b/2.png", numbers[1])
    result = check(f"images:{tmp_path}/train", against=f"images:{tmp_path}/test")
    assert [problem.where for problem in result.problems] == [f"{tmp_path}/train/b/2.png"]


def test_notes_on_classes_and_long_lines(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\none,Pos\ntwo,pos\n" + "word " * 1000 + ",neg\n")
    assert "1 lines were over 4,096 bytes and were split" in check(f"csv:{path}").notes
    assert "class 'c' has no examples" in check(f"csv:{path}", SourceForm(class_names=("Pos", "pos", "neg", "c"))).notes


def test_a_missing_source_or_column_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no file matches"):
        check("csv:nowhere.csv")
    path = write(tmp_path / "a.csv", "phrase\na\n")
    with pytest.raises(UsageError, match="no column named 'text'"):
        check(f"csv:{path}")


def test_check_examples_of_a_demo():
    result = check_examples(open_source("demo:digits"))
    assert result.ok
    assert sum(result.histogram.values()) == 1797


def test_near_copies_are_counted_and_those_of_a_test_set_are_told(tmp_path):
    words = [[f"{letter}{number}" for number in range(30)] for letter in "abcdef"]
    texts = [" ".join(each) for each in words]
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(f"{text},x\n{text[::-1]},y\n" for text in texts[:4]))
    near = [f"{text} end" for text in texts[:2]]
    (tmp_path / "test.csv").write_text(
        "text,label\n" + "".join(f"{text},{'xy'[n % 2]}\n" for n, text in enumerate([*near, *texts[4:]]))
    )
    result = check(f"csv:{tmp_path}/test.csv", against=f"csv:{tmp_path}/train.csv")
    assert result.ok
    told = f"2 texts are near copies of texts in csv:{tmp_path}/train.csv, such as {tmp_path}/test.csv:2 of "
    assert any(note.startswith(f"{told}{tmp_path}/train.csv:2: ") for note in result.notes)
    assert (result.counts["near_copies"], result.counts["near_copy_groups"]) == (0, 0)
    (tmp_path / "both.txt").write_text("\n".join([*near, *texts]))
    result = check(f"text:{tmp_path}/both.txt")
    assert (result.counts["near_copies"], result.counts["near_copy_groups"]) == (4, 2)
    assert "4 texts are near copies of others, in 2 groups, each kept on one side of a split" in result.notes
