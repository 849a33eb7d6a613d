"""The TensorBoard pages, read back from the event files."""

from html import unescape

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.projector import projector_config_pb2
from tensorboard.util import tensor_util

from tfpretune.backbones import SmallCNN, TextEncoder, TextEncoderTokenizer, VisionTransformer
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.masking.patches import mask_patches
from tfpretune.data.text.tokens import SPECIAL_TOKENS, encode_all
from tfpretune.finetune import classifier
from tfpretune.objectives import Classification, DenoisingAutoencoder, MaskedAutoencoder, MaskedLM, Supervised
from tfpretune.training.tensorboard.images import (
    ConfusionMatrixCallback,
    ReconstructionCallback,
    confusion_image,
    drawable_names,
    reconstruction_grid,
)
from tfpretune.training.tensorboard.run import EmbeddingsCallback, features, write_hparams
from tfpretune.training.tensorboard.text import FillMaskCallback, fill_mask_markdown, readable

WORDS = ["the", "cat", "sat", "on", "mat", "run", "##ning", "今", "天", "很", "好", "|", "."]


def events(folder):
    """Yields (step, tag, array, plugin) of every summary below a folder, in the order of writing."""
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                plugin = value.metadata.plugin_data
                yield event.step, value.tag, tensor_util.make_ndarray(value.tensor), plugin


def images_of(folder, tag):
    """Returns step -> decoded picture."""
    return {step: tf.io.decode_png(array[2]).numpy() for step, name, array, _ in events(folder) if name == tag}


def identity_model():
    """Logits are ten times the two input pixels, so the prediction is the brighter one."""
    inputs = keras.Input((1, 2, 1), name="images")
    flat = keras.layers.Flatten(name="features")(inputs)
    logits = keras.layers.Dense(2, use_bias=False, kernel_initializer=keras.initializers.Identity(10.0), name="logits")(
        flat
    )
    return Supervised({"images": inputs}, logits, target=Classification(2))


@pytest.fixture(scope="module")
def tokenizer():
    """Ids: five special tokens, then WORDS from 5 on."""
    return TextEncoderTokenizer([*SPECIAL_TOKENS, *WORDS], lowercase=True)


@pytest.fixture(scope="module")
def masked_lm(tokenizer):
    """A MaskedLM of width 8, compiled."""
    backbone = TextEncoder(
        tokenizer.vocabulary_size(),
        1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        dtype="float32",
    )
    model = MaskedLM(backbone)
    model.compile("adam")
    return model


def test_grid_has_one_column_an_image_and_four_rows():
    clean = np.zeros((3, 4, 4, 1), np.float32)
    output = np.full((3, 4, 4, 1), 0.2, np.float32)
    grid = reconstruction_grid(clean, clean + 1.0, output, border=1, min_side=8)  # factor 2: tiles of 8 x 8
    assert grid.shape == (4 * 9 + 1, 3 * 9 + 1, 3)
    assert grid.dtype == np.uint8
    middles = [4 + 9 * row for row in range(4)]
    assert grid[middles, 4, 0].tolist() == [0, 255, 51, 51]  # input, seen, output, |output - input|
    assert grid[0].min() == 255
    assert grid[-1].min() == 255


def test_grid_keeps_colours_and_clips_values():
    red = np.zeros((1, 2, 2, 3), np.float32)
    red[..., 0] = 1.5
    grid = reconstruction_grid(red, red, red, border=0, min_side=2)
    assert grid.shape == (8, 2, 3)
    assert grid[0, 0].tolist() == [255, 0, 0]
    assert grid[-1, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("shape", [(2, 4, 4, 2), (4, 4, 1), (0, 4, 4, 1)])
def test_grid_refuses_what_is_no_image(shape):
    part = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match="expected three equal shapes"):
        reconstruction_grid(part, part, part)


def test_reconstruction_page_writes_at_the_optimizer_step(tmp_path):
    model = DenoisingAutoencoder(SmallCNN((8, 8, 1), dtype="float32"))
    model.compile("sgd")
    noisy = np.full((10, 8, 8, 1), 0.5, np.float32)
    data = StepIndexed({"images": noisy, "targets": np.ones_like(noisy)}, 2)
    page = ReconstructionCallback(next(iter(data.in_order(10))), tmp_path)
    model.fit(data.from_step(0, 4), steps_per_epoch=2, epochs=2, callbacks=[page], shuffle=False, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["validation"]
    pictures = images_of(tmp_path / "validation", "reconstruction")
    assert list(pictures) == [2, 4]
    assert pictures[4].shape == (4 * 58 + 2, 8 * 58 + 2, 3)  # 8 x 8 enlarged by 7 is 56
    assert pictures[4][30, 30, 0] == 255  # the input is the clean target
    assert pictures[4][30 + 58, 30, 0] == 128  # seen is the noisy image


def test_pages_of_a_resumed_run_go_on_at_its_step(tmp_path):
    model = DenoisingAutoencoder(SmallCNN((8, 8, 1), dtype="float32"))
    model.compile("sgd")
    data = StepIndexed({"images": np.zeros((4, 8, 8, 1), np.float32), "targets": np.zeros((4, 8, 8, 1), np.float32)}, 2)
    batch = next(iter(data.in_order()))
    for start in (0, 3):  # a new page object, as after a restart
        page = ReconstructionCallback(batch, tmp_path)
        model.fit(data.from_step(start, 3), steps_per_epoch=3, callbacks=[page], shuffle=False, verbose=0)
    assert list(images_of(tmp_path / "validation", "reconstruction")) == [3, 6]


def test_reconstruction_page_blanks_hidden_patches(tmp_path):
    vit = VisionTransformer((8, 8, 3), 4, num_layers=1, num_heads=1, hidden_dim=8, intermediate_dim=8, dtype="float32")
    model = MaskedAutoencoder(vit, decoder_dim=8, decoder_layers=1, decoder_heads=1)
    model.compile("sgd")
    white = tf.ones((2, 8, 8, 3))
    batch = {"images": white} | mask_patches(tf.constant(2), tf.constant([0, 0]), num_patches=4, mask_rate=0.75)
    page = ReconstructionCallback(batch, tmp_path)
    page.set_model(model)
    page.on_epoch_end(0)
    picture = images_of(tmp_path / "validation", "reconstruction")[0]
    assert picture.shape == (4 * 58 + 2, 2 * 58 + 2, 3)
    seen = picture[60:116, 2:58, 0]
    assert (seen == 0).mean() == 0.75
    assert (seen == 255).mean() == 0.25


def test_confusion_page_counts_what_was_taken_for_what(tmp_path, monkeypatch):
    pixels = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32).reshape(4, 1, 2, 1)
    labels = np.array([0, 0, 1, 1], np.int32)  # the last one is taken for class 0
    seen = []
    monkeypatch.setattr(
        "tfpretune.training.tensorboard.images.confusion_image",
        lambda counts, names: seen.append(counts) or confusion_image(counts, names),
    )
    model = identity_model()
    model.compile(keras.optimizers.SGD(0.0))
    data = StepIndexed({"images": pixels, "labels": labels}, 3)
    page = ConfusionMatrixCallback(data.in_order(), ["cat", "dog"], log_dir=tmp_path)
    model.fit(data.from_step(0, 5), steps_per_epoch=5, callbacks=[page], shuffle=False, verbose=0)
    assert [counts.tolist() for counts in seen] == [[[2, 0], [1, 1]]]
    ((step, picture),) = images_of(tmp_path / "validation", "confusion_matrix").items()
    assert step == 5
    assert picture.ndim == 3
    assert min(picture.shape[:2]) > 200


def test_confusion_image_of_many_classes_stays_small():
    picture = confusion_image(np.eye(300, dtype=np.int64), [str(n) for n in range(300)])
    assert max(picture.shape) <= 1400


def test_names_without_a_font_become_indexes(monkeypatch):
    assert drawable_names(["sport", "economy & law"]) == (["sport", "economy & law"], "DejaVu Sans")
    monkeypatch.setattr("tfpretune.training.tensorboard.images.CJK_FONTS", ())
    assert drawable_names(["体育", "sport"]) == (["0", "1"], "DejaVu Sans")
    names, _ = drawable_names(["a" * 50, "$x$"])
    assert names == ["a" * 23 + "…", r"\$x\$"]


def test_chinese_names_draw_without_a_warning():
    assert confusion_image(np.eye(2, dtype=np.int64), ["好评", "差评"]).shape[-1] == 3


def test_fillings_page_shows_the_same_words_each_time(tmp_path, tokenizer, masked_lm):
    texts = ["the cat sat on the mat .", "今天很好"]
    page = FillMaskCallback(tokenizer, texts, log_dir=tmp_path, sequence_length=12, mask_rate=0.25, seed=3)
    hidden = (page.batch["token_ids"].numpy() == tokenizer.mask_token_id).sum(axis=1)
    assert hidden.tolist() == [2, 1]  # 7 words and 4 characters, a quarter of them, rounded
    again = FillMaskCallback(tokenizer, texts, log_dir=tmp_path, sequence_length=12, mask_rate=0.25, seed=3)
    np.testing.assert_array_equal(page.batch["mask_positions"], again.batch["mask_positions"])
    page.set_model(masked_lm)
    for step in (1, 2):
        masked_lm.optimizer.iterations.assign(step)
        page.on_epoch_end(0)
    written = [
        (step, str(array[()], "utf-8")) for step, tag, array, _ in events(tmp_path / "validation") if tag == "fillings"
    ]
    assert [step for step, _ in written] == [1, 2]
    text = written[0][1]
    assert [line.count("[MASK]") for line in text.splitlines() if line.startswith("**")] == [2, 1]
    assert text.count("| hidden | probability | 1 | 2 | 3 | 4 | 5 |") == 2


def test_fillings_table_by_hand(tokenizer):
    # "[CLS] the [MASK] sat [SEP]" with "cat" (id 6) hidden; the model says sat .5, cat .25, "|" .125
    batch = {
        "token_ids": np.array([[2, 5, 4, 7, 3, 0]]),
        "padding_mask": np.array([[1, 1, 1, 1, 1, 0]]),
        "mask_positions": np.array([[2, 1]]),
        "mask_ids": np.array([[6, 5]]),
        "mask_weights": np.array([[1.0, 0.0]]),
    }
    probabilities = np.full((1, 2, 18), 0.125 / 15)
    probabilities[0, 0, [7, 6, 16]] = [0.5, 0.25, 0.125]
    assert fill_mask_markdown(tokenizer, batch, probabilities, top=3) == (
        "**1.** the [MASK] sat\n\n"
        "| hidden | probability | 1 | 2 | 3 |\n"
        "|---|---|---|---|---|\n"
        "| cat | 25.0% | sat 50.0% | **cat** 25.0% | &#124; 12.5% |\n"
    )


@pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated:DeprecationWarning")
def test_tensorboard_renders_the_table():
    from tensorboard.plugin_util import markdown_to_safe_html

    text = "**1.** the [MASK]\n\n| hidden | probability | 1 |\n|---|---|---|\n| &#124; | 25.0% | **&#42;** 50.0% |\n"
    html = markdown_to_safe_html(text)
    assert "<th>hidden</th>" in html
    assert "<td>|</td>" in unescape(html)
    assert "<strong>*</strong> 50.0%" in unescape(html)


def test_readable_joins_pieces_and_chinese_characters():
    assert readable(["run", "##ning", "on", "[MASK]"]) == "running on [MASK]"
    assert readable(["今", "天", "[MASK]", "好", "cat"]) == "今天 [MASK] 好 cat"


def test_fillings_page_needs_sentences(tmp_path, tokenizer):
    with pytest.raises(ValueError, match="at least one sentence"):
        FillMaskCallback(tokenizer, [], log_dir=tmp_path)


def test_embeddings_page_leaves_what_the_projector_reads(tmp_path):
    pixels = np.arange(8, dtype=np.float32).reshape(4, 1, 2, 1) / 8
    data = StepIndexed({"images": pixels, "labels": np.array([0, 1, 0, 1], np.int32)}, 3)
    model = identity_model()
    model.compile(keras.optimizers.SGD(0.0))
    metadata = {"label": ["cat", "dog", "cat", "dog"], "text": ["a\tb", "c\nd", "", "e"]}
    page = EmbeddingsCallback(data.in_order(), metadata, log_dir=tmp_path, max_rows=3)
    model.fit(data.from_step(0, 2), steps_per_epoch=1, epochs=2, callbacks=[page], shuffle=False, verbose=0)
    folder = tmp_path / "validation"
    embedding = text_format.Parse(
        (folder / "projector_config.pbtxt").read_text(), projector_config_pb2.ProjectorConfig()
    ).embeddings[0]
    np.testing.assert_allclose(np.loadtxt(folder / embedding.tensor_path), pixels[:3].reshape(3, 2))
    assert (folder / embedding.metadata_path).read_text() == "label\ttext\ncat\ta b\ndog\tc d\ncat\t-\n"


def test_embeddings_page_names_wrong_metadata_before_training(tmp_path):
    data = StepIndexed({"images": np.zeros((4, 1, 2, 1), np.float32), "labels": np.zeros(4, np.int32)}, 4)
    page = EmbeddingsCallback(data.in_order(), {"label": ["cat"]}, log_dir=tmp_path)
    with pytest.raises(ValueError, match=r"expected 4 metadata values in each column, received \{'label': 1\}"):
        page.on_train_begin()


def test_features_of_a_pretrained_model_leave_padding_out(tokenizer, masked_lm):
    short = encode_all(tokenizer, ["the cat"], sequence_length=6)
    long = encode_all(tokenizer, ["the cat"], sequence_length=12)
    a = features(masked_lm, StepIndexed(short, 1).in_order())
    b = features(masked_lm, StepIndexed(long, 1).in_order())
    assert a.shape == (1, 8)
    np.testing.assert_allclose(a, b, atol=1e-5)
    head = classifier(masked_lm.backbone, 2)
    np.testing.assert_allclose(features(head, StepIndexed(short, 1).in_order()), a, atol=1e-6)


def test_hparams_hold_flat_settings_and_final_figures(tmp_path):
    settings = {"source": "demo:bbc", "fast": False, "optimizer": {"learning_rate": 0.25}, "sizes": (1, 2), "seed": 3}
    for accuracy in (0.5, 0.75):  # the second call replaces the first
        write_hparams(tmp_path, settings, {"accuracy": accuracy}, step=7)
    found = list(events(tmp_path / "hparams"))
    figures = [(step, tag, float(array)) for step, tag, array, plugin in found if plugin.plugin_name == "scalars"]
    assert figures == [(7, "accuracy", 0.75)]
    contents = [
        plugin_data_pb2.HParamsPluginData.FromString(p.content) for *_, p in found if p.plugin_name == "hparams"
    ]
    start = next(content.session_start_info for content in contents if content.HasField("session_start_info"))
    assert {name: value.WhichOneof("kind") for name, value in start.hparams.items()} == {
        "source": "string_value",
        "fast": "bool_value",
        "optimizer.learning_rate": "number_value",
        "sizes": "string_value",
        "seed": "number_value",
    }
    assert start.hparams["optimizer.learning_rate"].number_value == 0.25
