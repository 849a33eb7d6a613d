"""From texts to shards to a pre-trained model, and the mistakes on the way."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.recipes.test_recipes import TEXT, run_recipe
from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.corpus.shards import open_shards
from tfpretune.data.sources.examples import open_source
from tfpretune.data.text.tokens import pack, train_wordpiece
from tfpretune.errors import RunError, UsageError

SMALL = {"vocabulary_size": 400, "sequence_length": 32, "workers": 1}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "bbc"
    assert run_recipe("prepare_text", out_dir=str(folder), fast=True, **SMALL) == folder
    return folder


def test_a_small_corpus_becomes_what_pretraining_makes_of_it_in_memory(tmp_path):
    lines = [line for text in open_source("demo:bbc").inputs[:60] for line in text.split("\n")]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    run_recipe(
        "prepare_text", source=f"text:{tmp_path}/a.txt", out_dir=str(tmp_path / "shards"), license="mine", **SMALL
    )
    examples = open_source(f"text:{tmp_path}/a.txt").without_duplicates()
    vocabulary = train_wordpiece(examples.split("train").inputs, 400)
    opened = open_shards(tmp_path / "shards")
    assert opened.vocabulary == vocabulary
    assert opened.manifest["license"] == "mine"
    tokenizer = TextEncoderTokenizer(vocabulary, lowercase=True)
    for part in ("train", "validation", "test"):
        rows = opened.rows(part)
        expected = pack(tokenizer, examples.split(part).inputs, sequence_length=32)
        np.testing.assert_array_equal(rows.read(np.arange(len(rows))), expected)


def test_the_second_run_finds_nothing_to_do(shards, capsys):
    run_recipe("prepare_text", out_dir=str(shards), fast=True, **SMALL)
    out = capsys.readouterr().out
    assert f"was prepared already: {shards}, rows of 32 tokens:" in out
    assert f"pretrain_text --source shards:{shards}" in out
    with pytest.raises(UsageError, match="sequence_length: 32 -> 64"):
        run_recipe("prepare_text", out_dir=str(shards), fast=True, **SMALL | {"sequence_length": 64})


def test_pretraining_reads_shards(shards, tmp_path):
    settings = {key: value for key, value in TEXT.items() if key != "source"} | {"sequence_length": 32}
    source, run = f"shards:{shards}", tmp_path / "run"
    result = run_recipe("pretrain_text", source=source, out_dir=str(run), **settings)
    assert result.steps == 3
    metrics = json.loads((run / "report" / "metrics.json").read_text("utf-8"))
    assert 3 < metrics["unigram_loss"] < 6
    preset = str(run / "preset")
    again = run_recipe("pretrain_text", source=source, preset=preset, out_dir=str(tmp_path / "more"), **settings)
    assert again.steps == 3
    run_recipe("prepare_text", preset=preset, out_dir=str(tmp_path / "same"), fast=True, sequence_length=32, workers=1)
    assert open_shards(tmp_path / "same").vocabulary == open_shards(shards).vocabulary


def test_what_does_not_go_together_is_refused(shards, tmp_path):
    with pytest.raises(UsageError, match="--sequence-length 128: the rows of .*bbc have 32 tokens"):
        run_recipe("pretrain_text", source=f"shards:{shards}", out_dir=str(tmp_path / "run"))
    with pytest.raises(UsageError, match="no/such is not a folder of shards"):
        run_recipe("pretrain_text", source="shards:no/such", out_dir=str(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_damage_met_in_training_is_one_line(shards, tmp_path, monkeypatch):
    for name in ("manifest.json", "vocabulary.txt", *(f"data/{path.name}" for path in (shards / "data").iterdir())):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((shards / name).read_bytes())
    (train,) = (tmp_path / "data").glob("train-*")
    monkeypatch.setattr("tfpretune.tasks.pretraining.text_sequences.COUNTED_ROWS", 1)
    monkeypatch.setattr("tfpretune.data.corpus.shards.open_shards.__kwdefaults__", {"checked_bytes": 0})
    size = 32 * 2 + 4
    train.write_bytes(train.read_bytes()[:size] + bytes(train.stat().st_size - size))
    settings = {key: value for key, value in TEXT.items() if key != "source"} | {"sequence_length": 32}
    with pytest.raises(RunError, match=r"^.*train-00000\.rows is damaged at row \d+: its checksum differs[^\n]*$"):
        run_recipe("pretrain_text", source=f"shards:{tmp_path}", out_dir=str(tmp_path / "run"), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "text:none/*.txt"}, "no file matches text:none/*.txt"),
        ({"source": "demo:digits"}, "`source` demo:digits holds image examples, expected text"),
        ({"vocabulary": "none.txt"}, "`vocabulary` none.txt: No such file"),
        ({"vocabulary": "a", "preset": "b"}, "give --preset or --vocabulary, not both"),
        ({"validation_fraction": 1.0}, "--validation-fraction must be in [0, 1), received 1.0"),
        ({"validation_fraction": 0.6, "test_fraction": 0.6}, "must leave some for training"),
        ({"chunk_megabytes": 0}, "--chunk-megabytes and --vocabulary-megabytes must be at least 1"),
        ({"sequence_length": 2}, "`sequence_length` must be at least 3, received 2"),
        ({"preset": "no/such"}, "`preset` no/such: "),
    ],
)
def test_mistakes_are_usage_errors(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=re.escape(message)):
        run_recipe("prepare_text", **{"out_dir": "shards", "fast": True, "workers": 1} | settings)
    assert not Path("shards/manifest.json").exists()


@pytest.mark.skipif(importlib.util.find_spec("apache_beam") is not None, reason="Beam is installed")
def test_beam_that_is_not_installed_is_named():
    with pytest.raises(UsageError, match=r"--beam needs Apache Beam: pip install 'tfpretune\[beam\]'"):
        run_recipe("prepare_text", beam="--runner=DirectRunner")
