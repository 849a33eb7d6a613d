"""Maps of classes as files."""

import numpy as np
import PIL.Image

from tfpretune.serving.asking.masks import mask_writer
from tfpretune.serving.asking.sources import Row

ANSWER = {"classes": [[0, 1], [2, -1]], "probabilities": [[1.0] * 2] * 2}


def test_a_map_in_the_size_of_the_photo_as_it_is_shown(tmp_path):
    photos = tmp_path / "a" / "photo.jpg", tmp_path / "b" / "photo.jpg"
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # lies on its side
    for number, path in enumerate(photos):
        path.parent.mkdir()
        PIL.Image.new("L", (8, 4)).save(path, exif=exif if number else PIL.Image.Exif())
    write = mask_writer(tmp_path / "results.csv")
    found = [write(Row(str(path), (str(path),)), ANSWER)["mask"] for path in photos]
    assert found[0] == f"{tmp_path}/results_masks{photos[0]}.png"
    assert len(set(found)) == 2
    sizes = []
    for path in found:
        with PIL.Image.open(path) as mask:
            sizes.append(mask.size)
            pixels = np.asarray(mask)
        assert (pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1]) == (0, 1, 2, 255)
    assert sizes == [(8, 4), (4, 8)]


def test_arrays_many_classes_and_other_answers(tmp_path):
    write = mask_writer(tmp_path / "results.jsonl")
    row = Row("demo:digits[3]", (np.zeros((4, 6, 1), np.uint8),))
    path = write(row, {"classes": [[300, 1]]})["mask"]
    assert path == f"{tmp_path}/results_masks/demo_digits[3].png"
    with PIL.Image.open(path) as mask:
        assert mask.size == (6, 4)
        assert np.asarray(mask).max() == 300
    assert write(row, {"label": "x"}) == {}
    assert mask_writer(None)(row, ANSWER) == {}
