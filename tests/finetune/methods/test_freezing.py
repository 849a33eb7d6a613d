"""What is frozen, and that it does not move."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN, TextEncoder, VisionTransformer
from tfpretune.backbones.by_name import make_image_backbone
from tfpretune.errors import UsageError
from tfpretune.finetune import GradualUnfreezing, classifier, format_table, freeze, frozen_table, layerwise_rates
from tfpretune.finetune.methods.freezing import FrozenRow, blocks
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
        ("last:0", LAYERS),
        ("last:1", []),
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
    assert freeze(model, 2) == rows
    with pytest.raises(UsageError, match="9"):
        freeze(model, 9)


@pytest.mark.parametrize(
    ("last", "frozen"),
    [
        (0, ["token_embedding", "block_0", "block_1", "final_norm"]),
        (1, ["token_embedding", "block_0"]),
        (2, ["token_embedding"]),
        (3, []),
    ],
)
def test_last_counts_blocks_from_the_head_down(last, frozen):
    """The final normalisation belongs to the block before it."""
    model = classifier(TextEncoder(11, 2, num_heads=1, hidden_dim=4, intermediate_dim=4), 2)
    rows = freeze(model, f"last:{last}")
    assert [row.layer for row in rows if row.frozen] == [f"backbone/{name}" for name in frozen]
    assert rows[-1] == FrozenRow("logits", 10, 0)


def test_last_reaches_blocks_inside_one_layer():
    """KerasHub's ViTEncoder is one layer of all blocks: 2 of its 3 stay."""
    model = classifier(
        keras_hub.models.ViTBackbone((8, 8, 3), 4, num_layers=3, num_heads=1, hidden_dim=4, mlp_dim=4), 2
    )
    freeze(model, "last:1")
    blocks = {path.split("transformer_block_")[1][0] for path in learning_paths(model) if "transformer_block" in path}
    assert blocks == {"3"}


def learning_paths(model):
    return [variable.path for variable in model.trainable_variables]


def test_bias_lets_biases_and_normalisation_learn():
    """Two convolutions of 8 filters: 8 biases each; two normalisations: 8 scales and 8 offsets each. The head's 27 as well."""
    model = make_model()
    rows = freeze(model, "bias")
    assert rows == [
        FrozenRow("backbone/stage_0_conv_0", 8, 72),
        FrozenRow("backbone/stage_0_norm_0", 16, 0),
        FrozenRow("backbone/stage_0_conv_1", 8, 576),
        FrozenRow("backbone/stage_0_norm_1", 16, 0),
        FrozenRow("logits", 27, 0),
    ]
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(tf.data.Dataset.from_tensor_slices(BATCH).batch(4), shuffle=False, verbose=0)
    stayed = {path for path, value in before.items() if np.array_equal(value, new_value(model, path))}
    assert stayed == {"stage_0_conv_0/kernel", "stage_0_conv_1/kernel"}
    assert len(freeze(model, "none")) == 5
    assert len(model.trainable_variables) == len(model.weights)


def new_value(model, path):
    return next(weight.numpy() for weight in model.weights if weight.path == path)


def test_bias_reaches_into_a_block():
    model = classifier(TextEncoder(11, 1, num_heads=1, hidden_dim=4, intermediate_dim=4), 2)
    freeze(model, "bias")
    kinds = {path.rsplit("/", 1)[1] for path in learning_paths(model) if not path.startswith("logits")}
    assert kinds == {"bias", "gamma", "beta"}
    assert sum("block_0" in path for path in learning_paths(model)) == 4 + 4  # four dense layers, two normalisations


@pytest.mark.parametrize(
    ("frozen", "learns", "adapts"), [("none", True, True), ("bias", True, False), ("all", False, False)]
)
def test_statistics_of_batch_normalisation(tmp_path, frozen, learns, adapts):
    """They follow the data only where the layer is not frozen; with "bias" the scale learns and the statistics stay."""
    images = keras.Input((8, 8, 1), name="images")
    maps = keras.layers.BatchNormalization(name="norm")(images)
    model = classifier(
        keras_hub.models.Backbone(inputs={"images": images}, outputs=maps, dtype="float32"), 3, dropout=0.0
    )
    freeze(model, frozen)
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(tf.data.Dataset.from_tensor_slices(BATCH).batch(4), shuffle=False, verbose=0)
    norm = model.backbone.get_layer("norm")
    assert (norm.beta.numpy().item() != 0.0) == learns
    assert (norm.moving_mean.numpy().item() != 0.0) == adapts


def test_a_loaded_model_forgets_which_variables_were_frozen(tmp_path):
    """So "bias" has to be set again: Keras saves the flag of a layer, not that of a variable."""
    model = make_model()
    freeze(model, "bias")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(loaded.trainable_variables) > len(model.trainable_variables)
    freeze(loaded, "bias")
    assert learning_paths(loaded) == learning_paths(model)


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        ("5", "`frozen` 5: the backbone has 4 layers with weights: stage_0_conv_0, stage_0_norm_0"),
        ("blok", "`frozen` 'blok' fits no layer of the backbone: stage_0_conv_0"),
        ("conv(", r"`frozen` 'conv\(' is not a regular expression: "),
        ("²", "`frozen` '²' fits no layer"),
        ("last:2", "`frozen` last:2: the backbone has 1 blocks: stage_0_conv_0 … stage_0_norm_1"),
        ("last:x", "`frozen` last:x: after last: a number of blocks is expected, such as last:2"),
        ("", "`frozen` is empty: give none, all, a number of layers, last:NUMBER, bias or a pattern"),
    ],
)
def test_what_cannot_be_frozen_is_refused(frozen, message):
    with pytest.raises(UsageError, match=message):
        freeze(make_model(), frozen)


@pytest.mark.parametrize(
    ("name", "number", "top"),
    [
        ("cnn-small", 3, {"stage_2_conv_0", "stage_2_norm_0", "stage_2_conv_1", "stage_2_norm_1"}),
        ("cnn-medium", 4, {"stage_3_conv_0", "stage_3_norm_0", "stage_3_conv_1", "stage_3_norm_1"}),
        ("vit-mini", 5, {"block_3", "final_norm"}),
    ],
)
def test_a_stage_and_a_block_of_the_named_sizes_are_one_block(name, number, top):
    """Of a CNN two convolutions with their normalisation, of a ViT one block; the embedding is one, too. All ways agree."""
    backbone = make_image_backbone(name, image_shape=(16, 16, 1))
    model = classifier(backbone, 2)
    freeze(model, "last:1")
    learns = [layer.name for layer in backbone.layers if any(v.trainable for v in layer.weights)]
    assert set(learns) == top
    freeze(model, "none")
    rows = layerwise_rates(model, 0.5)
    assert [row.factor for row in rows] == [0.5**depth for depth in range(number, -1, -1)]
    stages = GradualUnfreezing(model, every_steps=10).stages
    assert [stage.step for stage in stages] == [10 * place for place in range(number + 1)]
    assert len(blocks(backbone)) == number
