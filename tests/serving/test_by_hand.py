"""Exports of models with weights set by hand: what comes out for raw text and raw image files, worked on paper.

`test_exporting.py` and `test_tasks.py` compare an export with its Keras model, which share how they read and what they say;
here neither is asked. Words of the vocabulary count: "good" is token 5, "bad" 6, "film" 7, "##s" 8.
"""

import io

import keras
import keras_hub
import numpy as np
import pytest
from PIL import Image

from tests.serving.conftest import VOCABULARY
from tfpretune.objectives import Classification, MultiLabel, Regression, Supervised
from tfpretune.serving import export
from tfpretune.serving.loading import load


class Counts(keras.layers.Layer):
    """How often each token stands in a row, padding left out."""

    def call(self, token_ids, padding_mask):
        marks = keras.ops.one_hot(token_ids, len(VOCABULARY))
        return keras.ops.sum(marks * keras.ops.cast(padding_mask, "float32")[..., None], axis=1)


class Bag(keras_hub.models.Backbone):
    """A backbone that counts tokens."""

    def __init__(self):
        ids, mask = (keras.Input((None,), dtype="int32", name=name) for name in ("token_ids", "padding_mask"))
        super().__init__({"token_ids": ids, "padding_mask": mask}, Counts()(ids, mask))


def text_model(target, kernel, bias):
    """Counts of tokens through one layer."""
    bag = Bag()
    features = keras.layers.Activation("linear", name="features")(bag(bag.input))
    outputs = keras.layers.Dense(target.num_outputs, name="logits")(features)
    model = Supervised(bag.input, outputs, "by_hand", target=target)
    weights = np.zeros((len(VOCABULARY), target.num_outputs), "float32")
    for token, row in kernel.items():
        weights[VOCABULARY.index(token)] = row
    model.get_layer("logits").set_weights([weights, np.array(bias, "float32")])
    return model


def serve(folder, model, **settings):
    return load(export(model, folder, name="by_hand", **settings))


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


def test_classes_of_raw_text(tmp_path, tokenizer):
    """One for each "good" towards yes, one for each "bad" towards no; the piece "##s" gives yes another half.

    "GOOD films." is [CLS] good film ##s . [SEP]; of eight tokens the longer text keeps [CLS], six and [SEP].
    """
    model = text_model(Classification(2), {"bad": (1, 0), "good": (0, 1), "##s": (0, 0.5)}, (0, 0))
    served = serve(tmp_path, model, class_names=("no", "yes"), tokenizer=tokenizer, sequence_length=8)
    texts = ["GOOD films.", "bad\tBad good", "", "nothing known", "good " * 6 + "bad bad bad", b"b\xffad bad"]
    found = served.call("serving_default", texts)
    scores = [(0, 1.5), (2, 1), (0, 0), (0, 0), (0, 6), (1, 0)]
    np.testing.assert_allclose(found["scores"], scores, atol=1e-6)
    yes = [1 / (1 + np.exp(no - yes)) for no, yes in scores]
    np.testing.assert_allclose(found["probabilities"], np.stack([1 - np.array(yes), yes], axis=1), atol=1e-6)
    assert found["label"].tolist() == [b"yes", b"no", b"no", b"no", b"yes", b"no"]  # of equal ones the first
    counted = served.call("embed", ["good good."])["embedding"]
    assert counted.tolist() == [[0, 0, 1, 1, 0, 2, 0, 0, 0, 1]]


def test_labels_of_raw_text_fit_from_the_threshold_on(tmp_path, tokenizer):
    """good: 2 each for a, -1 for b. With a threshold of .8 sigmoid(2) = .881 fits and sigmoid(1) = .731 does not."""
    model = text_model(MultiLabel(2), {"good": (2, -1), "bad": (0, 2)}, (0, 0))
    settings = {"class_names": ("a", "b"), "tokenizer": tokenizer, "sequence_length": 8, "threshold": 0.8}
    found = serve(tmp_path, model, **settings).call("serving_default", ["good", "good bad", "bad bad", "film"])
    np.testing.assert_allclose(found["probabilities"], sigmoid([(2, -1), (2, 1), (0, 4), (0, 0)]), atol=1e-6)
    assert found["fits"].tolist() == [[True, False], [True, False], [False, True], [False, False]]
    assert found["labels"].tolist() == [[b"a", b"b"]] * 4


def test_numbers_of_raw_text_are_in_the_units_of_the_labels(tmp_path, tokenizer):
    """Learnt as (stars - 3) / 1.5: one "good" is half a deviation, the bias a fifth."""
    model = text_model(Regression(1, offset=3.0, scale=1.5), {"good": (0.5,), "bad": (-1,)}, (0.2,))
    served = serve(tmp_path, model, tokenizer=tokenizer, sequence_length=8)
    found = served.call("serving_default", ["good", "bad bad", ""])["values"]
    np.testing.assert_allclose(found, [[3 + 1.5 * 0.7], [3 - 1.5 * 1.8], [3.3]], atol=1e-6)


SIZE = (2, 3)


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    """A model of 2 x 3 pixels: a pixel v gives the class "bright" 10 v - 5 and "dark" 0."""
    images = keras.Input((*SIZE, 1), name="images")
    features = keras.layers.Activation("linear", name="features")(images)
    outputs = keras.layers.Conv2D(2, 1, name="logits")(features)
    model = Supervised({"images": images}, outputs, "pixels", target=Classification(2))
    model.get_layer("logits").set_weights([np.array([[[[0.0, 10.0]]]], "float32"), np.array([0.0, -5.0], "float32")])
    return serve(tmp_path_factory.mktemp("served"), model, class_names=("dark", "bright"))


def encoded(values, form="PNG", mode=None, **options):
    stream = io.BytesIO()
    image = Image.fromarray(np.array(values, np.uint16 if mode == "I;16" else np.uint8))
    (image if mode in (None, "I;16") else image.convert(mode)).save(stream, form, **options)
    return stream.getvalue()


def bright(values):
    """The probability of the likelier class, and that class, of pixels from 0 to 255."""
    chance = sigmoid(10 * np.asarray(values) / 255 - 5)
    return np.maximum(chance, 1 - chance), (chance > 0.5).astype(int)


GREY = [[0, 60, 120], [140, 200, 255]]


@pytest.mark.parametrize("mode", [None, "RGB", "RGBA"])
def test_the_class_of_every_pixel_of_a_file(pixels, mode):
    """As stored, in one channel, in three and with an opaque fourth: bytes over 255, nothing turned or mirrored."""
    found = pixels.call("serving_default", [encoded(GREY, mode=mode)])
    chance, classes = bright(GREY)
    assert found["classes"].tolist() == [classes.tolist()] == [[[0, 0, 0], [1, 1, 1]]]
    np.testing.assert_allclose(found["probabilities"], [chance], atol=2e-3 if mode else 1e-6)


def test_16_bits_and_transparency(pixels):
    """Of two bytes the higher counts; half transparent black on white is grey, wholly transparent is white."""
    wide = encoded(np.array(GREY, np.uint16) * 256 + 17, mode="I;16")
    clear = np.zeros((2, 3, 4), np.uint8)
    clear[0, :, 3] = 255
    found = pixels.call("serving_default", [wide, encoded(clear)])
    assert found["classes"].tolist() == [[[0, 0, 0], [1, 1, 1]], [[0, 0, 0], [1, 1, 1]]]
    np.testing.assert_allclose(found["probabilities"][0], bright(GREY)[0], atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_put_upright_as_exif_says(pixels, orientation):
    """Blocks of 16 pixels: bright at the upper left, and dark else. Stored as each orientation stores it.

    The eight ways by hand: what a viewer has to do (1 nothing, 2 mirror, 3 half a turn, 4 flip, 5 transpose, 6 a quarter to
    the right, 7 transverse, 8 a quarter to the left), done backwards.
    """
    upright = np.kron(np.array([[1, 0, 0], [0, 0, 0]]), np.full((16, 16), 255)).astype(np.uint8)
    backwards = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x, 2).T,
        8: lambda x: np.rot90(x, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = encoded(backwards[orientation](upright), "JPEG", quality=100, exif=exif.tobytes())
    assert pixels.call("serving_default", [photo])["classes"].tolist() == [[[1, 0, 0], [0, 0, 0]]]


def test_a_larger_image_is_averaged_and_not_sampled(pixels):
    """Each pixel is 8 x 8: stripes of white and black, of which a sampled pixel would see one; a column is white."""
    image = np.zeros((16, 24), np.uint8)
    image[:, :16:2] = 255
    image[:, 16:] = 255
    found = pixels.call("serving_default", [encoded(image)])
    chance = found["probabilities"][0]
    assert (chance[:, 0] < 0.55).all()  # half bright
    assert (chance[:, 2] > 0.95).all()
    assert found["classes"][0, :, 2].tolist() == [1, 1]
