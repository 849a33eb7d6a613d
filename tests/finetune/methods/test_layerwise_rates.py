"""Depths and factors worked by hand, for backbones of each kind; the factors reach the optimizer and LoRA."""

import re

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN, TextEncoder, VisionTransformer
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier
from tfpretune.finetune.methods.layerwise_rates import RateRow, depths, format_rates, layerwise_rates
from tfpretune.finetune.methods.lora import enable_lora
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training.optimizers.from_settings import make_optimizer

TRANSFORMER = {"num_layers": 2, "num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4}


def text_encoder():
    return TextEncoder(11, **TRANSFORMER)


def bert():
    return keras_hub.models.BertBackbone(11, 2, 1, 4, 8, max_sequence_length=6)


def resnet():
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[2, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(16, 16, 3),
    )


def keras_hub_vit():
    return keras_hub.models.ViTBackbone((8, 8, 3), (4, 4), 2, 1, 8, 8)


def factors_of(model):
    """The factor of each variable's path, one pattern at most for each."""
    found = {}
    for variable in model.weights:
        fits = [factor for pattern, factor in model.rate_factors if re.search(pattern, variable.path)]
        assert len(fits) < 2
        found[variable.path] = fits[0] if fits else 1.0
    return found


# The last pattern: what stands behind the top block learns at the head's rate.
CASES = {
    "text_encoder": (
        text_encoder,
        {"token_embedding/": 1 / 8, "block_0/": 1 / 4, "block_1/": 1 / 2, "final_norm/": 1.0},
    ),
    "cnn": (lambda: SmallCNN((8, 8, 1), (8, 16)), {"stage_0_": 1 / 4, "stage_1_": 1 / 2}),
    "vit": (
        lambda: VisionTransformer((8, 8, 1), 4, **TRANSFORMER),
        {"(patch|position)_embedding/": 1 / 8, "block_0/": 1 / 4, "block_1/": 1 / 2, "final_norm/": 1.0},
    ),
    "bert": (
        bert,
        {
            "(token|position|segment)_embedding/|embeddings_layer_norm/": 1 / 8,
            "transformer_layer_0/": 1 / 4,
            "transformer_layer_1/": 1 / 2,
            "pooled_dense/": 1.0,
        },
    ),
    "resnet": (
        resnet,
        {"conv1_": 1 / 16, "stack0_block0_": 1 / 8, "stack0_block1_": 1 / 4, "stack1_block0_": 1 / 2},
    ),
    "keras_hub_vit": (
        keras_hub_vit,
        {
            "vit_patching_and_embedding/": 1 / 8,
            "vit_encoder/transformer_block_1/": 1 / 4,
            "vit_encoder/transformer_block_2/": 1 / 2,
            "vit_encoder/ln/": 1.0,
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_factors_by_hand(case):
    """With a decay of one half: head 1, top block 1/2, and half of that with every block down."""
    make, expected = CASES[case]
    model = classifier(make(), 3)
    rows = layerwise_rates(model, 0.5)
    found = factors_of(model)
    for path, factor in found.items():
        wanted = [value for pattern, value in expected.items() if re.match(pattern, path)]
        assert [factor] == (wanted or [1.0]), path
        assert wanted or path.startswith("logits/"), path
    assert [row.factor for row in rows] == sorted(set(found.values()))
    assert sum(row.parameters for row in rows) == model.count_params()


def test_table_by_hand():
    """Embedding 11 x 4; block: two norms 2 x 8, 4 x 12 + 12, three times 4 x 4 + 4; then 8 and the head's 4 x 3 + 3."""
    rows = layerwise_rates(classifier(text_encoder(), 3), 0.5)
    assert rows == [
        RateRow(3, "token_embedding", 0.125, 44),
        RateRow(2, "block_0", 0.25, 136),
        RateRow(1, "block_1", 0.5, 136),
        RateRow(0, "head", 1.0, 23),
    ]
    assert [line.split() for line in format_rates(rows).splitlines()[:2]] == [
        ["layers", "learning", "rate", "x", "parameters"],
        ["token_embedding", "0.125", "44"],
    ]


def test_copies_have_the_same_factors():
    first, second = classifier(text_encoder(), 3), classifier(text_encoder(), 2)
    for model in (first, second):
        layerwise_rates(model, 0.75)
    assert first.rate_factors == second.rate_factors
    layerwise_rates(first, 1.0)
    assert first.rate_factors == ()


def test_layers_without_block_names_are_a_depth_each():
    x = keras.Input((2,))
    y = keras.layers.Dense(2, name="low")(x)
    y = keras.layers.LayerNormalization(name="norm")(y)
    y = keras.layers.Dense(2, name="high")(y)
    backbone = keras.Model(x, keras.layers.LayerNormalization(name="last")(y))
    assert [[layer.name for layer in group] for group in depths(backbone)] == [["low", "norm"], ["high"]]


def test_lora_learns_at_its_layers_rate():
    """Also when it is added afterwards. One step of SGD without momentum's past: rate x factor x gradient."""
    model = classifier(text_encoder(), 3)
    layerwise_rates(model, 0.5)
    enable_lora(model, 1)
    optimizer = make_optimizer(
        OptimizerConfig(name="sgd", learning_rate=0.1, warmup=0.0, weight_decay=0.0),
        10,
        rate_factors=model.rate_factors,
    )
    learning = model.trainable_variables
    before = {v.path: v.numpy() for v in learning}
    optimizer.build(learning)
    optimizer.apply([tf.ones_like(v) for v in learning])
    lora = {v.path: float(np.mean(before[v.path] - v)) for v in learning if "lora" in v.path}
    assert {path.split("/")[0] for path in lora} == {"block_0", "block_1"}
    for path, step in lora.items():
        np.testing.assert_allclose(step, 0.1 * {"block_0": 0.25, "block_1": 0.5}[path.split("/")[0]], rtol=1e-4)


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.5, float("nan")])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(UsageError, match=r"`layerwise_rates\(decay\)` must be in \(0, 1\], received"):
        layerwise_rates(classifier(text_encoder(), 3), decay)
