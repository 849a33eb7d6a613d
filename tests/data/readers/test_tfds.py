import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tfds_features import feature_notes, label_feature
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.data.splits.form import SplitForm
from tfpretune.errors import RunError, UsageError


class Notes(tfds.core.GeneratorBasedBuilder):
    """Six texts with two classes; two of them again as a test split."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"title": tfds.features.Text(), "text": tfds.features.Text()}
        features["label"] = tfds.features.ClassLabel(names=["pos", "neg"])
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(range(6)), "test": self._generate_examples([1, 2])}

    def _generate_examples(self, numbers):
        for number in numbers:
            yield number, {"title": "same", "text": f"  text {number}", "label": number % 2}


class Tones(tfds.core.GeneratorBasedBuilder):
    """Six texts with a topic as a class, a tone as a string and a number of stars; the topic of one may be hidden."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"text": tfds.features.Text(), "tone": tfds.features.Text(), "stars": np.int64}
        features["topic"] = tfds.features.ClassLabel(names=["pc", "book", "inn"])
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(range(6)), "hidden": self._generate_examples([-1])}

    def _generate_examples(self, numbers):
        for number in numbers:
            topic = number % 3 if number >= 0 else -1
            tone = ("calm", "loud")[number % 2]
            yield number, {"text": f"text {number}", "topic": topic, "tone": tone, "stars": number // 2}


class Pictures(tfds.core.GeneratorBasedBuilder):
    """Four images of four sizes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "kind": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(4):
            yield number, {"image": np.full((number + 2, 3, 3), number, np.uint8), "kind": number % 2}


class Moods(tfds.core.GeneratorBasedBuilder):
    """Four pairs of texts with a bool, a float, an id, and features that are no one value each."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"premise": tfds.features.Text(), "hypothesis": tfds.features.Text()}
        features |= {"label": np.bool_, "stars": np.float32, "id": np.int32}
        features |= {"inner": {"body": tfds.features.Text()}, "tags": tfds.features.Sequence(np.int32)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(4):
            pair = {"premise": f"text {number}", "hypothesis": f"other {number}"}
            label = {"label": number % 2 == 0, "stars": number - 1.5, "id": number}
            yield number, pair | label | {"inner": {"body": "x"}, "tags": [number]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two prepared data sets, as a user has them on disk."""
    root = str(tmp_path_factory.mktemp("tfds"))
    builders = [builder(data_dir=root) for builder in (Notes, Pictures, Tones, Moods)]
    for builder in builders:
        builder.download_and_prepare()
    return [str(builder.data_path) for builder in builders]


def test_texts_of_a_prepared_folder(folders):
    source = open_source(f"tfds:{folders[0]}")
    assert sorted(source.inputs) == [f"text {number}" for number in range(6)]
    assert source.class_names == ("pos", "neg")  # the order of the data set, not of the alphabet
    assert all(source.labels[row] == int(text[-1]) % 2 for row, text in enumerate(source.inputs))
    assert source.where[0] == f"tfds:{folders[0]}:train[0]"
    assert len(open_source(f"tfds:{folders[0]}:test")) == 2
    assert len(open_source(f"tfds:{folders[0]}:train[:50%]")) == 3
    assert set(open_source(f"tfds:{folders[0]}", text_column="title", label_column="").inputs) == {"same"}
    joined = open_source(f"tfds:{folders[0]}", text_column=("title", "text"))
    assert joined.inputs[0] == f"same\n{source.inputs[0]}"


def test_further_labels_are_features_by_name(folders):
    """Classes in the order of the data set; strings and whole numbers in their own."""
    source = open_source(f"tfds:{folders[2]}", label_column="tone", more_labels=("topic", "stars"))
    assert source.class_names == ("calm", "loud")
    assert {name: column.class_names for name, column in source.more.items()} == {
        "topic": ("pc", "book", "inn"),
        "stars": ("0", "1", "2"),
    }
    numbers = np.array([int(text[-1]) for text in source.inputs])
    np.testing.assert_array_equal(source.labels, numbers % 2)
    np.testing.assert_array_equal(source.more["topic"].labels, numbers % 3)
    np.testing.assert_array_equal(source.more["stars"].labels, numbers // 2)
    with pytest.raises(RunError, match=r"hidden\[0\]: the label 'topic' is missing"):
        open_source(f"tfds:{folders[2]}:hidden", label_column="tone", more_labels=("topic",))


def test_bools_are_classes_floats_are_numbers_and_pairs_are_read(folders):
    spec, columns = f"tfds:{folders[3]}", {"text_column": "premise", "pair_column": "hypothesis"}
    source = open_source(spec, **columns)
    numbers = np.array([int(text[-1]) for text in source.inputs])
    assert source.seconds == [f"other {number}" for number in numbers]
    assert source.class_names == ("false", "true")
    np.testing.assert_array_equal(source.labels, numbers % 2 == 0)
    note = "features that are not read: "
    assert len(source.notes) == 1
    assert source.notes[0].startswith(note)
    unread = set(source.notes[0].removeprefix(note).split(", "))
    assert unread == {"stars (float32)", "id (int32)", "inner (FeaturesDict)", "tags (Sequence)"}
    rated = open_source(spec, text_column="premise", label_column="stars")
    assert (rated.label_kind, rated.class_names) == ("regression", ())
    np.testing.assert_array_equal(rated.labels, [int(text[-1]) - 1.5 for text in rated.inputs])
    with pytest.raises(UsageError, match="the labels of this source are numbers"):
        open_source(spec, text_column="premise", label_column="stars", label_kind="single")


def test_a_label_of_another_name_is_found_or_told(folders):
    """The only class, else the only bool or float; else the candidates are named."""
    assert "the label is the feature 'kind'" in open_source(f"tfds:{folders[1]}").notes
    features = tfds.features.FeaturesDict({"text": tfds.features.Text(), "stars": np.float32, "id": np.int64})
    assert label_feature(features, "label", "x") == "stars"
    features = tfds.features.FeaturesDict({"text": tfds.features.Text(), "target": np.int64, "id": np.int64})
    assert label_feature(features, "label", "x") is None
    notes = feature_notes(features, ("text",), None, ("label", ""))
    assert sorted(notes[1].rpartition(": ")[2].split(", ")) == ["id", "target"]
    assert notes[1].startswith("no label is read; of these could be one (`label_column`)")


def test_images_of_many_sizes_become_files(folders, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = open_source(f"tfds:{folders[1]}")
    assert source.class_names == ("0", "1")
    for path, label in zip(source.inputs, source.labels, strict=True):
        pixels = np.asarray(Image.open(path))
        number = pixels.flat[0]
        assert pixels.shape == (number + 2, 3, 3)
        assert label == number % 2
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == sorted(
        path.split("/")[-1] for path in source.inputs
    )
    assert open_source(f"tfds:{folders[1]}").inputs == source.inputs


def test_data_sets_of_the_catalogue():
    with tfds.testing.mock_data(num_examples=5):
        images = open_source("tfds:cifar10:test")
        texts = open_source("tfds:glue/sst2")
    assert images.inputs.shape == (5, 32, 32, 3)
    assert images.inputs.dtype == np.uint8
    assert len(images.class_names) == 10
    assert texts.kind == "text"
    assert len(texts.class_names) == 2


@pytest.mark.parametrize(
    ("rest", "options", "message"),
    [
        ("{0}:dev", {}, "has no split 'dev': it has"),
        ("{0}", {"text_column": "body"}, "has the text features text, title: name one with `text_column`"),
        ("{0}", {"label_column": "lable"}, "has no label feature 'lable': it has"),
        ("{2}", {"more_labels": ("topik",)}, "has no label feature 'label': it has"),
        ("{2}", {"label_column": "", "more_labels": ("topik",)}, "has no label feature 'topik': it has .*topic"),
        ("{3}", {"text_column": "premise", "label_column": "tags"}, r"the feature tags .Sequence. is not a label"),
        ("{3}", {"text_column": "premise", "pair_column": "inner"}, "has no text feature 'inner'"),
        ("{3}", {}, "hypothesis, premise: name one with `text_column`, and of pairs the second with `pair_column`"),
        ("cifar1", {}, "unknown tfds data set 'cifar1', did you mean 'cifar10'"),
        ("{1}/..", {}, "is not the folder of a prepared tfds data set"),
    ],
)
def test_what_is_not_there_is_named(folders, rest, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        open_source("tfds:" + rest.format(*folders), **options)
    assert "\n" not in str(caught.value)


class Halves(tfds.core.GeneratorBasedBuilder):
    """Texts with splits of their own; the labels of one may be hidden."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["pos", "neg"])}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        own = {"train": range(60), "dev": range(55, 75), "test": range(-9, 0), "unsupervised": range(80, 90)}
        return {name: self._generate_examples(numbers) for name, numbers in own.items()}

    def _generate_examples(self, numbers):
        for number in numbers:
            yield number, {"text": f"text {number}", "label": number % 2 if number >= 0 else -1}


def test_official_splits_are_the_parts_of_a_run(tmp_path, folders, capsys):
    builder = Halves(data_dir=str(tmp_path))
    builder.download_and_prepare()
    spec = f"tfds:{builder.data_path}"
    parts = labelled_splits(spec)
    said = capsys.readouterr().out
    assert "its own splits are taken: train, dev; test is drawn from train" in said
    assert "the labels of its split 'test' are hidden, it is not used" in said
    assert len(parts.validation) == 20
    assert f"{spec}: 5 examples are left out because of {spec}:dev: 5 are there, too" in said
    assert len(parts.train) + len(parts.test) == 55
    assert parts.as_task()["validation_source"] == f"{spec}:dev"
    anew = labelled_splits(spec, SourceForm(split_column=""))
    assert len(anew.train) + len(anew.validation) + len(anew.test) == 60
    assert len(labelled_splits(spec, splits=SplitForm(rule=2)).validation) < 12
    only = labelled_splits(f"{spec}:dev")  # a split in the name is that split alone
    assert len(only.train) + len(only.validation) + len(only.test) == 20
    with pytest.raises(UsageError, match="`group_column` is for tables"):
        open_source(spec, group_column="author")
