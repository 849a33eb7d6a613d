import base64
import io

import numpy as np
import pytest
from PIL import Image

from tfpretune.errors import RunError
from tfpretune.evaluation.report.pictures import Pictures, data_address, painted, strip_address


def pixels(address):
    kind, data = address.split(",", 1)
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_bytes_and_floats():
    grey = np.array([[0, 255], [51, 102]], np.uint8)[..., np.newaxis]
    address, small = data_address(grey)
    np.testing.assert_array_equal(pixels(address), grey[..., 0])
    assert small
    assert data_address(grey / 255)[0] == address
    assert data_address(grey[..., 0])[0] == address
    np.testing.assert_array_equal(pixels(data_address(np.array([[[2.0, -1.0, 0.2]]]))[0]), [[[255, 0, 51]]])


def test_large_files_are_made_smaller(tmp_path):
    Image.new("RGB", (1000, 500), "red").save(tmp_path / "a.jpg", quality=95)
    address, small = data_address(str(tmp_path / "a.jpg"))
    assert pixels(address).shape == (128, 256, 3)
    assert not small


def test_strip_has_clear_gaps():
    address, small = strip_address(np.ones((3, 4, 4, 1)))
    strip = pixels(address)
    assert strip.shape == (4, 3 * 4 + 2, 4)
    np.testing.assert_array_equal(strip[0, :, 3], [255] * 4 + [0] + [255] * 4 + [0] + [255] * 4)
    assert small


def test_a_dead_picture_is_refused():
    with pytest.raises(RunError, match="nan or inf"):
        data_address(np.full((2, 2, 1), np.nan))


@pytest.mark.parametrize(
    "rows", [{}, {"a": np.zeros((4, 4, 1))}, {"a": np.zeros((0, 4, 4, 1))}, {"a": np.zeros((1, 4, 4, 2))}]
)
def test_rows_are_checked(rows):
    with pytest.raises(ValueError, match="pictures 'T': expected rows of images"):
        Pictures("T", rows)


def test_classes_have_colours_of_their_own():
    """Class 0 nearly black, class 1 of 3 red, class 2 half around the colours; light grey where there is none."""
    found = painted(np.array([[[0, 1], [2, -1]]]), 3)
    assert found.tolist() == [[[[31, 31, 31], [242, 61, 61]], [[61, 242, 242], [204, 204, 204]]]]
    assert len({tuple(colour) for colour in painted(np.arange(21)[None, None], 21)[0, 0].tolist()}) == 21
