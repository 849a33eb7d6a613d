"""The hand-over: presets and fine-tuned models, always in float32."""

import json

import keras
import keras_hub
import numpy as np
import pytest

from tfpretune.backbones import SmallCNN, TextEncoder, TextEncoderTokenizer, VisionTransformer
from tfpretune.backbones.by_name import make_text_backbone
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import classifier, freeze
from tfpretune.objectives import DenoisingAutoencoder, MaskedAutoencoder, MaskedLM, Supervised
from tfpretune.training.presets import in_float32, load_task, save_preset

IMAGES = np.random.default_rng(0).random((2, 8, 8, 1)).astype("float32")
TOKENS = {
    "token_ids": np.array([[2, 5, 6, 3], [2, 5, 3, 0]], "int32"),
    "padding_mask": np.array([[1] * 4, [1, 1, 1, 0]], "int32"),
}
TASK = {"kind": "image", "class_names": ["是", "no", "maybe"], "image_shape": [8, 8, 1], "source": "demo:digits"}


def make_cnn(dtype="mixed_bfloat16"):
    return SmallCNN((8, 8, 1), (8,), dtype=dtype)


def make_vit(dtype="mixed_bfloat16"):
    return VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4, dtype=dtype)


def make_encoder(dtype="mixed_bfloat16"):
    return TextEncoder(8, 1, num_heads=1, hidden_dim=4, intermediate_dim=4, dropout=0.1, dtype=dtype)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DenoisingAutoencoder(make_cnn()),
        lambda: MaskedAutoencoder(make_vit(), decoder_dim=4, decoder_heads=1),
        lambda: MaskedLM(make_encoder()),
        lambda: classifier(make_encoder(), 3, window_length=2, class_weights=(1.0, 2.0, 3.0)),
        lambda: classifier(
            make_text_backbone("bert-mini", vocabulary_size=8, sequence_length=4, dtype="mixed_bfloat16"), 3
        ),
    ],
    ids=["denoising", "mae", "masked_lm", "classifier", "bert"],
)
def test_float32_copy_has_the_same_weights_and_kind(make):
    model = make()
    copy = in_float32(model)
    assert type(copy) is type(model)
    assert {layer.dtype_policy.name for layer in copy._flatten_layers(include_self=False)} == {"float32"}
    assert "mixed_bfloat16" in {layer.dtype_policy.name for layer in model._flatten_layers(include_self=False)}
    for mine, other in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(mine, other, err_msg=mine.path)


def test_float32_copy_answers_nearly_the_same():
    model = classifier(make_cnn(), 3)
    np.testing.assert_allclose(in_float32(model)({"images": IMAGES}), model({"images": IMAGES}), atol=0.05)


def test_a_fine_tuned_model_comes_back(tmp_path):
    model = classifier(make_cnn(), 3, dropout=0.0, label_smoothing=0.1)
    freeze(model, "1")
    folder = save_preset(tmp_path / "run" / "preset", model, task=TASK)
    loaded, task = load_task(folder)
    assert task == TASK
    assert type(loaded) is Supervised
    assert loaded.target.label_smoothing == 0.1
    assert "是" in (folder / "task.json").read_text("utf-8")
    np.testing.assert_array_equal(loaded({"images": IMAGES}), in_float32(model)({"images": IMAGES}))
    backbone = keras_hub.models.Backbone.from_preset(str(folder))
    np.testing.assert_array_equal(backbone.get_weights()[0], model.backbone.get_weights()[0])
    assert all(layer.trainable for layer in backbone.layers)  # what was frozen is the business of that run


def test_an_older_preset_is_replaced_whole(tmp_path):
    save_preset(tmp_path / "preset", classifier(make_cnn(), 3), task=TASK)
    save_preset(tmp_path / "preset", DenoisingAutoencoder(make_cnn()))
    assert not (tmp_path / "preset" / "task.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["preset"]


def test_a_text_preset_holds_its_tokenizer(tmp_path):
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, "good", "bad", "。"], lowercase=False)
    save_preset(tmp_path / "preset", MaskedLM(make_encoder()), tokenizer=tokenizer)
    again = keras_hub.tokenizers.Tokenizer.from_preset(str(tmp_path / "preset"))
    assert again.get_vocabulary() == tokenizer.get_vocabulary()
    assert again.lowercase is False


def test_a_bert_preset_can_be_fine_tuned(tmp_path):
    """KerasHub's BERT wants segment_ids; the classifier makes them itself, so that raw texts are all it takes."""
    bert = make_text_backbone("bert-mini", vocabulary_size=8, sequence_length=4)
    model = classifier(bert, 2)
    assert sorted(model.input) == ["padding_mask", "token_ids"]
    folder = save_preset(tmp_path / "preset", model, task=TASK | {"kind": "text"})
    np.testing.assert_allclose(load_task(folder)[0](TOKENS), model(TOKENS), atol=1e-6)
    features = keras.Model(bert.input, bert.output["sequence_output"])
    hidden = features(TOKENS | {"segment_ids": np.zeros((2, 4), "int32")})[0].numpy().mean(axis=0)
    np.testing.assert_allclose(
        keras.Model(model.input, model.get_layer("features").output)(TOKENS)[0], hidden, atol=1e-5
    )
    assert sorted(MaskedLM(bert).input) == ["mask_positions", "padding_mask", "token_ids"]


def test_what_is_no_fine_tuned_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no fine-tuned model"):
        load_task(tmp_path)
    folder = save_preset(tmp_path / "preset", classifier(make_cnn(), 3), task=TASK)
    (folder / "task.json").write_text(json.dumps(TASK | {"class_names": ["a", "b", "c"]}))
    with pytest.raises(RunError, match="task.json is damaged"):
        load_task(folder)
