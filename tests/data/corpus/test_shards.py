"""Shards: rows come back by their global number, and every damage is named."""

import json
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from tests.data.corpus.shard_toys import WORDS, contents, make, write_corpus
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.corpus import shard_sequences as shard_rows
from tfpretune.data.corpus.shard_sequences import ShardSequences, damage_named, row_dtype, write_rows
from tfpretune.data.corpus.shards import open_shards
from tfpretune.errors import RunError, UsageError
from tfpretune.training import make_strategy


@pytest.fixture
def rows(tmp_path):
    """Rows 0..6 in three files of 3, 0 and 4 rows; row n is n, n + 10, n + 20."""
    dtype = row_dtype(100, 3)
    all_rows = np.arange(7)[:, None] + [0, 10, 20]
    files = []
    for name, start, end in (("a", 0, 3), ("b", 3, 3), ("c", 3, 7)):
        entry = write_rows(tmp_path / name, all_rows[start:end], dtype)
        files.append((name, entry["rows"]))
    return ShardSequences(tmp_path, files, dtype)


def test_rows_by_hand(rows, tmp_path):
    assert (len(rows), rows.shape, rows.dtype) == (7, (7, 3), np.int32)
    found = rows.read(np.array([6, 0, 3, 2, 6]))
    assert found.dtype == np.int32
    assert found.tolist() == [[6, 16, 26], [0, 10, 20], [3, 13, 23], [2, 12, 22], [6, 16, 26]]
    # Row 1 of the first file: three little-endian uint16 and the CRC-32 of these six bytes.
    assert (tmp_path / "a").read_bytes()[10:20] == bytes([1, 0, 11, 0, 21, 0]) + (0x9A2A1313).to_bytes(4, "little")


def test_ids_over_two_bytes_take_four(tmp_path):
    assert row_dtype(1 << 16, 3).itemsize == 3 * 2 + 4
    dtype = row_dtype((1 << 16) + 1, 3)
    assert dtype.itemsize == 3 * 4 + 4
    write_rows(tmp_path / "a", np.array([[1 << 16, 0, 70_000]]), dtype)
    assert ShardSequences(tmp_path, [("a", 1)], dtype).read(np.array([0])).tolist() == [[65536, 0, 70000]]


@pytest.mark.parametrize(("token", "vocabulary_size"), [(23, 100), (23, 1 << 17), (-1, 1 << 17)])
def test_an_id_over_the_limit_is_named(tmp_path, token, vocabulary_size):
    """The second file's row 1 holds what no token of 23 has as its id; the checksum is right."""
    dtype = row_dtype(vocabulary_size, 3)
    for name, ids in (("a", [[0, 1, 22]]), ("b", [[5, 6, 7], [8, token, 9]])):
        write_rows(tmp_path / name, np.array(ids), dtype)
    files = [("a", 1), ("b", 2)]
    rows = ShardSequences(tmp_path, files, dtype, limit=23)
    assert rows.read(np.array([0, 1])).tolist() == [[0, 1, 22], [5, 6, 7]]
    assert rows.read(np.zeros(0, np.int64)).shape == (0, 3)
    with pytest.raises(RunError, match=rf"b is damaged at row 1: it holds {token}, outside 0\.\.22: run prepare_text"):
        rows.read(np.array([1, 2]))
    assert ShardSequences(tmp_path, files, dtype).read(np.array([2])).tolist() == [[8, token, 9]]


def test_a_sample_is_spread_over_all_rows(rows):
    assert rows.sample(3)[:, 0].tolist() == [0, 3, 6]
    assert rows.sample(99)[:, 0].tolist() == list(range(7))


def test_few_files_are_open_at_once(rows, monkeypatch):
    monkeypatch.setattr(shard_rows, "OPEN_FILES", 1)
    for _ in range(3):
        assert rows.read(np.arange(7))[:, 2].tolist() == [20, 21, 22, 23, 24, 25, 26]
    assert len(rows._open) == 1


def test_every_flipped_bit_of_a_row_is_found(rows, tmp_path):
    whole = (tmp_path / "c").read_bytes()
    for bit in range(10 * 8):  # of row 4, the second of the file
        harmed = bytearray(whole)
        harmed[10 + bit // 8] ^= 1 << bit % 8
        (tmp_path / "c").write_bytes(harmed)
        assert rows.read(np.array([3, 5]))[:, 0].tolist() == [3, 5]
        with pytest.raises(RunError, match=r"c is damaged at row 1: its checksum differs: run prepare_text"):
            rows.read(np.array([3, 4]))


def test_a_file_that_goes_while_it_is_used_is_named(rows, tmp_path):
    rows.read(np.arange(7))
    (tmp_path / "c").write_bytes(b"")
    with pytest.raises(RunError, match="c is damaged at row 0: the file is too short"):
        rows.read(np.array([3]))
    rows.close()
    (tmp_path / "c").unlink()
    with pytest.raises(RunError, match="c is damaged at row 0: No such file or directory"):
        rows.read(np.array([3]))


def values(dataset):
    return [batch["x"].numpy().tolist() for batch in dataset]


@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_batches_are_those_of_the_same_rows_in_memory(rows, batch_size):
    disk = StepIndexed({"x": rows}, batch_size, seed=5)
    memory = StepIndexed({"x": rows.read(np.arange(7))}, batch_size, seed=5)
    assert values(disk.from_step(3, 9)) == values(memory.from_step(3, 9))
    assert values(disk.in_order(4)) == values(memory.in_order(4))
    assert disk.from_step().element_spec == memory.from_step().element_spec
    assert disk.from_step().element_spec["x"] == tf.TensorSpec((batch_size, 3), tf.int32)


def test_two_replicas_read_the_same_rows(rows):
    strategy = make_strategy(2)
    batches = StepIndexed({"x": rows}, 4, seed=5)
    parts = strategy.experimental_distribute_dataset(batches.from_step(2, 4))
    found = [np.concatenate(strategy.experimental_local_results(part["x"])).tolist() for part in parts]
    assert found == values(batches.from_step(2, 4))


def test_damage_comes_out_of_a_dataset_as_one_line(rows, tmp_path):
    (tmp_path / "c").write_bytes(bytes(40))
    with pytest.raises(RunError) as error, damage_named():
        list(StepIndexed({"x": rows}, 7).from_step(0, 1))
    assert "c is damaged at row" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(tf.errors.InvalidArgumentError), damage_named():
        tf.reshape(tf.zeros(3), (2, 2))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make(folder / "shards", write_corpus(folder / "a.txt", 300))
    return folder / "shards"


@pytest.fixture
def shards(made, tmp_path):
    for name, data in contents(made).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_folder_says_what_is_in_it(shards):
    opened = open_shards(shards)
    assert opened.vocabulary == WORDS
    assert (opened.sequence_length, opened.settings["lowercase"], opened.settings["strip_accents"]) == (8, True, False)
    assert len(opened.rows("train")) == opened.manifest["rows"]["train"] > 100
    assert (opened.rows("train").read(np.arange(9)) < len(WORDS)).all()
    assert opened.rows("train").limit == opened.manifest["vocabulary"]["tokens"] == len(WORDS)


def test_an_older_folder_does_not_say_how_many_tokens_there_are(shards):
    manifest = json.loads((shards / "manifest.json").read_text())
    del manifest["vocabulary"]["tokens"]
    (shards / "manifest.json").write_text(json.dumps(manifest))
    assert open_shards(shards).rows("train").limit is None


FIRST = "data/train-00000.rows"


def flip(folder):
    data = bytearray((folder / FIRST).read_bytes())
    data[7] ^= 4
    (folder / FIRST).write_bytes(data)


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (flip, RunError, f"{FIRST} is damaged: its sha256 is not the one in the manifest: run prepare_text"),
        (lambda folder: (folder / FIRST).unlink(), RunError, f"{FIRST} is missing: run prepare_text on this folder"),
        (lambda folder: (folder / FIRST).write_bytes(b"x"), RunError, f"{FIRST} is damaged: it has 1 bytes instead of"),
        (lambda folder: (folder / "vocabulary.txt").write_text("[PAD]\n"), RunError, "vocabulary.txt is damaged"),
        (lambda folder: (folder / "manifest.json").unlink(), UsageError, "is not a folder of shards"),
        (lambda folder: (folder / "manifest.json").write_text("{"), UsageError, "manifest.json is not of the form"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), UsageError, "manifest.json is not of the form"),
    ],
)
def test_harm_is_named(shards, harm, error, message):
    harm(shards)
    with pytest.raises(error, match=message):
        open_shards(shards)


def test_a_large_folder_is_compared_by_size_at_first(shards):
    flip(shards)
    opened = open_shards(shards, checked_bytes=10)
    with pytest.raises(RunError, match="train-00000.rows is damaged at row 0"):
        opened.rows("train").read(np.array([0]))


def test_a_part_without_rows_is_refused(shards):
    manifest = json.loads((shards / "manifest.json").read_text())
    for piece in manifest["pieces"]:
        piece["files"] = {name: entry for name, entry in piece["files"].items() if "test" not in name}
    (shards / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="has no test rows"):
        open_shards(shards).rows("test")


def test_reading_holds_a_batch_and_not_the_file(tmp_path):
    """Of 16 MB, 500 batches of 8 KB are read; Python and NumPy never hold more than 1 MB."""
    dtype = row_dtype(1000, 128)
    entry = write_rows(tmp_path / "a", np.random.default_rng(0).integers(0, 1000, (61_000, 128)), dtype)
    assert entry["bytes"] > 15_800_000
    column = ShardSequences(tmp_path, [("a", entry["rows"])], dtype)
    generator = np.random.default_rng(1)
    tracemalloc.start()
    for _ in range(500):
        column.read(generator.integers(0, len(column), 32))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
