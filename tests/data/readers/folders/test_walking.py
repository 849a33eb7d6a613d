"""What every reader of folders leaves out, and says; names, links and files that cannot be read."""

import os

import numpy as np
import pytest
from PIL import Image

from tests.data.readers.folders.test_examples import told, write
from tfpretune.data.corpus.chunks import cut_corpus
from tfpretune.data.readers.folders.examples import read_image_folder, read_text_folder
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.masks import read_masks


def test_what_is_left_out_is_counted_by_the_run(tmp_path, capsys):
    """Of every reader of folders: images, texts, texts larger than memory, masks."""
    spare = [
        "cat/._1.jpg",
        "Thumbs.db",
        "$RECYCLE.BIN/2.jpg",
        "@eaDir/3.jpg",
        "cat/notes.xml",
        "cat/more.XML",
        "README",
    ]
    write(tmp_path, "cat/1.jfif", "dog/2.JPE", "cat/1.txt", "dog/2.txt", *spare)
    assert open_source(f"images:{tmp_path}").inputs == [f"{tmp_path}/cat/1.jfif", f"{tmp_path}/dog/2.JPE"]
    assert capsys.readouterr().out == (
        f"images:{tmp_path}: left out: 9 files and folders: 4 hidden, 5 of other kinds (.txt, .xml, no suffix)\n"
    )
    cut_corpus(f"text:{tmp_path}")
    assert (
        "left out: 9 files and folders: 4 hidden, 5 of other kinds (.xml, .jfif, .jpe, no suffix)"
        in capsys.readouterr().out
    )
    for kind in ("images", "masks"):
        write(tmp_path / "m", f"{kind}/._1.png", f"{kind}/a.json")
        Image.fromarray(np.eye(4, dtype="uint8")).save(tmp_path / f"m/{kind}/1.png")
    assert "left out: 4 files: 2 hidden, 2 of other kinds (.json)" in read_masks(f"images:{tmp_path}/m").notes


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("1.HEIC", ".heic images are not read (photos of phones (HEIC), 2 files); convert it to one of .jpg"),
        ("1.dcm", r".dcm images are not read (scans of medicine (DICOM), 2 files)"),
        ("1.pgm", ".pgm images are not read (2 files)"),
        ("1.xyz", "none of its 2 files is one of .jpg .jpeg .jpe .jfif .png .bmp .gif .webp (there are: .xyz)"),
    ],
)
def test_a_folder_of_unreadable_images_is_told_once(tmp_path, name, says):
    write(tmp_path, name, f"2{name}")
    (problem,) = read_image_folder(str(tmp_path)).problems
    assert says in str(problem)
    assert problem.todo.startswith("convert")


def test_odd_names(tmp_path):
    """Line breaks, spaces and quotes are names as any; what is no UTF-8 could not be written to a report."""
    write(tmp_path, "a b/1 2.txt", "a b/line\nbreak.txt", "c/'\".txt", "\u00e9/\u4e2d.txt")
    rows = read_text_folder(str(tmp_path))
    assert rows.labels == ["a b", "a b", "c", "\u00e9"]
    (tmp_path / "a b/line\nbreak.txt").write_bytes(b"\xff")
    (problem,) = read_text_folder(str(tmp_path)).problems
    assert str(problem).startswith(f"{tmp_path}/a b/line\\nbreak.txt:1:1: byte 0xff is not UTF-8")
    (tmp_path / "a b/line\nbreak.txt").unlink()
    (tmp_path / "c/caf").touch()
    os.rename(tmp_path / "c/caf", os.fsencode(tmp_path) + b"/c/caf\xe9.txt")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    problems = read_text_folder(str(tmp_path)).problems
    assert [str(problem).replace(f"{tmp_path}/", "").split(";")[0] for problem in problems] == [
        "c/caf\\xe9.txt: the name is not UTF-8",
        "\\xff: the name is not UTF-8",
    ]
    write(tmp_path / "d", "two\nlines/1.txt", "other/2.txt")
    (problem,) = read_text_folder(f"{tmp_path}/d").problems
    assert str(problem) == (
        f"{tmp_path}/d/two\\nlines: the name of the class holds a line break or another control; rename the folder"
    )


def test_files_and_folders_that_may_not_be_read_are_named(tmp_path, monkeypatch):
    """Whoever runs the tests may read all: the questions are answered for them."""
    write(tmp_path, "cat/1.jpg", "dog/2.jpg", "dog/shut/3.jpg", "dog/notes.md")
    scan, shut = os.scandir, str(tmp_path / "dog/shut")

    def refuse(folder):
        if folder == shut:
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: path.endswith("2.jpg"))
    rows = read_image_folder(str(tmp_path))
    assert told(rows, tmp_path)[:2] == [
        "dog/shut: the folder cannot be read (Permission denied); check that you may read it",
        "cat/1.jpg: the file cannot be read; check that you may read it",
    ]
    assert rows.inputs == [f"{tmp_path}/dog/2.jpg"]
