"""The vocabulary's file, and the texts that it is learnt from."""

import pytest

from tests.data.corpus.shard_toys import WORDS
from tfpretune.data.corpus.choosing import choose, scan_chunk
from tfpretune.data.corpus.chunks import cut_corpus
from tfpretune.data.corpus.vocabulary import read_vocabulary, vocabulary_sample, write_vocabulary
from tfpretune.data.examples.examples import Examples
from tfpretune.errors import RunError, UsageError


def test_what_is_written_is_read(tmp_path):
    write_vocabulary(tmp_path, [*WORDS, "猫", "\u2028"], "toys")
    assert read_vocabulary(tmp_path / "vocabulary.txt")[:-1] == [*WORDS, "猫"]
    write_vocabulary(tmp_path, [*WORDS, "猫", "\u2028"], "toys")  # the same again


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (WORDS[1:], r"words\.txt lacks \[PAD\]: give a WordPiece vocabulary"),
        ([*WORDS, "the"], r"words\.txt holds 'the' twice"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, tokens, message):
    with pytest.raises(UsageError, match=message):
        write_vocabulary(tmp_path, tokens, "words.txt")
    assert list(tmp_path.iterdir()) == []


def test_another_vocabulary_in_the_same_folder_is_refused(tmp_path):
    write_vocabulary(tmp_path, WORDS, "toys")
    with pytest.raises(UsageError, match=r"vocabulary\.txt differs from others"):
        write_vocabulary(tmp_path, [*WORDS, "more"], "others")


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(UsageError, match="`vocabulary` .*none: No such file or directory"):
        read_vocabulary(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"\xe4\n")
    with pytest.raises(UsageError, match="`vocabulary` .*latin is not UTF-8"):
        read_vocabulary(tmp_path / "latin")


def chosen(folder, corpus, shares):
    for piece in corpus.pieces:
        scan_chunk(folder, piece)
    choose(folder, corpus.pieces, shares)
    return corpus


@pytest.mark.parametrize("piece_bytes", [100, 1 << 20])
def test_the_sample_of_a_small_corpus_is_its_training_part(tmp_path, piece_bytes):
    texts = [f"text {number % 400}" for number in range(500)]
    (tmp_path / "a.txt").write_text("\n".join(texts))
    examples = Examples("text", texts, None, (), texts, "toys").without_duplicates()
    corpus = chosen(tmp_path, cut_corpus(f"text:{tmp_path}/a.txt", piece_bytes=piece_bytes), (0.8, 0.1, 0.1))
    assert vocabulary_sample(tmp_path, corpus, 1 << 20) == examples.split("train").inputs


def test_the_sample_of_a_large_corpus_has_as_much_of_each_piece(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{number:09d}\n" for number in range(1000)))
    # ten pieces of 100 texts of 9 bytes
    corpus = chosen(tmp_path, cut_corpus(f"text:{tmp_path}/a.txt", piece_bytes=1000), (1.0, 0.0, 0.0))
    sample = vocabulary_sample(tmp_path, corpus, 10 * 9 * 5)
    assert sample == [f"{number:09d}" for start in range(0, 1000, 100) for number in range(start, start + 5)]


def test_a_corpus_without_training_texts_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    corpus = chosen(tmp_path, cut_corpus(f"text:{tmp_path}/a.txt"), (0.0, 1.0, 0.0))
    with pytest.raises(RunError, match="no texts to learn a vocabulary from"):
        vocabulary_sample(tmp_path, corpus, 100)
