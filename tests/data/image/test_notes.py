"""What is said of images that are read otherwise than one may think."""

import numpy as np
import pytest
from PIL import Image

from tfpretune.data.checks.images import _dark_notes
from tfpretune.data.image import notes
from tfpretune.data.image.file_headers import read_header
from tfpretune.data.image.notes import image_notes
from tfpretune.data.sources.examples import open_source


def deep(path, top):
    Image.fromarray(np.linspace(0, top, 64).reshape(8, 8).astype(np.uint16)).save(path)


def test_images_of_few_bits_are_told_by_the_run(tmp_path, capsys):
    """Some of 16 bits, all of them, one of 8 bits that is dark; with what makes them bright."""
    deep(tmp_path / "12.png", 4095)
    deep(tmp_path / "16.png", 65535)
    Image.fromarray(np.full((8, 8), 3, np.uint8)).save(tmp_path / "3.png")
    open_source(f"images:{tmp_path}")
    assert capsys.readouterr().out == (
        f"images:{tmp_path}: 2 images have 16 bits per pixel, and 1 of 2 that were looked at use the lowest 12 alone, the "
        f"first is {tmp_path}/12.png: they are read nearly black; multiply their pixels by 16 and save them again\n"
    )
    assert "1 images have 16 bits per pixel, and use the lowest 12 alone" in image_notes([f"{tmp_path}/12.png"])[0]
    deep(tmp_path / "10.png", 1023)
    assert "use the lowest 10 alone" in image_notes([f"{tmp_path}/10.png"])[0]
    assert image_notes([f"{tmp_path}/16.png", f"{tmp_path}/3.png"]) == []
    assert _dark_notes([("16.png", 255), ("3.png", 3)]) == [
        "1 images are nearly black (no pixel above 16 of 255), the first is 3.png"
    ]


def test_of_many_images_some_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(notes, "_LOOKED_AT", 3)
    paths = [f"{tmp_path}/{number}.png" for number in range(9)]
    for path in paths:
        deep(path, 4095)
    assert "9 images have 16 bits per pixel, and 3 of 3 that were looked at use the lowest 12" in image_notes(paths)[0]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_are_told(tmp_path, suffix):
    frames = [Image.new("RGB", (40, 30), (n, 250 - n, 9)) for n in (0, 90, 180)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / f"b.{suffix}")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)).save(tmp_path / f"c.{suffix}")
    (note,) = image_notes([f"{tmp_path}/{name}.{suffix}" for name in "bac"])
    assert note == f"1 images are animations, the first is {tmp_path}/a.{suffix}: their first frame is read"


def test_photos_that_are_read_smaller_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(notes, "MAX_PIXELS", 1000)
    for name, size in (("a", (40, 25)), ("b", (41, 25))):
        Image.new("RGB", size).save(tmp_path / f"{name}.jpg")
    (note,) = image_notes([f"{tmp_path}/a.jpg", f"{tmp_path}/b.jpg"])
    assert note.startswith(
        f"1 photos have more than 1,000 pixels, the first is {tmp_path}/b.jpg: they are decoded at a half"
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp"])
def test_the_end_of_a_file_tells_whether_it_is_whole(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)).save(path)
    whole = path.read_bytes()
    assert read_header(str(path)).whole
    path.write_bytes(whole + b"behind it")
    assert read_header(str(path)).whole
    for end in (len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:end])
        assert not read_header(str(path)).whole
