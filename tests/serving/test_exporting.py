"""What an export holds, what it answers, and what is refused."""

import io
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpretune.backbones.image.cnn import SmallCNN
from tfpretune.data.text.cleaning import clean
from tfpretune.data.text.tokens import encode
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune.heads.pooled import classifier
from tfpretune.runtime.files import check_manifest
from tfpretune.serving import clean_process, export, raw, signatures


def keras_scores(model, tokenizer, texts):
    cleaned = tf.constant([clean(text) for text in texts])
    inputs = tf.function(lambda: encode(tokenizer, cleaned, sequence_length=8), autograph=False)()
    return model(inputs).numpy()


def test_files_of_an_export(saved_models, tokenizer):
    folder = saved_models / "films" / "1"
    check_manifest(folder)
    assert sorted(os.listdir(saved_models / "films")) == ["1"]
    assets = folder / "assets.extra"
    expected = ["checks.json", "labels.txt", "metadata.json", "model_card.md", "preprocessing.json"]
    assert sorted(os.listdir(assets)) == [*expected, "tf_serving_warmup_requests", "vocabulary.txt"]
    assert (assets / "labels.txt").read_text("utf-8") == "neutral\nnégatif\npositive\n"
    assert (assets / "vocabulary.txt").read_text("utf-8").split() == tokenizer.get_vocabulary()
    assert json.loads((assets / "preprocessing.json").read_text("utf-8"))["sequence_length"] == 8
    assert json.loads((assets / "metadata.json").read_text("utf-8"))["training"]["license"] == "CC0"


def test_weights_are_stored_once(saved_models, image_model):
    data = saved_models / "spots" / "1" / "variables" / "variables.data-00000-of-00001"
    assert 4 * image_model.count_params() <= data.stat().st_size < 2 * 4 * image_model.count_params()


def test_model_card_tells_what_a_user_needs(saved_models):
    card = (saved_models / "films" / "1" / "assets.extra" / "model_card.md").read_text("utf-8")
    for part in (
        "# films, version 1",
        "`neutral`, `négatif`, `positive`",
        "demo:films",
        "CC0",
        "| accuracy | 0.8750 |",
        """curl -d '{"instances": [{"texts": "some text"}]}' http://localhost:8501/v1/models/films:predict""",
        'request.inputs["texts"]',
        "Rows have 8 tokens.",
        "| `embed` | the same | `embedding` float32 `(batch, 2)` |",
    ):
        assert part in card
    assert "precision/neutral" not in card
    assert "baseline_" not in card
    assert "| model | accuracy |\n|---|---|\n| TF-IDF | 0.5000 |\n\n- Ahead of TF-IDF.\n" in card
    assert "A rehearsal: these" in card
    card = (saved_models / "spots" / "1" / "assets.extra" / "model_card.md").read_text("utf-8")
    assert '[{"image_bytes": {"b64": base64.b64encode(open("image.png", "rb").read()).decode()}}]' in card
    assert "8 x 8 pixels of 1 channel(s)" in card
    assert "rehearsal" not in card
    assert "more than 89,478,485 pixels" in card
    assert "Licence of the data: not stated" in card


def test_text_answers_equal_keras(films, text_model, tokenizer):
    texts = ["good good bad.", "", "FILMS", "\u0000bad\u2028film", "good " * 2000, "x" * 200]
    received = films.call("serving_default", texts)
    scores = keras_scores(text_model, tokenizer, texts)
    np.testing.assert_allclose(received["scores"], scores, atol=1e-5)
    np.testing.assert_allclose(received["probabilities"], tf.nn.softmax(scores), atol=1e-5)
    assert [label.decode() for label in received["label"]] == [films.class_names[index] for index in scores.argmax(1)]
    assert films.call("embed", texts)["embedding"].shape == (6, 2)
    assert received["probabilities"].dtype == np.float32


def test_text_bytes_that_are_no_utf8_are_replaced(films):
    received = films.call("serving_default", [b"good \xff\xfe", "good \ufffd\ufffd"])["scores"]
    np.testing.assert_allclose(received[0], received[1], atol=1e-6)


@pytest.mark.parametrize("name", ["films", "spots"])
def test_batches_of_none_one_and_many(request, name):
    served = request.getfixturevalue(name)
    raw = ["good", "bad film", ""] if name == "films" else [png((8, 8, 1)), png((3, 5, 3)), png((20, 9, 4))]
    together = served.call("serving_default", raw)
    alone = [served.call("serving_default", [one])["scores"][0] for one in raw]
    np.testing.assert_allclose(together["scores"], alone, atol=1e-5)
    nothing = served.call("serving_default", [])
    assert nothing["probabilities"].shape == (0, len(served.class_names))
    assert nothing["label"].shape == (0,)
    assert served.call("embed", [])["embedding"].shape[0] == 0


def png(shape, value=None):
    pixels = np.arange(np.prod(shape)) if value is None else np.full(shape, value)
    return tf.io.encode_png(pixels.astype(np.uint8).reshape(shape)).numpy()


def test_grey_colour_and_transparent_images_of_one_look_get_one_answer(spots, image_model):
    grey = np.full((8, 8, 1), 100, np.uint8)
    colour = np.repeat(grey, 3, axis=-1)
    opaque = np.concatenate([colour, np.full((8, 8, 1), 255, np.uint8)], axis=-1)
    transparent = np.concatenate([colour, np.zeros((8, 8, 1), np.uint8)], axis=-1)
    raw = [tf.io.encode_png(pixels).numpy() for pixels in (grey, colour, opaque, transparent)]
    scores = spots.call("serving_default", raw)["scores"]
    pixels = np.stack([np.full((8, 8, 1), 100 / 255, np.float32), np.ones((8, 8, 1), np.float32)])
    expected = image_model({"images": pixels}).numpy()
    np.testing.assert_allclose(scores, expected[[0, 0, 0, 1]], atol=1e-5)


def encode_picture(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def test_a_photo_that_is_stored_turned_is_answered_as_the_upright_one(spots):
    """Bright above, dark below; stored lying on its side (6: turn it by 90 degrees to the right)."""
    upright = Image.fromarray(np.repeat(np.array([[230], [20]], np.uint8), 4, axis=0).repeat(8, axis=1))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode_picture(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=100, exif=exif.tobytes())
    lying = encode_picture(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=100)
    raw = [encode_picture(upright, "JPEG", quality=100), turned, lying]
    embedding = spots.call("embed", raw)["embedding"]
    np.testing.assert_allclose(embedding[1], embedding[0], atol=1e-2)
    assert np.abs(embedding[2] - embedding[0]).max() > 5e-2


def test_a_small_file_of_a_huge_image_is_refused_and_the_next_request_answered(spots):
    bomb = encode_picture(Image.new("1", (60_000, 2_000)), "PNG")  # 120 million pixels
    assert len(bomb) < 100_000
    with pytest.raises(tf.errors.InvalidArgumentError, match="the image has 60000 x 2000 pixels in 1 frame"):
        spots.call("serving_default", [png((8, 8, 1)), bomb])
    assert len(spots.call("serving_default", [png((8, 8, 1))])["label"]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "plain words",
        " \t one\r\n\r\n two \u2003\u3000three\x1f\x1cfour\x0bfive\x85six\u2028seven ",
        "\ufeffbom\ufeff\x00\x01\x7f\x84\x86\x9f",
        "e\u0301\u212b\u1e9b\u0323\uac00\u1100\u1161",
        "\u200bzero width \u00adsoft",
        "日本 語\n\n中文",
    ],
)
def test_cleaning_in_the_graph_is_cleaning(text):
    assert raw.clean_in_graph(tf.constant([text])).numpy()[0].decode("utf-8") == clean(text)


def write_little(model, folder, **settings):
    (folder / "saved_model.pb").write_bytes(b"graph")


def test_versions_count_up_and_are_never_overwritten(text_model, text_settings, tmp_path, monkeypatch):
    monkeypatch.setattr(signatures, "write_saved_model", write_little)
    monkeypatch.setattr(clean_process, "compare", lambda folder: None)
    assert export(text_model, tmp_path, **text_settings) == tmp_path / "films" / "1"
    (tmp_path / "films" / "notes-7").mkdir()
    assert export(text_model, tmp_path, **text_settings) == tmp_path / "films" / "2"
    assert export(text_model, tmp_path, **text_settings, version=12) == tmp_path / "films" / "12"
    assert export(text_model, tmp_path, **text_settings) == tmp_path / "films" / "13"
    assert sorted(os.listdir(tmp_path / "films")) == ["1", "12", "13", "2", "notes-7"]
    with pytest.raises(RunError, match="films/2 exists already"):
        export(text_model, tmp_path, **text_settings, version=2)


def test_stopping_half_way_leaves_no_version(text_model, text_settings, tmp_path, monkeypatch):
    seen = []

    def stop(model, folder, **settings):
        (folder / "saved_model.pb").write_bytes(b"half")
        seen.extend(os.listdir(tmp_path / "films"))
        raise KeyboardInterrupt

    monkeypatch.setattr(signatures, "write_saved_model", stop)
    with pytest.raises(KeyboardInterrupt):
        export(text_model, tmp_path, **text_settings)
    assert len(seen) == 1
    assert seen[0].startswith(".tmp-1-")
    assert os.listdir(tmp_path / "films") == []


def test_an_export_that_answers_otherwise_gets_no_name(text_model, text_settings, tmp_path, monkeypatch):
    def refuse(folder):
        raise RunError(f"{folder}: answers differ")

    monkeypatch.setattr(signatures, "write_saved_model", write_little)
    monkeypatch.setattr(clean_process, "compare", refuse)
    with pytest.raises(RunError, match="answers differ"):
        export(text_model, tmp_path, **text_settings)
    assert os.listdir(tmp_path / "films") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sequence_length": None}, "needs tokenizer and sequence_length"),
        ({"image_shape": (8, 8, 1)}, "no image_shape"),
        ({"sequence_length": 2}, "at least 3, received 2"),
        ({"kind": "sound"}, "received 'sound'"),
        ({"name": "a/b"}, "received 'a/b'"),
        ({"version": 0}, "above 0, received 0"),
        ({"class_names": ("a", "b")}, "does not fit 2 class_names"),
        ({"class_names": ("a", "b", "b")}, "must all be different"),
        ({"class_names": ("a", "b\nc", "d")}, r"one line each and not empty, received 'b\\nc'"),
        ({"metadata": {"x": object()}}, "plain JSON"),
    ],
)
def test_settings_that_do_not_fit(text_model, text_settings, tmp_path, change, message):
    with pytest.raises(UsageError, match=message):
        export(text_model, tmp_path, **(text_settings | change))
    assert os.listdir(tmp_path) == []


def test_models_that_do_not_fit(text_model, image_model, image_settings, tmp_path):
    three = image_settings | {"class_names": ("a", "b", "c")}
    with pytest.raises(UsageError, match=r"takes \['images'\], this one takes \['padding_mask', 'token_ids'\]"):
        export(text_model, tmp_path, **three)
    with pytest.raises(UsageError, match=r"image_shape is \[8, 9, 1\]"):
        export(image_model, tmp_path, **(image_settings | {"image_shape": (8, 9, 1)}))
    half = classifier(SmallCNN((8, 8, 1), (4,), groups=2, dtype="mixed_bfloat16"), 2)
    with pytest.raises(UsageError, match="needs a float32 model, but layer .* computes in bfloat16"):
        export(half, tmp_path, **image_settings)


def test_example_that_is_no_image_is_named(image_model, image_settings, tmp_path):
    (tmp_path / "x.png").write_bytes(b"not a picture")
    with pytest.raises(UsageError, match=r"x\.png is not an image"):
        export(image_model, tmp_path / "out", **(image_settings | {"examples": [str(tmp_path / "x.png")]}))


def test_damaged_weights_are_refused(image_settings, tmp_path):
    model = classifier(SmallCNN((8, 8, 1), (4,), groups=2), 2)
    model.get_layer("logits").set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    with pytest.raises(RunError, match="not all finite"):
        export(model, tmp_path, **image_settings)
