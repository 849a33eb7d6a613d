"""A segmenter that was trained on cropped or padded images answers raw files, of all formats, as Keras does."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tests.data.image.test_fitting import photo
from tests.serving.test_tasks import spread
from tfpretune.backbones import SmallCNN
from tfpretune.data.batches.masks import mask_array
from tfpretune.data.examples.examples import Examples
from tfpretune.data.examples.masks import MaskExamples
from tfpretune.data.image.decoding import load_image
from tfpretune.data.image.fitting import RESIZES, axes, put_back
from tfpretune.finetune import segmenter
from tfpretune.serving import export, verify
from tfpretune.serving.loading import load

SHAPES = [(20, 31), (40, 17), (16, 16), (9, 50)]


def turned(stored):
    block = Image.Exif()
    block[0x0112] = stored
    return block


@pytest.mark.parametrize("resize", RESIZES)
def test_raw_files_are_answered_as_keras_answers(tmp_path, resize):
    keras.utils.set_random_seed(0)
    model = spread(segmenter(SmallCNN((16, 16, 3), (8,), groups=2), 3, hidden_dim=4))
    files = []
    for number, shape in enumerate(SHAPES):
        files.append(str(tmp_path / f"{number}.{('jpg', 'png', 'webp', 'bmp')[number]}"))
        Image.fromarray(photo(shape, number)).save(files[-1], **({"exif": turned(6)} if number < 3 else {}))
    folder = export(
        model, tmp_path / "served", name="scenes", class_names=("a", "b", "c"), resize=resize, examples=files[:2]
    )
    assert verify(folder).difference <= 1e-5
    served = load(folder)
    raw = [Path(file).read_bytes() for file in files]
    found = served.call("serving_default", raw)
    for row, (file, stored) in enumerate(zip(files, SHAPES, strict=True)):
        height, width = stored[::-1] if row < 3 else stored
        seen = np.argmax(model({"images": load_image(file, size=(16, 16), resize=resize)[None]})[0], -1)
        up, across = (
            put_back(axis, 16, there).astype(int)
            for axis, there in zip(axes(height, width, (16, 16), resize), (height, width), strict=True)
        )
        expected = np.where((up < 0)[:, None] | (across < 0), -1, seen[up][:, across])
        np.testing.assert_array_equal(found["classes"][row], expected)
        np.testing.assert_array_equal(found["probabilities"][row] == 0, expected == -1)
    assert (found["classes"] == -1).any() == (resize == "crop")


def test_what_has_no_answer_in_training_has_none_when_served():
    """The same pixels that a mask loses to a crop are -1 in the answer, but for halves of pixels."""
    mask = np.zeros((1, 20, 50), np.uint8)
    mask[..., 25:] = 1
    images = Examples("image", np.zeros((1, 20, 50, 3), np.uint8), None, (), ["0"], "test", resize="crop")
    seen = mask_array(MaskExamples(images, mask, ("left", "right")), (16, 16))[0].astype(int)
    up, across = axes(20, 50, (16, 16), "crop")
    places = put_back(across, 16, 50).astype(int)
    back = np.where(places < 0, -1, seen[put_back(up, 16, 20).astype(int)][:, places])
    assert back[0].tolist() == [-1] * 5 + [0, 0, 0, 1, 1, 1] + [-1] * 5
