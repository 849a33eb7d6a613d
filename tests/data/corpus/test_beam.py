"""Apache Beam makes the same bytes as the local preparation: `make test-beam`, in an environment of its own."""

from pathlib import Path

import pytest

from tests.data.corpus.shard_toys import PACKING, SETTINGS, WORDS, contents, make, write_corpus
from tfpretune.data.corpus.chunks import cut_corpus
from tfpretune.data.corpus.prepare import claim
from tfpretune.data.corpus.vocabulary import write_vocabulary
from tfpretune.errors import RunError

pytestmark = [
    pytest.mark.beam,
    pytest.mark.filterwarnings("ignore:::apache_beam"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def make_with_beam(folder, spec, *flags):
    beam = pytest.importorskip("tfpretune.data.corpus.beam", exc_type=ImportError)
    corpus = cut_corpus(spec, piece_bytes=4000)
    with claim(folder, corpus, SETTINGS) as unfinished:
        assert unfinished
        write_vocabulary(Path(folder), WORDS, "toys")
        return beam.prepare_with_beam(folder, corpus, PACKING, settings=SETTINGS, flags=flags)


def test_the_files_are_those_of_the_local_preparation(tmp_path):
    spec = write_corpus(tmp_path / "a.txt", 1500)
    write_corpus(tmp_path / "a.txt", 300)  # come a second time, in other pieces
    make(tmp_path / "local", spec)
    manifest = make_with_beam(tmp_path / "beam", spec, "--runner=DirectRunner")
    assert manifest["texts"]["dropped"] == 150 + 330
    assert len(manifest["pieces"]) > 5
    assert contents(tmp_path / "beam") == contents(tmp_path / "local")


def test_a_bad_byte_is_named_and_the_next_run_ends_the_work(tmp_path):
    spec = write_corpus(tmp_path / "a.txt", 400)
    text = (tmp_path / "a.txt").read_bytes()
    (tmp_path / "a.txt").write_bytes(text.replace(b"sat 300", b"s\xe4t 300"))
    with pytest.raises(RunError, match=r"^.*a\.txt:331:11: byte 0xe4 is not UTF-8; .* ISO-8859-1\)$"):
        make_with_beam(tmp_path / "beam", spec)
    (tmp_path / "a.txt").write_bytes(text)
    make(tmp_path / "local", spec)
    make_with_beam(tmp_path / "beam", spec)
    assert contents(tmp_path / "beam") == contents(tmp_path / "local")
