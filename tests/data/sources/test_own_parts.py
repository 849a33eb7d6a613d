"""Validation and test sets that have sources of their own."""

import numpy as np
import pytest
from PIL import Image

from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_part, labelled_splits
from tfpretune.data.splits.form import SplitForm
from tfpretune.errors import RunError, UsageError


def table(folder, name, rows, header="text,label"):
    (folder / name).write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return f"csv:{folder}/{name}"


def rows(count, start=0):
    return [f"word {row},{('no', 'yes')[row % 2]}" for row in range(start, start + count)]


@pytest.fixture
def source(tmp_path):
    return table(tmp_path, "a.csv", rows(100))


def test_an_own_test_source_is_not_split_and_what_is_there_is_left_out(source, tmp_path, capsys):
    test = table(tmp_path, "test.csv", [*rows(30, 1000), "WORD 3,yes", "word  4,no"])
    parts = labelled_splits(source, splits=SplitForm(test_source=test))
    assert len(parts.test) == 32
    assert (parts.test.name, parts.class_names) == (test, ("no", "yes"))
    assert len(parts.train) + len(parts.validation) == 98
    assert not {"word 3", "word 4"} & {*parts.train.inputs, *parts.validation.inputs}
    assert f"{source}: 2 examples are left out because of {test}: 2 are there, too" in capsys.readouterr().out
    drawn = labelled_splits(source)  # the rest is drawn as without: what was training stays training
    assert set(drawn.train.inputs) - {"word 3", "word 4"} <= set(parts.train.inputs)
    assert parts.as_task() == {"source": source, "test_source": test, "split_rule": 3}


def test_own_validation_and_fractions(source, tmp_path):
    own = table(tmp_path, "dev.csv", rows(20, 500))
    parts = labelled_splits(source, splits=SplitForm(validation_source=own, fractions=(0.5, 0.25, 0.25)))
    assert len(parts.validation) == 20
    assert 20 < len(parts.test) < 45  # a third of what is left
    both = labelled_splits(source, splits=SplitForm(own, table(tmp_path, "test.csv", [*rows(20, 490)])))
    assert (len(both.train), len(both.test)) == (100, 20)
    assert len(both.validation) == 10  # what stands in the test set chooses nothing
    halves = labelled_splits(source, splits=SplitForm(fractions=(0.5, 0.25, 0.25)))
    assert [len(part) > 12 for part in (halves.train, halves.validation, halves.test)] == [True] * 3
    assert len(halves.train) < 65


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (
            ["new 1,maybe"],
            RunError,
            "the label 'maybe' is out of range; .* check csv:.*a.csv --test-source csv:.*t.csv",
        ),
        (rows(100), UsageError, "all examples of csv:.*a.csv stand in csv:.*t.csv, too: nothing is left to train on"),
        (["new 1,", "new 2, "], UsageError, "`test_source` csv:.*t.csv has no labels"),
    ],
)
def test_a_test_source_that_does_not_fit_is_refused(source, tmp_path, content, error, message):
    with pytest.raises(error, match=message):
        labelled_splits(source, splits=SplitForm(test_source=table(tmp_path, "t.csv", content)))


def test_labels_of_other_kinds(tmp_path):
    numbers = table(tmp_path, "n.csv", [f"word {row},{row / 10}" for row in range(60)])
    other = table(tmp_path, "n2.csv", ["new 1,99.5", "new 2,-1"])
    parts = labelled_splits(numbers, SourceForm(label_kind="regression"), splits=SplitForm(test_source=other))
    assert parts.test.known_labels.tolist() == [99.5, -1]
    sets = table(tmp_path, "s.csv", [f"word {row},{'a;b' if row % 2 else 'b;c'}" for row in range(60)])
    other = table(tmp_path, "s2.csv", ["new 1,c;a", "new 2,c"])
    parts = labelled_splits(sets, SourceForm(label_kind="multi-label"), splits=SplitForm(test_source=other))
    assert parts.test.known_labels.tolist() == [[1, 0, 1], [0, 0, 1]]


def test_further_labels_are_of_the_same_classes(tmp_path):
    lines = [f"word {row},{('no', 'yes')[row % 2]},{('a', 'b', 'c')[row % 3]}" for row in range(60)]
    source = table(tmp_path, "a.csv", lines, "text,label,topic")
    own = table(tmp_path, "t.csv", ["new 1,yes,c", "new 2,no,b"], "text,label,topic")
    form = SourceForm(more_labels=("topic",))
    assert labelled_splits(source, form, splits=SplitForm(test_source=own)).test.more["topic"].labels.tolist() == [2, 1]
    strange = table(tmp_path, "u.csv", ["new 1,yes,d"], "text,label,topic")
    with pytest.raises(UsageError, match="the class 'd' of 'topic' is not in csv"):
        labelled_splits(source, form, splits=SplitForm(test_source=strange))


def test_one_part_is_the_part_of_all_three(source, tmp_path):
    splits = SplitForm(test_source=table(tmp_path, "t.csv", rows(30, 90)))
    parts, opened = labelled_splits(source, splits=splits), open_source(source)
    form = SourceForm(label_kind="single")
    for name in ("train", "validation", "test"):
        assert labelled_part(opened, name, form, splits).inputs == getattr(parts, name).inputs
    assert len(labelled_part(opened, "all", form, splits)) == 100


def picture(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (4, 4, 3)).astype(np.uint8)).save(path)


def test_folders_of_images(tmp_path, capsys):
    for number in range(60):
        picture(tmp_path / "all" / ("cat", "dog")[number % 2] / f"{number}.png", number)
    for number in range(56, 70):  # four are there, too
        picture(
            tmp_path / "split" / ("test" if number < 66 else "train") / ("cat", "dog")[number % 2] / f"{number}.png",
            number,
        )
    parts = labelled_splits(f"images:{tmp_path}/all", splits=SplitForm(test_source=f"images:{tmp_path}/split"))
    assert (len(parts.test), len(parts.train) + len(parts.validation)) == (10, 56)
    said = capsys.readouterr().out
    assert "its test split is taken, 10 of 14 examples" in said
    assert "4 examples are left out because of" in said
    with pytest.raises(
        UsageError, match="`validation_source` .* splits of its own .test, train. and none is validation"
    ):
        labelled_splits(f"images:{tmp_path}/all", splits=SplitForm(validation_source=f"images:{tmp_path}/split"))
    parts = labelled_splits(f"images:{tmp_path}/split", splits=SplitForm(test_source=f"images:{tmp_path}/all"))
    assert "its own test split, 10 examples, is not used" in capsys.readouterr().out


def test_another_kind_is_refused(source, tmp_path):
    picture(tmp_path / "all/no/1.png", 1)
    picture(tmp_path / "all/yes/2.png", 2)
    with pytest.raises(UsageError, match="`test_source` images:.* holds image examples, expected text"):
        labelled_splits(source, splits=SplitForm(test_source=f"images:{tmp_path}/all"))


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.2), (1.1, -0.1, 0.0), (0.5, 0.5)])
def test_fractions_are_fractions(fractions):
    with pytest.raises(UsageError, match="fractions must be three fractions"):
        SplitForm(fractions=fractions)
