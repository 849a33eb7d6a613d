"""What is frozen, and that it does not move."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN, TextEncoder, VisionTransformer
from tfpretune.config import UsageError
from tfpretune.finetune import classifier, format_table, freeze, frozen_table
from tfpretune.finetune.freezing import FrozenRow
from tfpretune.objectives import MaskedAutoencoder, MaskedLM

IMAGES = np.random.default_rng(0).random((4, 8, 8, 1)).astype("float32")
BATCH = {"images": IMAGES, "labels": np.array([0, 1, 2, 0], "int32")}
LAYERS = ["stage_0_conv_0", "stage_0_norm_0", "stage_0_conv_1", "stage_0_norm_1"]


def make_model():
    return classifier(SmallCNN((8, 8, 1), (8,)), 3, dropout=0.0)


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        ("none", []),
        ("0", []),
        ("1", LAYERS[:1]),
        ("3", LAYERS[:3]),
        ("4", LAYERS),
        ("all", LAYERS),
        ("norm", [LAYERS[1], LAYERS[3]]),
        ("_0$", LAYERS[:2]),
        ("conv_1|norm_0", LAYERS[1:3]),
    ],
)
def test_frozen_weights_do_not_move_and_the_others_do(frozen, expected):
    model = make_model()
    freeze(model, frozen)
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    model.fit(tf.data.Dataset.from_tensor_slices(BATCH).batch(4), shuffle=False, verbose=0)
    stayed = {
        layer.name
        for layer in model.backbone.layers
        if layer.weights and all(np.array_equal(w, before[w.path]) for w in layer.weights)
    }
    assert stayed == set(expected)
    assert not np.array_equal(model.get_layer("logits").kernel, before[model.get_layer("logits").kernel.path])
    assert len(model.optimizer.variables) == 2 + len(model.trainable_weights)  # no momenta for what is frozen


def test_freezing_again_replaces_the_first_choice():
    model = make_model()
    freeze(model, "all")
    rows = freeze(model, "1")
    assert [row.layer for row in rows if row.frozen] == ["backbone/stage_0_conv_0"]


def test_table_by_hand():
    """3 x 3 x 1 x 8 + 8 = 80, 2 x 8 = 16, 3 x 3 x 8 x 8 + 8 = 584; the head 8 x 3 + 3 = 27."""
    rows = freeze(make_model(), "2")
    assert rows == [
        FrozenRow("backbone/stage_0_conv_0", 0, 80),
        FrozenRow("backbone/stage_0_norm_0", 0, 16),
        FrozenRow("backbone/stage_0_conv_1", 584, 0),
        FrozenRow("backbone/stage_0_norm_1", 16, 0),
        FrozenRow("logits", 27, 0),
    ]
    assert format_table(rows).splitlines()[0].split() == ["layer", "trainable", "frozen"]
    assert format_table(rows).splitlines()[-1].split() == ["total", "627", "96"]


@pytest.mark.parametrize(
    "make",
    [
        make_model,
        lambda: MaskedLM(TextEncoder(11, 2, num_heads=1, hidden_dim=4, intermediate_dim=4, dropout=0.1)),
        lambda: MaskedAutoencoder(
            VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4),
            decoder_dim=4,
            decoder_heads=1,
        ),
    ],
    ids=["classifier", "masked_lm", "mae"],
)
def test_the_table_counts_every_parameter_once(make):
    """A tied embedding, and a backbone whose layers the model calls one by one, stand in it once."""
    model = make()
    assert sum(row.trainable + row.frozen for row in frozen_table(model)) == model.count_params()


def test_depth_counts_layers_with_weights_from_the_embedding_on():
    model = classifier(TextEncoder(11, 2, num_heads=1, hidden_dim=4, intermediate_dim=4, dropout=0.1), 2)
    rows = freeze(model, "2")
    assert [row.layer for row in rows if row.frozen] == ["backbone/token_embedding", "backbone/block_0"]


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        ("5", "--frozen 5: the backbone has 4 layers with weights: stage_0_conv_0, stage_0_norm_0"),
        ("blok", "--frozen 'blok' fits no layer of the backbone: stage_0_conv_0"),
        ("conv(", r"--frozen 'conv\(' is no regular expression: "),
        ("²", "--frozen '²' fits no layer"),
        ("", "--frozen is empty: give none, all, a number of layers or a pattern"),
    ],
)
def test_what_cannot_be_frozen_is_refused(frozen, message):
    with pytest.raises(UsageError, match=message):
        freeze(make_model(), frozen)
