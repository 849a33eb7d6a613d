"""KerasHub's text backbones from a preset through masked language modelling and fine-tuning, as docs/checkpoints.md says."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_hub_backbones import TEXTS
from tfpretune.backbones import load_backbone, load_tokenizer
from tfpretune.data import encode_all, masked_tokens
from tfpretune.data.text.tokens import pack
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier
from tfpretune.objectives import MaskedLM
from tfpretune.serving import export
from tfpretune.serving.loading import load
from tfpretune.training import load_task, save_preset

pytestmark = [  # of KerasHub's: lists of layers that are saved by another way, a file that it leaves open, T5's masks
    pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*unbuilt state:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning"),
]
LINES = ["good film about a dog", "bad film about a cat"] * 2
NOT_PRETRAINED = {
    "FNetBackbone": "FNetBackbone cannot be fed: it takes segment_ids, token_ids: expected token_ids and padding_mask",
    "GPT2Backbone": "GPT2Tokenizer has no mask token",
    "T5Backbone": "T5Tokenizer has no mask token",
}
NOT_TUNED = {"FNetBackbone": "cannot be fed: it takes segment_ids", "T5Backbone": "cannot be fed: it takes decoder"}
PAGE = Path(__file__).parents[3] / "docs" / "checkpoints.md"


def save(name, folder):
    keras.utils.set_random_seed(0)
    for part in TEXTS[name]():
        part.save_to_preset(str(folder))
    return str(folder)


def pretrained(folder):
    tokenizer = load_tokenizer(folder)
    rows = tf.constant(pack(tokenizer, LINES, sequence_length=8))
    batch = masked_tokens(tokenizer, 0.4)({"token_ids": rows}, tf.constant([0, 0]))
    model = MaskedLM(load_backbone(folder))
    before = model.backbone.trainable_weights[0].numpy()
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    assert np.abs(model.backbone.trainable_weights[0].numpy() - before).max() > 0
    return str(save_preset(f"{folder}-mlm", model, tokenizer=tokenizer))


def tuned(folder):
    tokenizer = load_tokenizer(folder)
    model = classifier(load_backbone(folder), 2, dropout=0.0)
    rows = encode_all(tokenizer, LINES, sequence_length=8)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    model.fit(rows | {"labels": np.array([0, 1, 0, 1], "int32")}, verbose=0)
    return model, tokenizer, rows


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_preset_goes_on_learning(name, tmp_path):
    folder = save(name, tmp_path / "hub")
    if name in NOT_PRETRAINED:
        with pytest.raises(UsageError, match=NOT_PRETRAINED[name]):
            pretrained(folder)
        return
    pretrained(folder)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_it_is_fine_tuned_and_answers_as_keras_where_it_is_served(name, tmp_path):
    folder = save(name, tmp_path / "hub")
    if name in NOT_TUNED:
        with pytest.raises(UsageError, match=NOT_TUNED[name]):
            tuned(folder)
        return
    model, tokenizer, rows = tuned(folder)
    task = {"kind": "text", "class_names": ["a", "b"], "sequence_length": 8, "window_length": 0}
    saved = save_preset(tmp_path / "tuned", model, tokenizer=tokenizer, task=task)
    model, _ = load_task(saved)
    settings = {"class_names": ("a", "b"), "tokenizer": load_tokenizer(str(saved)), "sequence_length": 8}
    served = load(export(model, tmp_path, name="n", **settings)).call("serving_default", LINES)["probabilities"]
    np.testing.assert_allclose(served, keras.ops.softmax(model(rows, training=False)), rtol=1e-4, atol=1e-5)


def test_images_are_one_line_with_the_recipe_that_takes_them(tmp_path):
    from tests.keras_hub_backbones import IMAGES

    IMAGES["ResNetBackbone"]().save_to_preset(str(tmp_path))
    with pytest.raises(UsageError, match="it takes images, not texts: use a recipe of images, such as finetune_image$"):
        load_tokenizer(str(tmp_path))


def test_the_page_says_the_same():
    text = PAGE.read_text("utf-8").split("## Images")[0]
    rows = re.findall(r"^\| `(\w+Backbone)` \| (\w+)[^|]*\| (\w+)", text, re.M)
    said = {name: (first, second) for name, first, second in rows}
    assert said == {
        name: ("refused" if name in NOT_PRETRAINED else "yes", "refused" if name in NOT_TUNED else "yes")
        for name in TEXTS
    }
