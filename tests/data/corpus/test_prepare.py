"""Preparation: the same bytes for any number of workers and after any interruption, in bounded memory."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data.corpus import shard_toys
from tests.data.corpus.shard_toys import SETTINGS, contents, make, write_corpus
from tfpretune.data.corpus import prepare as module
from tfpretune.data.corpus.chunks import cut_corpus
from tfpretune.data.corpus.packing import pack_chunk
from tfpretune.data.corpus.packing_settings import Packing
from tfpretune.data.corpus.prepare import claim
from tfpretune.data.corpus.shards import open_shards
from tfpretune.errors import RunError, UsageError

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """25 pieces of 4,000 bytes."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "a.txt", 5000)


@pytest.fixture(scope="module")
def unbroken(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "shards"
    assert make(folder, corpus)
    return contents(folder)


def start(folder, corpus, workers, *die_after):
    command = [sys.executable, "-m", "tests.data.corpus.shard_toys", *map(str, (folder, corpus, workers, *die_after))]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    temporary = {"TMPDIR": str(folder.parent)}  # who is killed leaves AutoGraph's files in it
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | temporary, **quiet)


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def is_alive(process):
    """Whether it runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def count(folder):
    return sum(len(names) for _, _, names in os.walk(folder))


def test_what_is_prepared(unbroken, tmp_path, corpus):
    make(tmp_path / "shards", corpus)
    manifest = open_shards(tmp_path / "shards").manifest
    assert manifest["texts"]["dropped"] == 500
    assert sum(manifest["texts"].values()) == 5500
    assert 3800 < manifest["texts"]["train"] < 4200
    assert len(manifest["pieces"]) == 25
    assert set(unbroken) == {"manifest.json", "vocabulary.txt"} | {
        name for piece in manifest["pieces"] for name in piece["files"]
    }


def test_workers_do_not_change_a_byte(corpus, unbroken, tmp_path):
    make(tmp_path / "shards", corpus, workers=2)
    assert contents(tmp_path / "shards") == unbroken


def test_a_preparation_killed_with_its_workers_at_work_goes_on(corpus, unbroken, tmp_path):
    """kill -9 of the parent only: the workers end by themselves, and the next run makes what an unbroken one makes."""
    folder = tmp_path / "shards"
    process = start(folder, corpus, 2, 3)
    assert process.wait(200) == -signal.SIGKILL
    assert not (folder / "manifest.json").exists()
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) == 2
    wait_for(lambda: not any(map(is_alive, workers)))
    done = {path: path.stat().st_mtime_ns for path in (folder / "data").glob("[!.]*")}
    sealed = {f"{path.stem}" for path in (folder / "work" / "records").glob("[!.]*")}
    (folder / "data" / ".tmp-train-00000.rows-host-1-00").write_bytes(b"half")
    assert make(folder, corpus)
    assert contents(folder) == unbroken
    kept = [path for path in done if path.stem.split("-")[1] in sealed]
    assert len(kept) >= 3
    assert all(path.stat().st_mtime_ns == done[path] for path in kept)
    assert not list(folder.rglob(".tmp-*"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_preparation_killed_at_random_moments_goes_on(corpus, unbroken, tmp_path):
    generator = random.Random(0)
    folder = tmp_path / "shards"
    for _ in range(6):
        goal = count(folder) + generator.randrange(60)
        process = start(folder, corpus, 1)
        wait_for(lambda process=process, goal=goal: process.poll() is not None or count(folder) >= goal)
        process.send_signal(signal.SIGKILL)
        process.wait()
    make(folder, corpus)
    assert contents(folder) == unbroken
    assert not list(folder.rglob(".tmp-*"))


def interrupted(folder, corpus, monkeypatch, *, after):
    """Leaves a folder whose first pieces are packed."""
    calls = []

    def pack(*arguments):
        calls.append(arguments)
        if len(calls) > after:
            raise KeyboardInterrupt
        pack_chunk(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "pack_chunk", pack)
        with pytest.raises(KeyboardInterrupt):
            make(folder, corpus)


def test_a_finished_piece_is_made_again_only_if_it_is_damaged(corpus, unbroken, tmp_path, monkeypatch):
    folder = tmp_path / "shards"
    interrupted(folder, corpus, monkeypatch, after=3)
    with pytest.raises(UsageError, match="is not ready: its preparation did not end"):
        open_shards(folder)
    harmed, good = folder / "data/train-00001.rows", folder / "data/train-00002.rows"
    harmed.write_bytes(b"x" + harmed.read_bytes()[1:])
    before = good.stat().st_mtime_ns
    make(folder, corpus)
    assert contents(folder) == unbroken
    assert good.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["data/train-00004.rows", "vocabulary.txt"])
def test_a_finished_folder_is_left_alone_or_mended(corpus, unbroken, tmp_path, capsys, name):
    folder = tmp_path / "shards"
    make(folder, corpus)
    before = (folder / "data/train-00003.rows").stat().st_mtime_ns
    assert not make(folder, corpus)
    (folder / name).write_bytes(b"harm")
    capsys.readouterr()
    assert make(folder, corpus)
    assert f"{name} is damaged: it has 4 bytes" in capsys.readouterr().out
    assert contents(folder) == unbroken
    assert (folder / "data/train-00003.rows").stat().st_mtime_ns == before


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_and_another_corpus_are_refused_by_field(tmp_path, monkeypatch, finished):
    corpus = write_corpus(tmp_path / "a.txt", 400)
    folder = tmp_path / "shards"
    if finished:
        make(folder, corpus)
    else:
        interrupted(folder, corpus, monkeypatch, after=1)
    with pytest.raises(UsageError, match=r"started otherwise \(sequence_length: 8 -> 16\): choose another `out_dir`"):
        make(folder, corpus, packing=Packing(16), settings={"sequence_length": 16})
    write_corpus(tmp_path / "a.txt", 1, start=400)
    with pytest.raises(UsageError, match=r"\(bytes: \d+ -> \d+; names_and_sizes: "):
        make(folder, corpus)


def test_a_file_changed_half_way_is_refused(tmp_path, monkeypatch):
    corpus = write_corpus(tmp_path / "a.txt", 400)
    interrupted(tmp_path / "shards", corpus, monkeypatch, after=1)
    text = (tmp_path / "a.txt").read_text()
    (tmp_path / "a.txt").write_text(text.replace("cats", "dogs"))
    with pytest.raises(UsageError, match=r"started otherwise \(times: "):
        make(tmp_path / "shards", corpus)


def test_a_mistake_that_was_mended_before_anything_was_packed_costs_nothing(tmp_path):
    corpus = write_corpus(tmp_path / "a.txt", 400)
    text = (tmp_path / "a.txt").read_bytes()
    (tmp_path / "a.txt").write_bytes(text[:-3] + b"\xe4\n")
    with pytest.raises(RunError, match=r"a\.txt:440:\d+: byte 0xe4 is not UTF-8"):
        make(tmp_path / "shards", corpus)
    (tmp_path / "a.txt").write_bytes(text)
    make(tmp_path / "shards", corpus)
    make(tmp_path / "clean", corpus)
    assert contents(tmp_path / "shards") == contents(tmp_path / "clean")


def test_a_folder_with_other_files_or_in_use_is_refused(tmp_path):
    corpus = write_corpus(tmp_path / "a.txt", 5)
    with pytest.raises(UsageError, match="holds other files and no preparation"):
        make(tmp_path, corpus)
    pieces = cut_corpus(corpus)
    with claim(tmp_path / "shards", pieces, SETTINGS), pytest.raises(UsageError, match="is in use by"):
        make(tmp_path / "shards", corpus)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 100 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_named_and_the_next_run_goes_on(corpus, unbroken, small_disk):
    folder = small_disk / "shards"
    with pytest.raises(RunError, match=r"the disk is full: needs \d+ bytes and \d+ bytes are free in .*disk"):
        make(folder, corpus)
    assert not (folder / "manifest.json").exists()
    subprocess.run(["mount", "-o", "remount,size=10m", small_disk], check=True)
    make(folder, corpus)
    assert contents(folder) == unbroken


def test_a_corpus_with_nothing_to_train_on_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(RunError, match="there are no texts in the source"):
        make(tmp_path / "blank", f"text:{tmp_path}/a.txt")
    (tmp_path / "b.txt").write_text("")
    with pytest.raises(RunError, match="there are no texts in the source"):
        make(tmp_path / "empty", f"text:{tmp_path}/b.txt")
    (tmp_path / "c.txt").write_text("cat")
    with pytest.raises(RunError, match="there are no training texts"):
        make(tmp_path / "none", f"text:{tmp_path}/c.txt", packing=Packing(8, shares=(0.0, 1.0, 0.0)))


def test_a_killed_worker_is_reported(tmp_path):
    corpus = cut_corpus(write_corpus(tmp_path / "a.txt", 100), piece_bytes=500)
    killed = pytest.raises(RunError, match="a worker was killed, out of memory most likely")
    with killed, module._processes(2, corpus) as each:
        each("killed", shard_toys.end_of_worker, corpus.pieces)


def measure(*arguments, seconds=240):
    command = [sys.executable, "-m", "tests.data.corpus.shard_memory", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize(("work", "megabytes"), [("prepare", 40), ("read", 160)])
def test_memory_does_not_grow_with_the_corpus(tmp_path, work, megabytes):
    """After one of 16 MB, a corpus of 40 MB (or shards of 160 MB) raises the peak by less than holding it would."""
    assert measure(work, tmp_path, megabytes) < 0.75 * megabytes


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("work", "megabytes"), [("prepare", 2000), ("read", 4000)])
def test_a_corpus_larger_than_the_memory_that_is_allowed(tmp_path, work, megabytes):
    """The system refuses this process more than 1,000 MiB of memory of its own (RLIMIT_DATA)."""
    assert measure(work, tmp_path, megabytes, 1000, seconds=1700) < 1500
    shutil.rmtree(tmp_path)
