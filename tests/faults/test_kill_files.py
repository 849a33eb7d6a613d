"""kill -9 at every point of every write of `tfpretune.runtime.files`: old or new, whole, and nothing left over."""

import json
import os
import platform

import pytest

from tests.faults import points
from tests.faults.children import run
from tfpretune.runtime import files


def write_file(folder):
    files.write_atomic(folder / "made", "new content")


def write_folder(folder):
    with files.atomic_folder(folder / "made", replace=True, needed=10) as part:
        (part / "a").write_text("new content")
        (part / "b").write_bytes(b"more")


def remove_folder(folder):
    files.remove_folder(folder / "made")


def make_old(folder, kind):
    """Makes the folder and, in it, the old file or folder that is to be replaced."""
    folder.mkdir(parents=True)
    if kind == "file":
        (folder / "made").write_text("old content")
    elif kind == "folder":
        with files.atomic_folder(folder / "made") as part:
            (part / "a").write_text("old content")


def look(folder):
    """Returns what a reader finds under the name: None, "old" or "new", and whole."""
    made = folder / "made"
    if made.is_dir():
        files.check_manifest(made)
        made = made / "a"
    return made.read_text().removesuffix(" content") if made.exists() else None


def kill_everywhere(folder, write, old):
    """Kills the write at each of its points in turn. Prints what a reader found then and after the next start."""
    make_old(folder / "whole", old)
    found = {}
    for number, point in enumerate(points.points_of(lambda: write(folder / "whole"))):
        place = folder / str(number)
        make_old(place, old)
        points.kill_at(point, lambda place=place: write(place))
        before = look(place)
        files.remove_leftovers(place)
        found[point] = (before, look(place))
        assert [path.name for path in place.iterdir()] in ([], ["made"]), point
    print(json.dumps(found))


def kills(tmp_path, write, old):
    """Returns point -> what was there, in the order of the points."""
    code, printed = run(tmp_path / "log", kill_everywhere, tmp_path / "places", write, old)
    assert code == 0, printed
    return {point: tuple(found) for point, found in json.loads(printed.splitlines()[-1]).items()}


def between(found, first="", last=""):
    """Returns what was there at the points from one to before another, each once."""
    names = list(found)
    start, end = names.index(first) if first else 0, names.index(last) if last else len(names)
    return set(list(found.values())[start:end])


def around(*calls):
    return [f"{when} {call}" for call in calls for when in ("before", "after")]


@pytest.mark.parametrize("old", ["file", None])
def test_a_file_is_old_or_new(tmp_path, old):
    """The rename is the moment."""
    found = kills(tmp_path, write_file, old)
    assert list(found)[-6:] == around("fsync 1", "replace 1", "fsync 2")
    before = "old" if old else None
    assert between(found, last="after replace 1") == {(before, before)}
    assert between(found, "after replace 1") == {("new", "new")}


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    """The last byte of the manifest is the moment: what has all but its name gets that at the next start."""
    found = kills(tmp_path, write_folder, None)
    manifest = "after write_bytes 2"
    assert list(found)[list(found).index(manifest) + 1 :] == around(
        "fsync 1", "fsync 2", "fsync 3", "fsync 4", "rename 1", "fsync 5"
    )
    assert {"after mkdir 1", "after posix_fallocate 1", "inside write_text 1", "inside write_bytes 2"} <= found.keys()
    assert between(found, last=manifest) == {(None, None)}
    assert between(found, manifest, "after rename 1") == {(None, "new")}
    assert between(found, "after rename 1") == {("new", "new")}


def test_a_folder_in_the_place_of_an_old_one(tmp_path):
    """Between the two renames neither has the name and both are whole: either gets it."""
    found = kills(tmp_path, write_folder, "folder")
    assert between(found, last="after rename 1") == {("old", "old")}
    assert list(found)[list(found).index("before rename 1") :][:6] == around("rename 1", "rename 2", "fsync 5")
    assert between(found, "after rename 1", "after rename 2") <= {(None, "old"), (None, "new")}
    assert between(found, "after rename 2") == {("new", "new")}
    assert list(found)[-1] == "after rmdir 1"


def test_a_folder_that_is_removed_is_whole_or_gone(tmp_path):
    found = kills(tmp_path, remove_folder, "folder")
    assert list(found)[:2] == around("rename 1")
    assert between(found, last="after rename 1") == {("old", "old")}
    assert between(found, "after rename 1") == {(None, "old"), (None, None)}
    assert found["after rmdir 1"] == (None, None)


def test_what_was_whole_but_for_its_name_gets_it_and_the_rest_goes(tmp_path):
    """A kill between the two renames of a replacement: neither folder has the name, both are whole."""
    made = tmp_path / "preset"
    with files.atomic_folder(made) as part:
        (part / "weights").write_text("new")
    dead = f"{platform.node()}-999999999-0123abcd"
    made.rename(tmp_path / f".tmp-preset-{dead}-0")
    (tmp_path / f".tmp-half-{dead}-0").mkdir()
    (tmp_path / f".tmp-config.json-{dead}-0").write_text("{")
    alive = tmp_path / f".tmp-other-{platform.node()}-{os.getppid()}-0123abcd-0"
    alive.mkdir()
    same_number = tmp_path / f".tmp-older-{platform.node()}-{os.getpid()}-0123abcd-0"  # a container that was restarted
    same_number.mkdir()
    files.remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [alive.name, "preset"]
    files.check_manifest(made)
