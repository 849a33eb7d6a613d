"""The text backbone: its block against a plain computation, its preset, its number formats."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import TextEncoder, TextEncoderTokenizer
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.backbones.layers.blocks import EncoderBlock, PositionEmbedding, turn
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.training.presets import save_preset

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32")
IDS = {"token_ids": np.array([[2, 5, 6, 7, 3], [2, 6, 3, 0, 0]], "int32"), "padding_mask": MASK}


def make_encoder(dtype=None, dropout=0.0):
    return TextEncoder(9, 2, num_heads=2, hidden_dim=8, intermediate_dim=16, dropout=dropout, dtype=dtype)


def make_block(rotary=False):
    """A block whose weights are far from their start, so that every part counts."""
    block = EncoderBlock(2, 8, intermediate_dim=16, rotary=rotary)
    block.build((None, None, 8))
    rng = np.random.default_rng(1)
    block.set_weights([rng.normal(size=weight.shape) * 0.5 for weight in block.get_weights()])
    return block


def layer_norm(x, layer):
    deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    return (x - x.mean(-1, keepdims=True)) / deviation * layer.gamma.numpy() + layer.beta.numpy()


def plain_block(block, x, mask, rotate=lambda x: x):
    """The same formula in NumPy, head by head."""
    fused = (
        layer_norm(x, block.attention_norm) @ block.query_key_value.kernel.numpy() + block.query_key_value.bias.numpy()
    )
    mixed = np.zeros_like(x)
    for head in range(2):
        query, key, value = (fused[..., part * 8 + head * 4 : part * 8 + head * 4 + 4] for part in range(3))
        scores = rotate(query) @ rotate(key).transpose(0, 2, 1) / np.sqrt(4) + np.where(mask, 0, -np.inf)[:, np.newaxis]
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed[..., head * 4 : head * 4 + 4] = weights / weights.sum(-1, keepdims=True) @ value
    x = x + mixed @ block.attention_output.kernel.numpy() + block.attention_output.bias.numpy()
    hidden = layer_norm(x, block.feedforward_norm) @ block.intermediate.kernel.numpy() + block.intermediate.bias.numpy()
    hidden = keras.activations.gelu(hidden).numpy()
    return x + hidden @ block.output_dense.kernel.numpy() + block.output_dense.bias.numpy()


def plain_turn(x):
    """Feature pair (i, i + 2) of four, seen as a complex number, times exp(i position 10000^(-i / 2))."""
    angles = np.arange(x.shape[1])[:, np.newaxis] * 10000.0 ** (-np.arange(2) / 2)
    turned = (x[..., :2] + 1j * x[..., 2:]) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag], -1)


@pytest.mark.parametrize("rotate", [None, plain_turn])
def test_block_by_hand(rotate):
    block = make_block(rotary=rotate is not None)
    np.testing.assert_allclose(block(X, MASK), plain_block(block, X, MASK, rotate or (lambda x: x)), atol=1e-5)
    np.testing.assert_allclose(block(X), plain_block(block, X, np.ones_like(MASK), rotate or (lambda x: x)), atol=1e-5)


def test_attention_is_kerass():
    """The attention branch, with Keras' layer on the same weights split by head."""
    block = make_block()
    attention = keras.layers.MultiHeadAttention(2, 4)
    x = block.attention_norm(X)
    attention.build(x.shape, x.shape)
    kernels = np.split(block.query_key_value.kernel.numpy(), 3, axis=1)
    biases = np.split(block.query_key_value.bias.numpy(), 3)
    weights = [
        part
        for pair in zip((k.reshape(8, 2, 4) for k in kernels), (b.reshape(2, 4) for b in biases), strict=True)
        for part in pair
    ]
    output = [block.attention_output.kernel.numpy().reshape(2, 4, 8), block.attention_output.bias.numpy()]
    attention.set_weights(weights + output)
    block.output_dense.set_weights([np.zeros((16, 8)), np.zeros(8)])
    expected = X + attention(x, x, attention_mask=np.repeat(MASK[:, np.newaxis], 5, axis=1).astype(bool))
    np.testing.assert_allclose(block(X, MASK), expected, atol=1e-5)


def test_rotary_scores_depend_on_the_distance_only():
    same = tf.ones((1, 1, 6, 4))
    turned = turn(same)[0, 0].numpy()
    scores = turned @ turned.T
    for distance in range(4):
        np.testing.assert_allclose(np.diag(scores, distance), scores[0, distance], atol=1e-5)
    assert abs(scores[0, 0] - scores[0, 1]) > 0.1


def test_block_knows_no_order_without_rotary():
    block = make_block()
    np.testing.assert_allclose(block(X[:, ::-1]), tf.reverse(block(X), [1]), atol=1e-5)
    assert abs(make_block(rotary=True)(X[:, ::-1]) - tf.reverse(make_block(rotary=True)(X), [1])).numpy().max() > 0.1


def test_a_row_of_padding_only_stays_finite():
    assert np.isfinite(make_block(rotary=True)(X, np.zeros_like(MASK))).all()


def test_dropout_works_in_training_only():
    encoder = make_encoder(dropout=0.5)
    np.testing.assert_array_equal(encoder(IDS, training=False), encoder(IDS, training=False))
    assert (encoder(IDS, training=True).numpy() != encoder(IDS, training=True).numpy()).any()


def test_block_arguments():
    with pytest.raises(ValueError, match="num_heads must divide hidden_dim, received 3 and 8"):
        EncoderBlock(3, 8, intermediate_dim=8)
    with pytest.raises(ValueError, match="rotary needs an even number of features a head, received 3"):
        EncoderBlock(1, 3, intermediate_dim=8, rotary=True)
    block = EncoderBlock(2, 8, intermediate_dim=16, dropout=0.1, rotary=True, name="b")
    assert EncoderBlock.from_config(block.get_config()).get_config() == block.get_config()


def test_position_embedding_adds_its_first_rows():
    layer = PositionEmbedding(6)
    layer.build((None, None, 8))
    np.testing.assert_allclose(layer(X), X + layer.embeddings.numpy()[:5], atol=1e-6)
    assert PositionEmbedding.from_config(layer.get_config()).max_length == 6


def test_bfloat16_is_finite_and_near_float32():
    one, other = make_encoder("float32"), make_encoder("mixed_bfloat16")
    other.set_weights(one.get_weights())
    half = other(IDS)
    assert half.dtype == tf.bfloat16
    assert {weight.dtype for weight in other.weights} == {"float32"}
    np.testing.assert_allclose(tf.cast(half, tf.float32), one(IDS), atol=0.06)


def test_preset_round_trip(tmp_path):
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, "good", "bad", "我", "##s"], lowercase=True, strip_accents=True)
    encoder = make_encoder("mixed_bfloat16", dropout=0.1)
    model = keras.Model(encoder.input, encoder.output)
    model.backbone = encoder
    save_preset(tmp_path / "preset", model, tokenizer=tokenizer)
    loaded = keras_hub.models.Backbone.from_preset(str(tmp_path / "preset"))
    assert type(loaded) is TextEncoder
    assert loaded.dropout == 0.1
    assert loaded.dtype_policy.name == "float32"
    for mine, other in zip(loaded.weights, encoder.weights, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert load_backbone(str(tmp_path / "preset"), dtype="mixed_bfloat16").dtype_policy.name == "mixed_bfloat16"
    again = load_tokenizer(str(tmp_path / "preset"))
    assert type(again) is TextEncoderTokenizer
    assert again.get_vocabulary() == tokenizer.get_vocabulary()
    assert (again.lowercase, again.strip_accents) == (True, True)
