"""KerasHub image backbones of every form of input, from preset to served model."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_hub_backbones import IMAGES
from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.backbones.by_name import load_backbone
from tfpretune.backbones.feeding import Pixels, Preprocessing, feed, read_pixels, save_pixels
from tfpretune.backbones.image.shapes import image_shape
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier, pooled_head, regressor, segmenter
from tfpretune.objectives import Classification, Regression
from tfpretune.serving import export
from tfpretune.serving.loading import load
from tfpretune.training.presets import load_task, save_preset

BYTES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


resnet, efficientnet = IMAGES["ResNetBackbone"], IMAGES["EfficientNetBackbone"]
mobilenet, vit = IMAGES["MobileNetBackbone"], IMAGES["ViTBackbone"]
MAKERS = {
    "resnet": (
        resnet,
        keras_hub.layers.ResNetImageConverter((32, 32), scale=(0.02, 0.01, 0.03), offset=(-2.0, 0.5, -1.0)),
    ),
    "efficientnet": (efficientnet, keras_hub.layers.EfficientNetImageConverter((32, 32))),  # takes [0, 255]
    "mobilenet": (mobilenet, None),
    "vit": (vit, keras_hub.layers.ViTImageConverter((32, 32), scale=1 / 127.5, offset=-1.0)),
}


SLOW = ("resnet", "mobilenet")  # convolution and normalisation as in efficientnet
PRESETS = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in MAKERS]


@pytest.fixture(scope="module", params=PRESETS)
def preset(request, tmp_path_factory):
    """A preset as KerasHub writes it, the backbone in it, and the pixels that it takes for `BYTES`."""
    keras.utils.set_random_seed(0)
    make, converter = MAKERS[request.param]
    folder = str(tmp_path_factory.mktemp("presets") / request.param)
    backbone = make()
    backbone.save_to_preset(folder)
    if converter is None:
        return folder, backbone, BYTES / 255.0
    converter.save_to_preset(folder)
    return folder, backbone, np.asarray(converter(BYTES.astype("float32")))


# Keras 3.15 says so of lists of layers that it does not save; the layers are saved by another way, as the first test sees.
pytestmark = pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")


def text_encoder():
    return TextEncoder(9, 1, num_heads=1, hidden_dim=4, intermediate_dim=4)


def make_model(folder):
    backbone = load_backbone(folder)
    pixels = read_pixels(folder)
    return classifier(backbone, 2, dropout=0.0, pixels=pixels, image_size=None if pixels.size else (32, 32))


def test_a_model_takes_images_in_0_to_1_and_pools_maps(preset):
    folder, backbone, seen = preset
    model = make_model(folder)
    assert {name: tensor.shape for name, tensor in model.input.items()} == {"images": (None, 32, 32, 3)}
    features = keras.Model(model.input, model.get_layer("features").output)({"images": BYTES / np.float32(255)})
    expected = backbone(seen.astype("float32"), training=False).numpy()
    expected = expected.mean(axis=tuple(range(1, expected.ndim - 1)))
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_one_step_then_export_answers_as_keras(preset, tmp_path):
    folder, _, _ = preset
    model = make_model(folder)
    before = model.backbone.trainable_weights[0].numpy()
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    rows = {"images": BYTES / np.float32(255), "labels": np.array([0, 1, 0, 1], "int32")}
    model.fit(tf.data.Dataset.from_tensors(rows), shuffle=False, verbose=0)
    assert np.abs(model.backbone.trainable_weights[0].numpy() - before).max() > 0

    task = {"kind": "image", "class_names": ["a", "b"], "image_shape": [32, 32, 3]}
    model, _ = load_task(save_preset(tmp_path / "preset", model, task=task))
    settings = {"kind": "image", "class_names": ("a", "b"), "image_shape": (32, 32, 3), "examples": BYTES[:1]}
    served = load(export(model, tmp_path, name="n", **settings))
    raw = [tf.io.encode_png(pixels).numpy() for pixels in BYTES]
    scores = served.call("serving_default", raw)["scores"]
    np.testing.assert_allclose(scores, model({"images": BYTES / np.float32(255)}, training=False), rtol=1e-5, atol=1e-5)


def test_what_is_scaled_is_found_again_in_a_saved_preset(preset, tmp_path):
    folder, _, _ = preset
    model = make_model(folder)
    model.backbone.save_to_preset(str(tmp_path))
    save_pixels(model, tmp_path)
    kept, found = read_pixels(folder), read_pixels(str(tmp_path))
    np.testing.assert_allclose(found.scale, kept.scale, rtol=1e-12)
    assert (found.offset, found.size) == (kept.offset, kept.size)


def test_numbers_of_a_converter(tmp_path):
    """KerasHub's are for [0, 255]; without a scale its images stay so."""
    backbone = resnet()
    backbone.save_to_preset(str(tmp_path))
    assert read_pixels(str(tmp_path)) == Pixels(1.0, 0.0, None)
    keras_hub.layers.ResNetImageConverter((6, 8), scale=0.5, offset=-1.0).save_to_preset(str(tmp_path))
    assert read_pixels(str(tmp_path)) == Pixels(127.5, -1.0, (6, 8))
    keras_hub.layers.ResNetImageConverter(scale=(1.0, 2.0, 0.0)).save_to_preset(str(tmp_path))
    assert read_pixels(str(tmp_path)) == Pixels((255.0, 510.0, 0.0), 0.0, None)
    keras_hub.layers.ResNetImageConverter().save_to_preset(str(tmp_path))
    assert read_pixels(str(tmp_path)) == Pixels(255.0, 0.0, None)
    (tmp_path / "image_converter.json").write_text("{")
    with pytest.raises(UsageError, match=r"`preset` .*: its image converter cannot be read: "):
        read_pixels(str(tmp_path))


def test_own_backbones_take_images_as_they_are(tmp_path):
    cnn = SmallCNN((8, 12, 1), (8,))
    cnn.save_to_preset(str(tmp_path))
    assert read_pixels(str(tmp_path)) == Pixels()
    assert image_shape(cnn) == image_shape(cnn, (5, 5)) == (8, 12, 1)
    model = classifier(cnn, 2)
    assert [layer.name for layer in model.layers][:2] == ["images", cnn.name]
    save_pixels(model, tmp_path)
    assert not (tmp_path / "image_converter.json").exists()


def test_an_open_shape_needs_a_size():
    with pytest.raises(
        UsageError, match="ResNetBackbone takes images of any size: name one, such as `image_size` 224 224"
    ):
        classifier(resnet(), 2)
    assert image_shape(resnet(), (20, 30)) == (20, 30, 3)
    assert classifier(resnet(), 2, pixels=Pixels(size=(40, 41))).input["images"].shape == (None, 40, 41, 3)
    named = classifier(resnet(), 2, image_size=(50, 51), pixels=Pixels(size=(40, 41)))
    assert named.input["images"].shape == (None, 50, 51, 3)
    assert Preprocessing(image_size=(0, 0), pixels=Pixels(size=(40, 41))).image_shape(resnet()) == (40, 41, 3)


def test_what_cannot_be_fed_is_refused():
    with pytest.raises(
        UsageError, match="`image_size` 64 64 does not fit ViTBackbone, which takes 32 x 32 pixels only"
    ):
        classifier(vit(), 2, image_size=(64, 64))
    with pytest.raises(UsageError, match="TextEncoder is not an image backbone: it takes padding_mask, token_ids"):
        image_shape(text_encoder())
    with pytest.raises(UsageError, match="TextEncoder is not an image backbone"):
        segmenter(text_encoder(), 2)
    for shape, message in (
        ((9,), "Functional cannot be fed: it takes waves"),
        ((4, 4, 5), "takes images of 5 channels"),
    ):
        given = keras.Input(shape, name="waves")
        with pytest.raises(UsageError, match=message):
            feed(keras.Model(given, keras.layers.ReLU()(given)))


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        pytest.param(text_encoder, {"window_length": -4}, "`window_length` must not be negative, received -4", id="-4"),
        pytest.param(
            resnet, {"image_size": (8, 0)}, "`image_size` must be two numbers above 0, received 8 0", id="8 0"
        ),
        pytest.param(resnet, {"image_size": (8, -8)}, "must be two numbers above 0, received 8 -8", id="8 -8"),
        pytest.param(vit, {"window_length": 4}, "`window_length` is for texts, and ViTBackbone takes", id="windows"),
        pytest.param(
            text_encoder,
            {"image_size": (8, 8)},
            "`image_size` and pixels are for images, and TextEncoder",
            id="size",
        ),
        pytest.param(
            text_encoder,
            {"pixels": Pixels()},
            "`image_size` and pixels are for images, and TextEncoder",
            id="pixels",
        ),
    ],
)
def test_a_preprocessing_that_does_not_fit_is_refused(make, settings, message):
    with pytest.raises(UsageError, match=message):
        classifier(make(), 2, **settings)


def test_the_public_heads_take_it_in_parts_and_make_the_same_model():
    """Settings that are no preprocessing change nothing; the layers and their settings are those of `pooled_head`."""

    def layers(model):
        return [layer.get_config() for layer in model.layers if not isinstance(layer, keras_hub.models.Backbone)]

    for make, settings in (
        (text_encoder, {"window_length": 2}),
        (vit, {"pixels": Pixels(2.0, -1.0)}),
        (resnet, {"image_size": (20, 30), "pixels": Pixels(2.0, -1.0, (40, 40))}),
    ):
        preprocessing = Preprocessing(**settings)
        expected = layers(pooled_head(make(), Classification(2), preprocessing=preprocessing))
        assert layers(classifier(make(), 2, **settings)) == expected
        assert layers(regressor(make(), size=2, **settings)) == layers(
            pooled_head(make(), Regression(2), preprocessing=preprocessing)
        )
