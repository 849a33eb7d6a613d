"""Which weights decay: by hand for backbones of every family, and the same on one replica and on two with every update rule."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN, TextEncoder, VisionTransformer
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import make_strategy
from tfpretune.training.optimizers.decay import decays
from tfpretune.training.optimizers.from_settings import make_optimizer

SMALL = {"vocabulary_size": 11, "num_layers": 1, "num_heads": 2, "hidden_dim": 4, "intermediate_dim": 8}
TABLES = ("token_embedding/embeddings", "segment_embedding/embeddings")


def vit():
    return keras_hub.models.ViTBackbone(
        image_shape=(8, 8, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=4, mlp_dim=8
    )


@pytest.mark.parametrize(
    ("make", "never"),
    [
        (lambda: keras_hub.models.BertBackbone(**SMALL), ["position_embedding/embeddings"]),
        (lambda: keras_hub.models.RobertaBackbone(**SMALL), ["position_embedding/embeddings"]),
        (
            lambda: keras_hub.models.DebertaV3Backbone(**SMALL, max_sequence_length=8, bucket_size=4),
            ["rel_embedding/rel_embedding"],
        ),
        (vit, ["position_embedding/embeddings", "/class_token"]),
        (
            lambda: VisionTransformer((4, 4, 1), 2, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4),
            ["position_embedding/position_embedding"],
        ),
        (lambda: TextEncoder(9, 1, num_heads=1, hidden_dim=4, intermediate_dim=4), []),
        (lambda: SmallCNN((8, 8, 1), (8,)), []),
    ],
    ids=["bert", "roberta", "deberta", "vit", "own vit", "text encoder", "cnn"],
)
def test_kernels_and_tables_of_tokens_decay_and_nothing_else(make, never):
    variables = make().trainable_variables
    found = {v.path for v in variables if decays(v)}
    assert found == {v.path for v in variables if v.path.endswith(("kernel", *TABLES))}
    for ending in never:  # they are there, and stay
        assert any(ending in v.path for v in variables), ending


PATHS = {
    "scale_space/kernel": True,  # the layer's name says nothing of its kernel
    "bias_probe/kernel": True,
    "position_head/kernel": True,
    "token_embedding/embeddings": True,
    "lora/lora_a": True,
    "position_embedding/embeddings": False,
    "self_attention/embeddings": False,  # T5's table of relative positions
    "attention/bias": False,
    "patches/class_token": False,
    "norm/gamma": False,
}


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "adagrad"])
def test_each_rule_decays_the_same_on_one_replica_and_on_two(name, replicas):
    """Without a gradient, 1 becomes 1 - rate * decay = 0.95 where a variable decays; a layer at half the rate: 0.975."""
    strategy = make_strategy(replicas)
    with strategy.scope():
        variables = {}
        for path in PATHS:
            layer, own = path.split("/")
            with keras.name_scope(layer):
                variables[path] = keras.Variable(np.ones((2,) if own == "gamma" else (2, 2), "float32"), name=own)
        config = OptimizerConfig(name=name, learning_rate=0.1, warmup=0.0, schedule="constant", weight_decay=0.5)
        optimizer = make_optimizer(config, 10, rate_factors=(("^lora/", 0.5),))
        optimizer.build(list(variables.values()))
    strategy.run(tf.function(lambda: optimizer.apply([tf.zeros(v.shape) for v in variables.values()])))
    for path, variable in variables.items():
        expected = (0.975 if path == "lora/lora_a" else 0.95) if PATHS[path] else 1.0
        np.testing.assert_allclose(variable, np.full(variable.shape, expected), atol=1e-6, err_msg=path)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_a_loaded_optimizer_decides_the_same(name):
    optimizer = make_optimizer(OptimizerConfig(name=name, weight_decay=0.5, warmup=0.0, learning_rate=0.1), 10)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    variables = [keras.Variable(np.ones((2, 2), "float32"), name=own) for own in ("kernel", "bias")]
    again.build(variables)
    again.apply([tf.zeros((2, 2))] * 2)
    np.testing.assert_allclose([variable[0, 0] for variable in variables], [0.95, 1.0], atol=1e-6)
