import collections

import pytest

from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.errors import UsageError


@pytest.fixture
def source(tmp_path):
    """100 different texts of each of two classes; each stands there twice."""
    rows = [f"text {number} {label},{label}" for number in range(100) for label in ("no", "yes")]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(rows * 2) + "\n", "utf-8")
    return f"csv:{tmp_path}/a.csv"


def test_parts_are_the_splits_without_duplicates(source):
    parts = labelled_splits(source)
    three = (parts.train, parts.validation, parts.test)
    assert sum(map(len, three)) == 200
    assert len({text for part in three for text in part.inputs}) == 200
    assert parts.class_names == ("no", "yes")
    assert list(parts.test.inputs) == list(open_source(source).without_duplicates().split("test").inputs)


def test_few_labels_and_few_examples(source):
    parts = labelled_splits(source, labels_per_class=5, seed=3)
    assert collections.Counter(parts.train.known_labels.tolist()) == {0: 5, 1: 5}
    again, other = (labelled_splits(source, labels_per_class=5, seed=seed) for seed in (3, 4))
    assert list(again.train.inputs) == list(parts.train.inputs) != list(other.train.inputs)
    assert len(parts.test) == len(labelled_splits(source).test) > 7  # labels are scarce in training alone
    small = labelled_splits(source, labels_per_class=5, most=7)
    assert [len(small.train), len(small.validation), len(small.test)] == [7, 7, 7]


def test_a_source_without_two_classes_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,yes\nb,yes\n", "utf-8")
    with pytest.raises(UsageError, match=r"a\.csv has 1 classes: labels of at least 2 are needed"):
        labelled_splits(f"csv:{tmp_path}/a.csv")


def test_what_a_label_is_and_how_a_set_is_written(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(f"t{row},a|b" for row in range(60)) + "\n", "utf-8")
    parts = labelled_splits(f"csv:{tmp_path}/a.csv", SourceForm(label_kind="multi-label", label_separator="|"))
    assert (parts.class_names, parts.train.known_labels[0].tolist()) == (("a", "b"), [1, 1])
    with pytest.raises(UsageError, match="has no classes but a set for each example: that number per class cannot be"):
        labelled_splits(
            f"csv:{tmp_path}/a.csv", SourceForm(label_kind="multi-label", label_separator="|"), labels_per_class=1
        )


def test_demo_pairs_have_their_own_second_texts():
    """The recipe asks for a column by default; a demo without second texts is refused."""
    assert labelled_splits("demo:bbc-pairs", SourceForm(pair_column="text_pair"), most=5).train.seconds
    with pytest.raises(UsageError, match="'demo:digits' has no second text 'text_pair'"):
        labelled_splits("demo:digits", SourceForm(pair_column="text_pair"))
