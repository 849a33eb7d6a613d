"""Several tasks from several sources: whose texts and labels a batch holds."""

import math

import numpy as np
import pytest

from tests.faults.tiny import make_tokenizer
from tfpretune.data.checks.examples import check
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import RunError, UsageError
from tfpretune.settings.multitask import read_places
from tfpretune.tasks.task_sources import open_tasks

LENGTH = 8


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """150 texts of w1 … with a tone, 50 texts of w40 … with a subject."""
    folder = tmp_path_factory.mktemp("sources")
    tones = [f"w1 w{number % 30} w{number // 30},{('calm', 'loud')[number % 2]}" for number in range(150)]
    subjects = [f"w40 w{number % 10} w{number // 10},{('art', 'law', 'sea')[number % 3]}" for number in range(50)]
    for name, lines in {"tones": tones, "subjects": subjects}.items():
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n", "utf-8")
    return open_tasks(read_places([f"tone=csv:{folder}/tones.csv", f"subject=csv:{folder}/subjects.csv"], ""))


@pytest.mark.parametrize(("temperature", "share"), [(1.0, None), (math.inf, 6)])
def test_a_batch_of_two_sources(sources, temperature, share):
    """Each text has the label of its own task and -1 for the other; the shares follow the sizes or are equal."""
    rows = sources.batches("train", 12, tokenizer=make_tokenizer(), sequence_length=LENGTH, temperature=temperature)
    sizes = [len(sources.examples(task, "train")) for task in ("tone", "subject")]
    expected = share or round(12 * sizes[0] / sum(sizes))
    for batch in rows.from_step(0, 5):
        tone, subject = (batch[name].numpy() for name in ("tone", "subject"))
        assert (tone >= 0).sum() == expected
        np.testing.assert_array_equal(tone >= 0, subject < 0)
        first = batch["token_ids"].numpy()[:, 1]  # after [CLS]
        assert len(set(first[tone >= 0])) == len(set(first[subject >= 0])) == 1
        assert set(first[tone >= 0]) != set(first[subject >= 0])


def test_labels_belong_to_their_texts(sources):
    """In order, every test text of every task stands once, with its own label."""
    rows = sources.batches("test", 4, tokenizer=make_tokenizer(), sequence_length=LENGTH)
    served = {name: np.concatenate([batch[name] for batch in rows.in_order()]) for name in ("tone", "subject")}
    for task, names in {"tone": ("calm", "loud"), "subject": ("art", "law", "sea")}.items():
        assert sources.class_names(task) == names
        np.testing.assert_array_equal(served[task][served[task] >= 0], sources.examples(task, "test").labels)


def test_one_source_is_served_as_it_is(tmp_path):
    """Two columns of one source: no mixing, the order of the seed, a column for each task."""
    sources = open_tasks(read_places(["label", "topic"], "demo:reviews-zh"), most=32)
    rows = sources.batches("train", 8, tokenizer=make_tokenizer(), sequence_length=LENGTH, seed=3)
    batch = next(iter(rows.from_step(5, 1)))
    numbers = rows.rows(5)
    for task in ("label", "topic"):
        np.testing.assert_array_equal(batch[task], sources.examples(task, "train").labels[numbers])
    assert set(batch) == {"token_ids", "padding_mask", "label", "topic"}


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (["tone="], "NAME=SOURCE"),
        (["=csv:a.csv"], "NAME=SOURCE"),
        (["my tone=csv:a.csv"], "letters"),
        (["token_ids=csv:a.csv"], "none of token_ids"),
        (["tone", "tone=csv:a.csv"], "names tone twice"),
    ],
)
def test_tasks_that_cannot_be_read(tasks, message):
    with pytest.raises(UsageError, match=message):
        read_places(tasks, "demo:bbc")


def test_more_sources_than_a_batch_has_rows(sources):
    with pytest.raises(UsageError, match="--batch-size 1"):
        sources.batches("train", 1, tokenizer=make_tokenizer(), sequence_length=LENGTH)


@pytest.fixture
def reviews(tmp_path):
    """90 texts with a tone, a subject and the same place each; no column "label"."""
    rows = [f"text {n},{('calm', 'loud')[n % 2]},{('art', 'law', 'sea')[n % 3]},here" for n in range(90)]
    (tmp_path / "a.csv").write_text("\n".join(["text,tone,subject,place", *rows]) + "\n", "utf-8")
    return f"csv:{tmp_path}/a.csv"


def test_columns_of_a_file_of_ones_own(reviews):
    """Each task has the classes of its column, and the same texts in each part."""
    sources = open_tasks(read_places(["subject", "tone"], reviews))
    assert sources.class_names("tone") == ("calm", "loud")
    assert sources.class_names("subject") == ("art", "law", "sea")
    for part in ("train", "validation", "test"):
        numbers = np.array([int(text.split()[1]) for text in sources.examples("tone", part).inputs])
        np.testing.assert_array_equal(sources.examples("tone", part).labels, numbers % 2)
        np.testing.assert_array_equal(sources.examples("subject", part).labels, numbers % 3)
        assert list(sources.examples("tone", part).inputs) == list(sources.examples("subject", part).inputs)
    batch = next(iter(sources.batches("train", 8, tokenizer=make_tokenizer(), sequence_length=LENGTH).from_step(0, 1)))
    assert set(batch) == {"token_ids", "padding_mask", "subject", "tone"}


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (["tone", "subjekt"], "no column named 'subjekt', the header has: text, tone, subject, place"),
        (["label", "subject"], "no column named 'label', the header has: text, tone, subject, place"),
        (["tone", "place"], "1 classes in the column 'place': at least 2 are needed"),
        (["kinds=demo:people-daily-kinds", "tone"], "each label is a set, and tasks need a class for each text"),
    ],
)
def test_columns_that_cannot_be_learnt_from(reviews, tasks, message):
    with pytest.raises(UsageError, match=message) as caught:
        open_tasks(read_places(tasks, reviews))
    assert "\n" not in str(caught.value)


def half_labelled(tmp_path, tone=lambda n: ("calm", "loud")[n % 2], none=""):
    rows = [
        f"text {n},{none if n % 5 == 0 else tone(n)},{none if n % 3 == 0 else ('art', 'law')[n % 2]}"
        for n in range(150)
    ]
    (tmp_path / "a.csv").write_text("\n".join(["text,label,topic", *rows]) + "\n", "utf-8")
    return f"csv:{tmp_path}/a.csv"


def test_a_text_may_lack_the_label_of_a_task(tmp_path, capsys):
    """It has -1 in the batch, is not among the task's examples, and no class is made of it; the run says how many."""
    spec = half_labelled(tmp_path)
    sources = open_tasks(read_places(["label", "topic"], spec))
    said = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("note: ")]
    assert [line.removeprefix(f"{spec}: ") for line in said] == [
        "label: 30 of 150 rows have no label, and do not count for it",
        "topic: 50 of 150 rows have no label, and do not count for it",
    ]
    assert sources.class_names("label") == ("calm", "loud")
    rows = sources.batches("test", 4, tokenizer=make_tokenizer(), sequence_length=LENGTH)
    served = {name: np.concatenate([batch[name] for batch in rows.in_order()]) for name in ("label", "topic")}
    every = sources.parts[spec].test
    for task, step in (("label", 5), ("topic", 3)):
        numbers = np.array([int(text.split()[1]) for text in every.inputs])
        np.testing.assert_array_equal(served[task], np.where(numbers % step, numbers % 2, -1))
        np.testing.assert_array_equal(sources.known(task, "test"), numbers % step > 0)
        assert len(sources.examples(task, "test")) == (numbers % step > 0).sum()


@pytest.mark.parametrize(("tone", "none"), [(lambda n: n % 2, -1), (lambda n: ("calm", "loud")[n % 2], "nan")])
def test_what_looks_like_a_missing_label_is_asked_about(tmp_path, tone, none):
    spec = half_labelled(tmp_path, tone, none)
    message = f"a.csv:2: the label 'label' '{none}' looks like a missing label; leave it empty; .*`labels_as_written`"
    with pytest.raises(RunError, match=f"{message}; .* check {spec} --label-column label --may-lack"):
        open_tasks(read_places(["label", "topic"], spec))
    assert len(check(spec, SourceForm(may_lack=True)).problems) == 30
    assert str(none) in open_tasks(
        read_places(["label", "topic"], spec), SourceForm(labels_as_written=True)
    ).class_names("label")


def test_a_task_without_a_label_in_a_part_is_refused(tmp_path):
    rows = [f"text {n},{('calm', 'loud')[n % 2]},{('art', 'law')[n % 2] if n < 2 else ''}" for n in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label,topic", *rows]) + "\n", "utf-8")
    with pytest.raises(UsageError, match="no text of the .* part has a label for the task topic"):
        open_tasks(read_places(["label", "topic"], f"csv:{tmp_path}/a.csv"))


def test_a_copy_may_have_the_label_that_the_first_lacks(tmp_path):
    lines = ["same,,art", "SAME,calm,", "other,calm,law", "other,loud,law", "third,loud,"]
    (tmp_path / "a.csv").write_text("\n".join(["text,tone,topic", *lines]) + "\n", "utf-8")
    columns = {"label_column": "", "more_labels": ("tone", "topic"), "may_lack": True}
    source = open_source(f"csv:{tmp_path}/a.csv", **columns).without_duplicates()
    assert source.inputs == ["same", "third"]
    assert [source.more[name].labels.tolist() for name in ("tone", "topic")] == [[0, 1], [0, -1]]
