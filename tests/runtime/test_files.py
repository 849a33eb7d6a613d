"""Atomic files and folders, and their manifest."""

import errno
import json
import os
import platform
import subprocess
import sys

import pytest

from tfpretune.errors import RunError
from tfpretune.runtime import files


def make(folder):
    with files.atomic_folder(folder) as part:
        (part / "a.txt").write_text("hello")
        (part / "sub").mkdir()
        (part / "sub" / "b.bin").write_bytes(b"\x00\x01\x02")
    return folder


def test_write_atomic_replaces_whole_file(tmp_path):
    path = tmp_path / "new" / "x.json"
    files.write_atomic(path, "é\r\n")
    files.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["x.json"]


def test_manifest_lists_sha256_and_bytes(tmp_path):
    folder = make(tmp_path / "one")
    manifest = json.loads((folder / "manifest.json").read_text())
    # sha256 of the five letters "hello", as `printf hello | sha256sum` prints it.
    hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert manifest["files"]["a.txt"] == {"sha256": hello, "bytes": 5}
    assert sorted(manifest["files"]) == ["a.txt", "sub/b.bin"]
    files.check_manifest(folder)


def stop_half_way(folder):
    with files.atomic_folder(folder) as part:
        (part / "a.txt").write_text("half")
        raise KeyboardInterrupt


def test_error_inside_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stop_half_way(tmp_path / "one")
    assert os.listdir(tmp_path) == []


def test_existing_folder_is_refused_or_replaced(tmp_path):
    folder = make(tmp_path / "one")
    with pytest.raises(RunError, match="exists already"), files.atomic_folder(folder):
        pass
    with files.atomic_folder(folder, replace=True) as part:
        (part / "c.txt").write_text("new")
    assert sorted(os.listdir(folder)) == ["c.txt", "manifest.json"]
    assert os.listdir(tmp_path) == ["one"]


def test_failed_replacement_keeps_the_old_folder(tmp_path):
    folder = make(tmp_path / "one")
    with pytest.raises(ValueError, match="stop"), files.atomic_folder(folder, replace=True):
        raise ValueError("stop")
    files.check_manifest(folder)
    assert os.listdir(tmp_path) == ["one"]


def flip(folder):
    content = bytearray((folder / "sub/b.bin").read_bytes())
    content[1] ^= 1
    (folder / "sub/b.bin").write_bytes(content)


def link(folder):
    (folder / "sub/link").symlink_to(folder / "a.txt")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (flip, "sub/b.bin is damaged"),
        (lambda folder: (folder / "sub/b.bin").unlink(), "sub/b.bin is missing"),
        (lambda folder: (folder / "sub/c").write_text(""), "sub/c is not in the manifest"),
        (link, "sub/link is not in the manifest"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "manifest.json is damaged"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff"), "manifest.json is damaged"),
    ],
)
def test_harm_is_named(tmp_path, harm, message):
    folder = make(tmp_path / "one")
    harm(folder)
    with pytest.raises(RunError, match=message):
        files.check_manifest(folder)


def test_full_disk_keeps_the_old_file_and_names_the_sizes(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    files.write_atomic(path, "old")

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(RunError, match=r"x\.json: the disk is full: needs 3 bytes and \d+ bytes are free"):
        files.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_full_disk_inside_a_folder_is_named_whoever_reports_it(tmp_path):
    with pytest.raises(RunError, match="one: the disk is full"), files.atomic_folder(tmp_path / "one"):
        raise ValueError("h5py: file write failed, errno = 28, error message = 'No space left on device'")
    assert os.listdir(tmp_path) == []


def write_while_another_does(folder):
    with files.atomic_folder(folder):
        make(folder)


def test_second_writer_of_the_same_folder_loses(tmp_path):
    with pytest.raises(RunError, match="another process"):
        write_while_another_does(tmp_path / "one")
    files.check_manifest(tmp_path / "one")
    assert os.listdir(tmp_path) == ["one"]


def test_leftovers_of_a_killed_process_are_removed_and_of_a_living_one_kept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    name = f".tmp-one-{platform.node()}-"
    for process in (dead.pid, os.getppid()):
        (tmp_path / f"{name}{process}-0123abcd").mkdir()
    make(tmp_path / "one")
    assert sorted(os.listdir(tmp_path)) == [f"{name}{os.getppid()}-0123abcd", "one"]


def test_who_holds_the_lock_removes_all_leftovers(tmp_path):
    """Of another machine, of a living process, of this one, and what was whole but for its name."""
    with files.atomic_folder(tmp_path / "whole") as folder:
        (folder / "a").write_text("1")
    (tmp_path / "whole").rename(tmp_path / ".tmp-whole-another-host-1-0123abcd-0")
    (tmp_path / f".tmp-one-{platform.node()}-{os.getppid()}-0123abcd-0").write_text("{")
    (tmp_path / f".tmp-two-{platform.node()}-{os.getpid()}-{files._TOKEN}-0").write_text("{")
    (tmp_path / "other").write_text("stays")
    files.remove_leftovers(tmp_path)
    assert len(os.listdir(tmp_path)) == 4
    files.remove_leftovers(tmp_path, locked=True)
    assert os.listdir(tmp_path) == ["other"]


def test_a_folder_is_removed_under_another_name(tmp_path, monkeypatch):
    """Killed in the middle of it: nothing half removed has the folder's name, and the next start clears the rest."""
    with files.atomic_folder(tmp_path / "old") as folder:
        (folder / "a").write_text("1")
        (folder / "b").write_text("2")
    monkeypatch.setattr(files.shutil, "rmtree", lambda path, **_: (path / "a").unlink())
    files.remove_folder(tmp_path / "old")
    assert not (tmp_path / "old").exists()
    monkeypatch.undo()
    monkeypatch.setattr(files, "_TOKEN", "another")  # a process that was started later, with this one's number
    files.remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []
