"""Rows of packed tokens, by hand on a few texts."""

import json

import numpy as np
import pytest

from tests.data.corpus.shard_toys import WORDS
from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.corpus import packing
from tfpretune.data.corpus.chunks import Chunk, cut_corpus
from tfpretune.data.corpus.packing import pack_chunk
from tfpretune.data.corpus.packing_settings import Packing
from tfpretune.data.corpus.shard_sequences import ShardSequences, row_dtype
from tfpretune.data.corpus.vocabulary import write_vocabulary
from tfpretune.data.text.tokens import pack
from tfpretune.errors import RunError, UsageError

CLS, SEP = 2, 3
THE, CAT = 5, 6


def read(folder, name, rows, length):
    return (
        ShardSequences(folder, [(f"data/{name}.rows", rows)], row_dtype(len(WORDS), length))
        .read(np.arange(rows))
        .tolist()
    )


def test_rows_by_hand(tmp_path):
    """[CLS] the cat [SEP] [CLS] cat [SEP] [CLS] the [SEP]: ten tokens are two rows of four, two tokens are left out.

    The text of the validation split fills no row: it is padded to one. The second text came before: it is left out.
    """
    write_vocabulary(tmp_path, WORDS, "toys")
    piece = Chunk(3, texts=("the cat", "the the", "cat", "a", "the"))
    pack_chunk(tmp_path, piece, np.array([1, 0, 1, 2, 1], np.uint8), Packing(4))
    assert read(tmp_path, "train-00003", 2, 4) == [[CLS, THE, CAT, SEP], [CLS, CAT, SEP, CLS]]
    assert read(tmp_path, "validation-00003", 1, 4) == [[CLS, WORDS.index("a"), SEP, 0]]
    record = json.loads((tmp_path / "work/records/00003.json").read_text())
    assert sorted(record["files"]) == ["data/train-00003.rows", "data/validation-00003.rows"]
    assert record["texts"] == {"dropped": 1, "train": 3, "validation": 1, "test": 0}


@pytest.mark.parametrize(("chunk_texts", "chunk_characters"), [(1024, 1 << 20), (3, 1 << 20), (1024, 20)])
def test_rows_are_those_of_packing_in_memory(tmp_path, monkeypatch, chunk_texts, chunk_characters):
    monkeypatch.setattr(packing, "CHUNK_TEXTS", chunk_texts)
    monkeypatch.setattr(packing, "CHUNK_CHARACTERS", chunk_characters)
    write_vocabulary(tmp_path, WORDS, "toys")
    texts = tuple(f"The c\u00e4ts \u732b sat {number}!" for number in range(50))
    pack_chunk(tmp_path, Chunk(0, texts=texts), np.ones(50, np.uint8), Packing(16))
    tokenizer = TextEncoderTokenizer(WORDS, lowercase=True)
    expected = pack(tokenizer, texts, sequence_length=16)
    assert read(tmp_path, "train-00000", len(expected), 16) == expected.tolist()


def test_a_source_that_changed_since_the_scan_is_refused(tmp_path):
    write_vocabulary(tmp_path, WORDS, "toys")
    (tmp_path / "a.txt").write_text("the\ncat\n")
    (piece,) = cut_corpus(f"text:{tmp_path}/a.txt").pieces
    with pytest.raises(RunError, match=r"a\.txt changed while it was prepared"):
        pack_chunk(tmp_path, piece, np.ones(3, np.uint8), Packing(4))


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(UsageError, match="`sequence_length` must be at least 3, received 2"):
        Packing(2)
    with pytest.raises(UsageError, match="must leave some for training"):
        Packing(8, shares=(-0.2, 0.6, 0.6))
