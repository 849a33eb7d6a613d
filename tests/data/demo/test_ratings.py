"""Snippets of reviews with ratings: a small archive of the same form, and the real one where it has been downloaded."""

import dataclasses
import hashlib
import io
import tarfile

import numpy as np
import pytest

from tfpretune.data.demo import catalogue as demo
from tfpretune.data.demo import ratings as demo_ratings
from tfpretune.data.demo.archives import cache_folder
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import UsageError


def tar(**files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def small(tmp_path, monkeypatch):
    movie = "\ufeff1\t2.25\tGreat film.\r\n2\t-3\tBad \tfilm.\r\n3\t0.5\tA film.\r\n"
    amazon = "1_1\t1.5\tgood\r\n1_2\t-1\tbut loud\r\n10_1\t0.6\tfine\r\n"
    folder = "hutto_ICWSM_2014"
    inner = tar(
        **{
            f"{folder}/{demo_ratings.FILES['movie']}": movie.encode(),
            f"{folder}/{demo_ratings.FILES['amazon']}": amazon.encode(),
        }
    )
    data = tar(**{demo_ratings.INNER: inner})
    (tmp_path / demo_ratings.VADER.file).write_bytes(data)
    archive = dataclasses.replace(demo_ratings.VADER, sha256=hashlib.sha256(data).hexdigest())
    for name in [name for name in demo.DEMOS if name.startswith("vader-")]:
        monkeypatch.setitem(demo.DEMOS, name, dataclasses.replace(demo.DEMOS[name], archive=archive))
    monkeypatch.setenv("TFPRETUNE_DATA", str(tmp_path))


@pytest.mark.usefixtures("small")
def test_ratings_are_numbers():
    source = open_source("demo:vader-movie")
    assert source.inputs == ["Great film.", "Bad film.", "A film."]
    assert source.labels.tolist() == [2.25, -3.0, 0.5]
    assert (source.label_kind, source.groups, source.where[1]) == ("regression", None, "demo:vader-movie:2")
    with pytest.raises(
        UsageError, match="the labels of this source are numbers: ask for kind 'regression', not 'single'"
    ):
        open_source("demo:vader-movie", label_kind="single")


@pytest.mark.usefixtures("small")
def test_sentences_of_one_review_are_one_group():
    source = open_source("demo:vader-amazon")
    assert source.groups.tolist() == ["1", "1", "10"]


@pytest.mark.usefixtures("small")
def test_polar_ones_are_beyond_a_half():
    source = open_source("demo:vader-movie-polar")
    assert (source.inputs, source.labels.tolist()) == (["Great film.", "Bad film."], [1, 0])
    assert open_source("demo:vader-amazon-polar").labels.tolist() == [1, 0, 1]


@pytest.mark.skipif(not (cache_folder() / demo_ratings.VADER.file).is_file(), reason="needs the vaderSentiment archive")
def test_the_real_ones():
    movie, amazon = open_source("demo:vader-movie"), open_source("demo:vader-amazon")
    assert (len(movie), len(amazon)) == (10605, 3708)
    assert len(set(amazon.groups)) == 300
    np.testing.assert_allclose([movie.labels.min(), movie.labels.max()], [-3.875, 3.941176], atol=1e-5)
    assert np.bincount(open_source("demo:vader-movie-polar").labels).tolist() == [5061, 4982]
    assert np.bincount(open_source("demo:vader-amazon-polar").labels).tolist() == [1218, 1725]
    parts = [set(amazon.split(part).groups) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 300
