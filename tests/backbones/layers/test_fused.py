"""Islands against plain operations: values, gradients, masks; and where they must not be."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones.layers import fused as islands
from tfpretune.backbones.layers.blocks import EncoderBlock

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32")
SLOPES = np.random.default_rng(2).normal(size=X.shape).astype("float32")


def make_block(rotary=True, dropout=0.0, dtype=None):
    """A block whose weights are far from their start, so that every part counts; the same seeds each time."""
    keras.utils.set_random_seed(3)
    block = EncoderBlock(2, 8, intermediate_dim=16, rotary=rotary, dropout=dropout, dtype=dtype)
    block.build((None, None, 8))
    rng = np.random.default_rng(1)
    for weight in block.trainable_weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    return block


def learn(block, mask=MASK, x=X):
    """The output, and the gradients of the input and of every variable."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = block(x, mask, training=True)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * SLOPES[: len(x)])
    return [y, *tape.gradient(loss, [x, *(v.value for v in block.trainable_variables)])]


def plain(monkeypatch, *, same_dropout=False):
    monkeypatch.setattr(islands, "pay", lambda training: False)

    def call(self, inputs, training=False):
        return islands.drop(inputs, self.seed_generator.next(), self.rate) if training and self.rate else inputs

    if same_dropout:
        monkeypatch.setattr(keras.layers.Dropout, "call", call)


def assert_same(received, expected, tolerance=1e-5):
    for one, other in zip(received, expected, strict=True):
        one, other = (tf.cast(x, tf.float32).numpy() for x in (one, other))
        assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


def compiled_calls(concrete):
    """Names of the functions in a graph that XLA compiles."""
    functions = concrete.graph.as_graph_def().library.function
    return [f.signature.name for f in functions if f.attr["_XlaMustCompile"].b]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize(("rotary", "mask"), [(True, MASK), (False, None)])
def test_values_and_gradients_are_the_plain_ones(monkeypatch, rotary, mask, dropout):
    received = learn(make_block(rotary, dropout), mask)
    plain(monkeypatch, same_dropout=True)
    assert_same(received, learn(make_block(rotary, dropout), mask))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_near_float32(dtype):
    received = learn(make_block(dtype=dtype))
    assert received[0].dtype.name == dtype.removeprefix("mixed_")
    assert {gradient.dtype for gradient in received[1:]} == {tf.float32}
    assert_same(received, learn(make_block()), 0.05)


@pytest.mark.parametrize("jit", [False, True])
def test_inside_a_function(jit):
    """Also when the whole is compiled, and with rows of another number than before."""
    for rows in (2, 1):
        block = make_block(dropout=0.3)
        expected = learn(block, MASK[:rows], X[:rows])
        block = make_block(dropout=0.3)
        step = tf.function(lambda x, mask, block=block: learn(block, mask, x), jit_compile=jit)
        assert_same(step(X[:rows], MASK[:rows]), expected)


def test_only_in_training_and_only_on_a_cpu(monkeypatch):
    block = make_block(dropout=0.3)
    graphs = {
        training: tf.function(lambda x, training=training: block(x, MASK, training=training)).get_concrete_function(X)
        for training in (False, True)
    }
    assert compiled_calls(graphs[True])
    assert not compiled_calls(graphs[False])
    devices = [tf.config.LogicalDevice(f"/device:{kind}:0", kind) for kind in ("CPU", "GPU")]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: devices)
    assert not islands.pay(True)


def test_dropout_mask_by_hand():
    """The hash in Python's integers."""

    def mix(x):
        x = ((x ^ (x >> 16)) * 0x7FEB352D) % 2**32
        x = ((x ^ (x >> 15)) * 0x846CA68B) % 2**32
        return x ^ (x >> 16)

    one, two = mix(11), mix(mix(4) ^ 11)
    kept = [(mix(mix((place + one) % 2**32) ^ two) >> 8) / 2**24 >= 0.3 for place in range(1000)]
    received = islands.drop(tf.ones((10, 100)), tf.constant([11, 4], tf.int64), 0.3).numpy().ravel()
    np.testing.assert_allclose(received, np.where(kept, 1 / 0.7, 0.0), rtol=1e-6)


def test_dropout_masks_look_random():
    """Rates, and no likeness between the masks of neighbouring seeds, calls and places: within 5 standard deviations."""
    size = 200_000
    masks = [
        islands.drop(tf.ones(size), tf.constant(seed, tf.int64), 0.1).numpy() > 0
        for seed in ([5, 0], [5, 1], [6, 0], [6, 1])
    ]
    for mask in masks:
        assert abs(mask.mean() - 0.9) < 5 * np.sqrt(0.09 / size)
        assert abs(np.corrcoef(mask[1:], mask[:-1])[0, 1]) < 5 / np.sqrt(size)
    others = np.corrcoef(masks) - np.eye(4)
    assert np.abs(others).max() < 5 / np.sqrt(size)
    shifted = np.corrcoef(masks[0][1:], masks[2][:-1])[0, 1]  # seed 6 is not seed 5 one place on
    assert abs(shifted) < 5 / np.sqrt(size)


def test_dropout_takes_its_seed_from_the_layer():
    block = make_block(dropout=0.3)
    state = block.residual_dropout.seed_generator.state
    start, first, second = state.numpy(), learn(block)[0], learn(block)[0]
    assert (state.numpy() - start).tolist() == [0, 4]  # two masks a call
    assert (first.numpy() != second.numpy()).any()
    block.attention_dropout.seed_generator.state.assign(make_block(dropout=0.3).attention_dropout.seed_generator.state)
    state.assign(start)
    np.testing.assert_array_equal(learn(block)[0], first)


def test_cross_entropy_by_hand():
    """Logits ln 1, ln 2, ln 5 of 8; of two equal ones the first is the guess, as in `tf.argmax`."""
    scores = tf.math.log([[1.0, 2.0, 5.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    losses, hits = islands.cross_entropy(scores, tf.zeros(3), tf.constant([1, 0, 2]))
    np.testing.assert_allclose(losses, np.log([4.0, 3.0, 3.0]), rtol=1e-6)
    assert hits.numpy().tolist() == [0, 1, 0]
