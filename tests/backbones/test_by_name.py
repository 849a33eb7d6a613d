"""Backbones by name, and presets that cannot be loaded."""

import keras
import keras_hub
import numpy as np
import pytest

from tfpretune.backbones import SmallCNN, TextEncoder, VisionTransformer
from tfpretune.backbones.by_name import load_backbone, load_tokenizer, make_image_backbone, make_text_backbone
from tfpretune.errors import RunError, UsageError
from tfpretune.training.presets import save_preset


def test_text_sizes():
    mini = make_text_backbone("mini", vocabulary_size=20, sequence_length=8, dropout=0.1)
    assert isinstance(mini, TextEncoder)
    assert (mini.num_layers, mini.num_heads, mini.hidden_dim, mini.intermediate_dim, mini.dropout) == (
        2,
        2,
        128,
        512,
        0.1,
    )
    bert = make_text_backbone("bert-mini", vocabulary_size=20, sequence_length=8)
    assert type(bert) is keras_hub.models.BertBackbone
    assert (bert.num_layers, bert.num_heads, bert.hidden_dim, bert.max_sequence_length) == (2, 2, 128, 8)


def test_image_sizes():
    cnn = make_image_backbone("cnn-small", image_shape=(8, 8, 1))
    assert isinstance(cnn, SmallCNN)
    assert cnn.filters == (32, 64, 128)
    vit = make_image_backbone("vit-mini", image_shape=(8, 8, 1), patch_size=2, dtype="mixed_bfloat16")
    assert isinstance(vit, VisionTransformer)
    assert (vit.num_layers, vit.hidden_dim, vit.patch_size, vit.dtype_policy.name) == (4, 96, 2, "mixed_bfloat16")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("vit-mini", (4, 4, 96, 384)), ("vit-tiny", (12, 3, 192, 768)), ("vit-small", (12, 6, 384, 1536))],
)
def test_vits_are_as_wide_as_published(name, expected):
    """DeiT's tiny and small (Touvron et al. 2020, arXiv:2012.12877, table 1); the feed-forward part is 4 times as wide."""
    vit = make_image_backbone(name, image_shape=(8, 8, 1), patch_size=4)
    layers, heads, hidden, intermediate = expected
    assert (vit.num_layers, vit.num_heads, vit.hidden_dim, vit.intermediate_dim) == expected
    block = 4 * hidden * (hidden + 1) + hidden * intermediate * 2 + intermediate + hidden + 4 * hidden
    assert vit.count_params() - layers * block == (16 + 1 + 4 + 2) * hidden  # patches, positions, the last norm


def test_misspelt_names_are_refused():
    with pytest.raises(
        UsageError, match=r"`backbone` minni, did you mean mini\?: expected one of mini, small, medium, base, bert-mini"
    ):
        make_text_backbone("minni", vocabulary_size=20, sequence_length=8)
    with pytest.raises(
        UsageError,
        match=r"`backbone` vit-smal, did you mean vit-small\?: expected one of cnn-small, cnn-medium, vit-mini",
    ):
        make_image_backbone("vit-smal", image_shape=(8, 8, 1))
    with pytest.raises(UsageError, match="`patch_size` 3 does not divide"):
        make_image_backbone("vit-mini", image_shape=(8, 8, 1), patch_size=3)


def test_presets_that_are_none_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in (str(tmp_path / "empty"), str(tmp_path / "missing")):
        for load in (load_backbone, load_tokenizer):
            with pytest.raises(UsageError, match=f"`preset` {name}: ") as refusal:
                load(name)
            assert "\n" not in str(refusal.value)


def test_a_damaged_preset_is_refused(tmp_path):
    """Keras loads a weights file with one changed byte without a word."""
    cnn = SmallCNN((8, 8, 1), (8,))
    model = keras.Model(cnn.input, cnn.output)
    model.backbone = cnn
    folder = save_preset(tmp_path / "preset", model)
    file = folder / "model.weights.h5"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(RunError, match="model.weights.h5 is damaged"):
        load_backbone(str(folder))


def test_random_weights_keep_the_architecture_only(tmp_path):
    cnn = SmallCNN((8, 8, 1), (8,))
    model = keras.Model(cnn.input, cnn.output)
    model.backbone = cnn
    folder = str(save_preset(tmp_path / "preset", model))
    kernels = [load_backbone(folder, random_weights=random).get_weights()[0] for random in (False, True)]
    np.testing.assert_array_equal(kernels[0], cnn.get_weights()[0])
    assert kernels[1].shape == kernels[0].shape
    assert (kernels[1] != kernels[0]).all()


def test_another_dropout_where_there_is_one(tmp_path):
    make_text_backbone("mini", vocabulary_size=20, sequence_length=8).save_to_preset(str(tmp_path / "text"))
    SmallCNN((8, 8, 1), (8,)).save_to_preset(str(tmp_path / "image"))
    assert load_backbone(str(tmp_path / "text"), dropout=0.3).dropout == 0.3
    with pytest.raises(UsageError, match=r"^`load_backbone\(dropout\)` 0.3: the backbone of .*image has no dropout"):
        load_backbone(str(tmp_path / "image"), dropout=0.3)
