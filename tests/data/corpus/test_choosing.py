"""Scan and choose: a corpus that is read piece by piece is split as `Examples.split` splits it in memory."""

import random

import numpy as np
import pytest

from tfpretune.data.corpus import choosing
from tfpretune.data.corpus.choosing import choose, read_copies, read_parts, scan_chunk
from tfpretune.data.corpus.chunks import Chunk, cut_corpus, read_texts
from tfpretune.data.demo.catalogue import DEMOS
from tfpretune.data.sources.examples import open_source
from tfpretune.data.splits.rule import PARTS, WITH_COPIES
from tfpretune.errors import RunError

EIGHTY = (0.8, 0.1, 0.1)
PACKAGED = [name for name, demo in DEMOS.items() if demo.kind == "examples" and not demo.archive and "zh-" not in name]


def parts_of(folder, spec, *, piece_bytes=4000, shares=EIGHTY, at_once=choosing.KEYS_AT_ONCE):
    """Returns the texts of each part, as shards are made of them: index 0 holds those that are left out."""
    pieces = cut_corpus(spec, piece_bytes=piece_bytes).pieces
    for piece in pieces:
        scan_chunk(folder, piece)
    choose(folder, pieces, shares, at_once=at_once)
    found = [[], [], [], []]
    for piece in pieces:
        for text, part in zip(read_texts(piece), read_parts(folder, piece.number).tolist(), strict=True):
            found[part].append(text)
    return found


def write_texts(path, *, seed=0, texts=400):
    """A text a line: random words, every fifth a copy of an earlier one but for two words, every seventh an exact copy."""
    generator = random.Random(seed)
    lines = []
    for number in range(texts):
        words = [f"w{generator.randrange(500)}" for _ in range(generator.choice([3, 25, 60]))]
        if number % 5 == 4:
            words = generator.choice(lines).split()
            words[generator.randrange(len(words))] = f"new{number}"
            words.append(f"end{number}")
        lines.append(generator.choice(lines).upper() if number % 7 == 6 else " ".join(words))
    path.write_text("\n".join(lines))
    return f"text:{path}"


@pytest.mark.parametrize("shares", [EIGHTY, (0.5, 0.25, 0.25), (0.9, 0.1, 0.0), (1.0, 0.0, 0.0)])
@pytest.mark.parametrize("seed", range(3))
def test_lines_fall_into_the_parts_that_a_split_in_memory_gives(tmp_path, shares, seed):
    spec = write_texts(tmp_path / "a.txt", seed=seed)
    found = parts_of(tmp_path, spec, shares=shares)
    examples = open_source(spec).without_duplicates()
    for number, name in enumerate(PARTS, 1):
        assert found[number] == list(examples.split(name, shares).inputs)
    copies = read_copies(tmp_path)
    assert copies == examples.places.copies
    assert copies.texts > copies.groups > 20


def test_the_order_of_files_and_pieces_changes_no_part(tmp_path):
    spec = write_texts(tmp_path / "a.txt")
    (tmp_path / "b").mkdir()
    lines = (tmp_path / "a.txt").read_text().split("\n")
    random.Random(1).shuffle(lines)
    (tmp_path / "b" / "1.txt").write_text("\n".join(lines[:150]))
    (tmp_path / "b" / "2.txt").write_text("\n".join(lines[150:]))
    one = parts_of(tmp_path / "one", spec, piece_bytes=1 << 20)
    other = parts_of(tmp_path / "other", f"text:{tmp_path}/b/*.txt", piece_bytes=1000, at_once=50)
    for number in (1, 2, 3):
        assert {text.casefold() for text in one[number]} == {text.casefold() for text in other[number]}


@pytest.mark.parametrize("names", [("train", "test"), ("Train", "val", "test"), ("training", "dev"), ("a", "b")])
def test_folders_named_after_splits_are_the_parts_of_shards_too(tmp_path, names):
    """Copies and near copies within a split stay together; of a text that is in two splits the training one counts."""
    write_texts(tmp_path / "a.txt", texts=200)
    lines = (tmp_path / "a.txt").read_text().split("\n")
    folder = tmp_path / "corpus"
    for number, line in enumerate(lines):
        path = folder / names[number % len(names)] / "deeper" / f"{number:03d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line)
    found = parts_of(tmp_path, f"text:{folder}", piece_bytes=2000)
    examples = open_source(f"text:{folder}", label_column="").without_duplicates()
    for number, name in enumerate(PARTS, 1):
        assert sorted(found[number]) == sorted(examples.split(name, rule=WITH_COPIES).inputs)  # shards read no labels
    if names != ("a", "b"):
        later = {line for number, line in enumerate(lines) if number % len(names)}
        assert not set(found[1]) & (later - {line for number, line in enumerate(lines) if not number % len(names)})


def test_a_text_beside_the_folders_of_splits_is_named(tmp_path):
    for name in ("train/1.txt", "test/2.txt", "loose.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    with pytest.raises(RunError, match="loose.txt: the text lies beside the folders of the splits"):
        cut_corpus(f"text:{tmp_path}")


@pytest.mark.parametrize("name", PACKAGED if PACKAGED else ["none"])
def test_no_text_of_a_demo_is_in_a_training_shard_and_in_another_part(tmp_path, name):
    """Hashed (bbc), with conflicts (reviews-zh), grouped (bbc-pairs), in order (people-daily), both (people-daily-kinds)."""
    examples = open_source(f"demo:{name}")
    if examples.kind == "image":
        pytest.skip("shards hold texts")
    found = parts_of(tmp_path, f"demo:{name}", piece_bytes=1 << 22)
    examples = examples.without_duplicates()
    for number, part in enumerate(PARTS, 1):
        inputs = set(examples.split(part).inputs)
        assert inputs <= set(found[number])
        for other in {1, 2, 3} - {number}:
            assert not inputs & set(found[other])


@pytest.mark.parametrize("at_once", [1, 2, 7, 1000])
def test_of_equal_texts_the_first_of_the_corpus_stays(tmp_path, at_once):
    """Case, white space and Unicode form make no difference; pieces are in order, texts within them too."""
    texts = [("a", "b", "A"), ("c", "b  ", "c"), (), ("\u00e9", "e\u0301", "d", " a")]
    pieces = [Chunk(number, texts=of_piece) for number, of_piece in enumerate(texts)]
    for piece in pieces:
        scan_chunk(tmp_path, piece)
    choose(tmp_path, pieces, (1.0, 0.0, 0.0), at_once=at_once)
    assert [read_parts(tmp_path, number).tolist() for number in range(4)] == [[1, 1, 0], [1, 0, 0], [], [1, 0, 1, 0]]


def test_known_positions_decide_and_copies_are_left_out(tmp_path):
    pieces = [Chunk(0, texts=("a", "b", "A"), positions=(0.7, 0.85, 0.7)), Chunk(1, texts=("c",), positions=(0.95,))]
    for piece in pieces:
        scan_chunk(tmp_path, piece)
    choose(tmp_path, pieces, EIGHTY)
    assert [read_parts(tmp_path, number).tolist() for number in range(2)] == [[1, 2, 0], [3]]


@pytest.mark.parametrize("at_once", [40, 10_000])
def test_ranges_of_keys_do_not_change_what_is_chosen(tmp_path, at_once):
    generator = np.random.default_rng(0)
    texts = [tuple(f"text {n}" for n in generator.integers(0, 300, 200)) for _ in range(3)]
    pieces = [Chunk(number, texts=of_piece) for number, of_piece in enumerate(texts)]
    for piece in pieces:
        scan_chunk(tmp_path, piece)
    choose(tmp_path, pieces, EIGHTY, at_once=at_once)
    seen = set()
    for piece in pieces:
        for text, part in zip(piece.texts, read_parts(tmp_path, piece.number), strict=True):
            assert bool(part) == (text not in seen)
            seen.add(text)


def test_a_corpus_without_texts_is_refused(tmp_path):
    scan_chunk(tmp_path, Chunk(0, texts=()))
    with pytest.raises(RunError, match="there are no texts in the source"):
        choose(tmp_path, [Chunk(0)], (1.0, 0.0, 0.0))
