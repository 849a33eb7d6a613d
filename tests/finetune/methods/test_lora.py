"""LoRA: by hand, on every kind of layer, what learns, what is refused, and that merging changes no answer."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tests.checks import check_learns, check_replicas
from tfpretune.backbones import SmallCNN, TextEncoder, VisionTransformer
from tfpretune.backbones.layers.lora import LowRank, add_low_rank, merged, remove_low_rank, takes_low_rank
from tfpretune.errors import UsageError
from tfpretune.finetune import classifier, freeze
from tfpretune.finetune.methods.lora import (
    LoraRow,
    enable_lora,
    format_lora,
    lora_settings,
    lora_variables,
    merge_lora,
    merged_weights,
    remove_lora,
)
from tfpretune.objectives import MaskedLM

RNG = np.random.default_rng(0)
TEXTS = {
    "token_ids": np.array([[2, 5, 6, 3], [2, 5, 3, 0], [2, 7, 3, 0], [2, 8, 9, 3]], "int32"),
    "padding_mask": np.array([[1] * 4, [1, 1, 1, 0], [1, 1, 1, 0], [1] * 4], "int32"),
}
IMAGES = {"images": RNG.random((4, 8, 8, 1)).astype("float32")}
LABELS = {"labels": np.array([0, 1, 1, 0], "int32")}


def make_encoder(dtype=None, dropout=0.0, layers=2):
    backbone = TextEncoder(11, layers, num_heads=2, hidden_dim=8, intermediate_dim=6, dropout=dropout, dtype=dtype)
    return classifier(backbone, 2, dropout=0.0)


def make_vit(dtype=None):
    backbone = VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4, dtype=dtype)
    return classifier(backbone, 2, dropout=0.0)


def make_bert(dtype=None):
    backbone = keras_hub.models.BertBackbone(11, 2, 2, 8, 6, dropout=0.0, max_sequence_length=4, dtype=dtype)
    return classifier(backbone, 2, dropout=0.0)


def make_cnn(dtype=None):
    return classifier(SmallCNN((8, 8, 1), (4, 6), groups=2, dtype=dtype), 2, dropout=0.0)


KINDS = [(make_encoder, TEXTS), (make_vit, IMAGES), (make_bert, TEXTS), (make_cnn, IMAGES)]
NAMES = ["text_encoder", "vit", "bert", "cnn"]


def spread(model, scale=0.3):
    """Random values for A and B, so that LoRA changes the answers much."""
    rng = np.random.default_rng(5)
    for variable in lora_variables(model).values():
        variable.assign(rng.normal(0.0, scale, variable.shape))


def make_dense(**settings):
    layer = keras.layers.Dense(2, **settings)
    layer.build((None, 2))
    layer.set_weights([np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -0.5])])
    return layer


def test_a_dense_layer_by_hand():
    """alpha / rank = 4 / 2 and A B = [[1, 2], [0, 3]]: the kernel [[1, 2], [3, 4]] + 2 A B is [[3, 6], [3, 10]]."""
    layer = make_dense(activation="relu")
    x = np.array([[1.0, -1.0], [1.0, 1.0]], "float32")
    before = layer(x).numpy()
    add_low_rank(layer, LowRank(2, 4.0))
    np.testing.assert_array_equal(layer(x), before)  # B starts at zero
    layer.lora_a.assign([[1.0, 0.0], [0.0, 1.0]])
    layer.lora_b.assign([[[1.0, 2.0], [0.0, 3.0]]])
    np.testing.assert_allclose(layer.kernel, [[3.0, 6.0], [3.0, 10.0]])
    np.testing.assert_allclose(layer(x), [[0.5, 0.0], [6.5, 15.5]])  # 3 - 3 + .5; 6 - 10 - .5 < 0; 6 + .5; 16 - .5
    np.testing.assert_allclose(layer.base, [[1.0, 2.0], [3.0, 4.0]])
    remove_low_rank(layer)
    assert type(layer) is keras.layers.Dense
    assert [weight.name for weight in layer.weights] == ["kernel", "bias"]
    np.testing.assert_array_equal(layer(x), before)


def test_parts_of_a_fused_layer_by_hand():
    """Query and value of a kernel (1, 6) have an A of their own, 2 and 3: 2 (1, 2) to the left, 3 (3, 4) to the right."""
    layer = keras.layers.Dense(6, use_bias=False, kernel_initializer="zeros")
    layer.build((None, 1))
    add_low_rank(layer, LowRank(1, 1.0, parts=(0, 2), num_parts=3))
    assert (layer.lora_a.shape, layer.lora_b.shape) == ((1, 2), (2, 1, 2))
    layer.lora_a.assign([[2.0, 3.0]])
    layer.lora_b.assign([[[1.0, 2.0]], [[3.0, 4.0]]])
    expected = [[2.0, 4.0, 0.0, 0.0, 9.0, 12.0]]
    np.testing.assert_allclose(merged(layer), expected)
    np.testing.assert_allclose(layer(np.ones((1, 1), "float32")), expected)


@pytest.mark.parametrize(
    ("equation", "inputs", "output", "a", "b"),
    [
        ("abc,cde->abde", (2, 3, 4), (3, 5, 2), (4, 2), (2, 5, 2)),
        ("abcd,cde->abe", (2, 3, 4, 5), (3, 6), (4, 5, 2), (2, 6)),
        ("btd,ndh->btnh", (2, 3, 4), (3, 5, 2), (4, 2), (2, 5, 2)),
        ("...x,xy->...y", (2, 3, 4), (5,), (4, 2), (2, 5)),
    ],
)
def test_einsum_layers_answer_what_their_whole_kernel_does(equation, inputs, output, a, b):
    layer = keras.layers.EinsumDense(equation, output)
    x = RNG.normal(size=inputs).astype("float32")
    layer(x)
    add_low_rank(layer, LowRank(2, 3.0))
    assert (layer.lora_a.shape, layer.lora_b.shape) == (a, b)
    layer.lora_b.assign(RNG.normal(size=b))
    assert np.abs(merged(layer) - layer.base.numpy()).max() > 0.1
    np.testing.assert_allclose(layer(x), np.einsum(equation, x, merged(layer)), atol=1e-5)
    flat = np.tensordot(layer.lora_a, layer.lora_b, 1) * 1.5
    assert np.linalg.matrix_rank(flat.reshape(np.prod(a[:-1]), -1)) == 2
    np.testing.assert_allclose(np.sort((merged(layer) - layer.base.numpy()).ravel()), np.sort(flat.ravel()), atol=1e-6)


def test_a_convolution_by_hand():
    """Window 2, one channel: kernel (1, 2), A (3, 4), B 5, alpha / rank 2: the kernel of the answer is (1 + 30, 2 + 40)."""
    layer = keras.layers.Conv1D(1, 2, activation="relu")
    layer.build((None, 3, 1))
    layer.set_weights([np.reshape([1.0, 2.0], (2, 1, 1)), np.array([-100.0])])
    add_low_rank(layer, LowRank(1, 2.0))
    assert (layer.lora_a.shape, layer.lora_b.shape) == ((2, 1, 1), (1, 1))
    layer.lora_a.assign(np.reshape([3.0, 4.0], (2, 1, 1)))
    layer.lora_b.assign([[5.0]])
    np.testing.assert_allclose(merged(layer).ravel(), [31.0, 42.0])
    np.testing.assert_allclose(
        layer(np.reshape([1.0, 2.0, 0.0], (1, 3, 1))), [[[15.0], [0.0]]]
    )  # 31 + 84 - 100; 62 - 100


@pytest.mark.parametrize(
    ("kind", "settings", "shape"),
    [
        (keras.layers.Conv1D, {"kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (2, 7, 4)),
        (keras.layers.Conv2D, {"kernel_size": (3, 2), "strides": 2, "padding": "same"}, (2, 5, 6, 4)),
        (keras.layers.Conv2D, {"kernel_size": 1, "use_bias": False}, (2, 3, 3, 4)),
    ],
)
def test_convolutions_answer_what_the_plain_layer_does_with_their_whole_kernel(kind, settings, shape):
    layer = kind(5, **settings)
    x = RNG.normal(size=shape).astype("float32")
    before = layer(x).numpy()
    add_low_rank(layer, LowRank(2, 3.0))
    np.testing.assert_array_equal(layer(x), before)
    layer.lora_b.assign(RNG.normal(size=(2, 5)))
    plain = kind(5, **settings)
    plain.build(shape)
    plain.set_weights([merged(layer), *([layer.bias.numpy()] if layer.use_bias else [])])
    assert np.abs(layer(x) - before).max() > 0.1
    np.testing.assert_allclose(layer(x), plain(x), atol=1e-5)
    change = (merged(layer) - layer.base.numpy()).reshape(-1, 5)
    assert np.linalg.matrix_rank(change, tol=1e-4) == 2
    remove_low_rank(layer)
    assert type(layer) is kind
    np.testing.assert_array_equal(layer(x), before)


def test_a_kernel_that_is_no_matrix_is_left_alone():
    layer = keras.layers.EinsumDense("abc,bcd->abd", (3, 5))  # a kernel for each place b
    layer.build((2, 3, 4))
    assert not takes_low_rank(layer)
    groups, depthwise = keras.layers.Conv2D(4, 1, groups=2), keras.layers.DepthwiseConv2D(1)
    for layer in (groups, depthwise):
        layer.build((2, 3, 3, 4))
        assert not takes_low_rank(layer)
    assert not takes_low_rank(make_dense(kernel_constraint="non_neg"))
    assert not takes_low_rank(keras.layers.Dense(2))


@pytest.mark.parametrize("kind", [keras.layers.Embedding, keras_hub.layers.ReversibleEmbedding])
def test_an_embedding_by_hand(kind):
    """Row 1 of A is 2, B is (1, 10): row 1 of the table gets (2, 20), and the scores of the tied output follow."""
    layer = kind(3, 2, embeddings_initializer="ones")
    layer.build((None,))
    add_low_rank(layer, LowRank(1, 1.0))
    np.testing.assert_array_equal(layer.lora_a, np.zeros((3, 1)))
    layer.lora_a.assign([[0.0], [2.0], [0.0]])
    layer.lora_b.assign([[1.0, 10.0]])
    np.testing.assert_allclose(layer(np.array([[0, 1]])), [[[1.0, 1.0], [3.0, 21.0]]])
    np.testing.assert_allclose(layer.embeddings, [[1.0, 1.0], [3.0, 21.0], [1.0, 1.0]])
    if kind is keras_hub.layers.ReversibleEmbedding:
        np.testing.assert_allclose(layer(np.array([[1.0, 0.5]], "float32"), reverse=True), [[1.5, 13.5, 1.5]])


def test_dropout_is_on_the_input_of_a_alone():
    """K = 0, A and B one: each answer is the sum of those inputs that were kept, twice; without training all of them, once."""
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    layer.build((None, 3))
    add_low_rank(layer, LowRank(1, 1.0, dropout=0.5))
    layer.lora_a.assign(np.ones((3, 1)))
    layer.lora_b.assign(np.ones((1, 1, 1)))
    x = np.tile([[1.0, 10.0, 100.0]], (400, 1)).astype("float32")
    np.testing.assert_array_equal(layer(x), np.full((400, 1), 111.0))
    seen, counts = np.unique(layer(x, training=True), return_counts=True)
    assert seen.tolist() == [0.0, 2.0, 20.0, 22.0, 200.0, 202.0, 220.0, 222.0]
    assert counts.min() > 20  # 50 expected of each
    layer.base.assign(np.full((3, 1), 7.0))
    lowest = layer(x, training=True).numpy().min()
    assert lowest == 777.0  # the kernel's own part is never dropped


@pytest.mark.parametrize("layers", ["block_.*(query|intermediate)", "attention_output|output_dense"])
def test_dropout_works_in_the_training_path_of_our_blocks(layers):
    model = make_encoder(layers=1)
    enable_lora(model, 2, dropout=0.5, layers=layers)
    spread(model, 1.0)
    one, two = (model.backbone(TEXTS, training=True).numpy() for _ in range(2))
    assert np.abs(one - two).max() > 0.1
    np.testing.assert_array_equal(model.backbone(TEXTS), model.backbone(TEXTS))


@pytest.mark.parametrize(("make", "batch"), KINDS, ids=NAMES)
def test_gradients_equal_those_of_the_formula(make, batch):
    """dA = s dK B' and dB = s A' dK, with dK from the same model without LoRA that has the merged kernels; in training."""
    model, plain = make(), make()
    enable_lora(model, 2, alpha=3.0, layers="query|value|output|intermediate|embedding|conv")
    spread(model)
    plain.set_weights(merged_weights(model))

    def gradients(of, variables):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(3.0 * of(batch, training=True)))
        return [tf.convert_to_tensor(x).numpy() for x in tape.gradient(loss, [v.value for v in variables])]

    paths = {path.rpartition("/")[0] for path in lora_variables(model)}
    for path in paths:
        layer, other = find(model.backbone, path), find(plain.backbone, path)
        kernel = other.embeddings if isinstance(other, keras.layers.Embedding) else other.kernel
        (dk,) = gradients(plain, [kernel])
        da, db = gradients(model, [layer.lora_a, layer.lora_b])
        a, b = layer.lora_a.numpy(), layer.lora_b.numpy()
        if layer.low_rank.num_parts == 3:  # columns of query, key, value; all three are chosen here
            parts = np.split(dk, 3, axis=1)
            thirds = np.split(a, 3, axis=1)
            expected_a = np.concatenate([part @ b[i].T for i, part in enumerate(parts)], axis=1)
            expected_b = np.stack([thirds[i].T @ part for i, part in enumerate(parts)])
        else:
            matrix = dk.reshape(np.prod(a.shape[:-1]), -1)
            flat_a, flat_b = a.reshape(-1, 2), b.reshape(2, -1)
            expected_a, expected_b = matrix @ flat_b.T, flat_a.T @ matrix
        np.testing.assert_allclose(da, 1.5 * expected_a.reshape(a.shape), atol=2e-5, rtol=1e-4, err_msg=path)
        np.testing.assert_allclose(db, 1.5 * expected_b.reshape(b.shape), atol=2e-5, rtol=1e-4, err_msg=path)


def find(layer, path):
    for name in path.split("/"):
        layer = next(inner for inner in layer._layers if inner.name == name)
    return layer


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (make_encoder, ["block_0/query_key_value", "block_1/query_key_value"]),
        (make_vit, ["block_0/query_key_value"]),
        (
            make_bert,
            [f"transformer_layer_{i}/self_attention_layer/{name}" for i in (0, 1) for name in ("query", "value")],
        ),
    ],
    ids=NAMES[:3],
)
def test_queries_and_values_by_default(make, expected):
    model = make()
    rows = enable_lora(model, 2)
    assert [row.layer for row in rows] == expected
    settings = lora_settings(model)
    assert (settings.rank, settings.alpha, settings.dropout) == (2, 2.0, 0.0)
    assert {path.rpartition("/")[2] for path in settings.layers} == {"query", "value"}


@pytest.mark.parametrize(("make", "batch"), KINDS, ids=NAMES)
def test_exactly_lora_and_the_head_learn(make, batch):
    model = make()
    enable_lora(model, 2)
    names = {variable.name for variable in model.backbone.variables if variable.trainable}
    assert names == {"lora_a", "lora_b"}
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.compile(keras.optimizers.Adam(0.1, epsilon=1e-12))
    data = tf.data.Dataset.from_tensor_slices(batch | LABELS).batch(4)
    model.fit(data.repeat(3), shuffle=False, verbose=0)
    moved = {weight.path for weight in model.weights if not np.array_equal(weight, before[weight.path])}
    assert moved == {path for path in before if "lora" in path or "logits" in path}
    assert all("lora" in path or "logits" in path for path in [v.path for v in model.trainable_variables])


def make_mixed():
    """A backbone with BatchNormalization, whose statistics would move if it was not told to stay."""
    x = keras.Input((3,), name="images")
    hidden = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(4, name="first")(x))
    backbone = keras.Model({"images": x}, keras.layers.Dense(4, name="second")(hidden), name="backbone")
    logits = keras.layers.Dense(2, name="logits")(backbone({"images": x}))
    model = keras.Model({"images": x}, logits)
    model.backbone = backbone
    return model


def test_without_attention_all_dense_layers_change_and_statistics_stay():
    model = make_mixed()
    assert [row.layer for row in enable_lora(model, 1)] == ["first", "second"]
    model.compile("sgd", "mse")
    model.fit({"images": RNG.normal(3.0, 1.0, (8, 3))}, np.ones((8, 2)), verbose=0)
    np.testing.assert_array_equal(model.backbone.get_layer("norm").moving_mean, np.zeros(4))
    assert np.abs(model.backbone.get_layer("first").lora_b).max() > 0


def test_all_convolutions_by_default():
    assert [row.layer for row in enable_lora(make_cnn(), 2)] == [f"stage_{i}_conv_{j}" for i in (0, 1) for j in (0, 1)]


def make_depthwise():
    x = keras.Input((8, 8, 1), name="images")
    hidden = keras.layers.GroupNormalization(1)(keras.layers.DepthwiseConv2D(3)(x))
    model = keras.Model({"images": x}, hidden)
    model.backbone = keras.Model({"images": x}, hidden)
    return model


def test_table_by_hand():
    """A (8, 2) twice and B (2, 8) twice: 64; the head 8 x 2 + 2 = 18."""
    model = make_encoder(layers=1)
    rows = enable_lora(model, 2)
    assert rows == [LoraRow("block_0/query_key_value", 192, 64)]
    lines = format_lora(model).splitlines()
    assert lines[1].split() == ["block_0/query_key_value", "192", "64", "33.33%"]
    total = model.count_params()
    assert lines[-1] == f"64 of LoRA and 18 more learn: {82 / total:.2%} of {total:,} parameters"
    remove_lora(model)
    assert format_lora(model).splitlines()[1:] == [
        f"0 of LoRA and {total - 64:,} more learn: 100.00% of {total - 64:,} parameters"
    ]


def test_biases_go_on_learning_beside_lora():
    model = make_encoder(layers=1)
    freeze(model, "bias")
    biases = {variable.path for variable in model.backbone.trainable_variables}
    assert biases
    enable_lora(model, 2)
    lora = {variable.path for variable in lora_variables(model).values()}
    assert {variable.path for variable in model.backbone.variables if variable.trainable} == biases | lora


def test_frozen_layers_get_none():
    model = make_encoder()
    freeze(model, "2")  # embedding and first block
    assert [row.layer for row in enable_lora(model, 2)] == ["block_1/query_key_value"]
    model = make_encoder()
    freeze(model, "2")
    with pytest.raises(
        UsageError, match="'block_0' fits no layer that can take LoRA; there are block_1/query_key_value/query"
    ):
        enable_lora(model, 2, layers="block_0")


@pytest.mark.parametrize(
    ("make", "frozen", "settings", "message"),
    [
        (make_encoder, "all", {}, "no layer is left for LoRA: `frozen` holds all"),
        (
            make_encoder,
            "none",
            {"layers": "blok"},
            "'blok' fits no layer that can take LoRA; there are token_embedding, ",
        ),
        (make_encoder, "none", {"layers": "blok("}, "is not a regular expression"),
        (make_encoder, "none", {"rank": 0}, "LoRA needs a rank above 0"),
        (make_encoder, "none", {"dropout": 1.0}, r"a dropout in \[0, 1\), received 2, 0.0, 1.0"),
        (
            make_depthwise,
            "none",
            {},
            "Functional has none: its weights are in DepthwiseConv2D, GroupNormalization",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, frozen, settings, message):
    model = make()
    freeze(model, frozen)
    with pytest.raises(UsageError, match=message):
        enable_lora(model, **{"rank": 2} | settings)
    assert lora_settings(model) is None


def test_twice_is_refused():
    model = make_vit()
    enable_lora(model, 2)
    with pytest.raises(UsageError, match="has LoRA already: merge_lora or remove_lora first"):
        enable_lora(model, 2)


@pytest.mark.parametrize("layers", ["", "."], ids=["default", "everything"])
@pytest.mark.parametrize(("make", "batch"), KINDS, ids=NAMES)
def test_merging_changes_no_answer_and_leaves_nothing(make, batch, layers):
    model = make()
    names = [weight.path for weight in model.weights]
    enable_lora(model, 2, alpha=8.0, dropout=0.1, layers=layers)
    spread(model)
    expected = model.predict(batch, verbose=0)
    merge_lora(model)
    np.testing.assert_allclose(model.predict(batch, verbose=0), expected, atol=1e-5)
    assert [weight.path for weight in model.weights] == names
    assert all(weight.trainable for weight in model.weights)
    assert lora_settings(model) is None
    kinds = {type(layer).__module__ for layer in model._flatten_layers()}
    assert not [module for module in kinds if "low_rank" in module]
    dense = next(layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dense))
    assert "lora_rank" not in dense.get_config()
    children = [name for layer in model._flatten_layers() for name in layer._trackable_children()]
    assert not [name for name in children if "lora" in name]


def test_taking_lora_away_gives_the_start_back():
    model = make_encoder()
    before = model.predict(TEXTS, verbose=0)
    enable_lora(model, 2, layers=".")
    spread(model)
    assert np.abs(model.predict(TEXTS, verbose=0) - before).max() > 0.1  # predict holds no old function
    remove_lora(model)
    np.testing.assert_array_equal(model.predict(TEXTS, verbose=0), before)


def test_a_compiled_model_has_to_be_compiled_again():
    """An optimizer has slots for the variables that it was built with."""
    model = make_mixed()
    model.compile("sgd", "mse")
    enable_lora(model, 1)
    with pytest.raises(ValueError, match="compile"):
        model.fit({"images": np.ones((2, 3))}, np.ones((2, 2)), verbose=0)


@pytest.mark.parametrize("make", [make_encoder, make_mixed], ids=["inside a block", "in a functional model"])
def test_keras_own_files_are_refused(make, tmp_path):
    """Keras would write a kernel where the plain layer does not find it."""
    model = make()
    model.save_weights(tmp_path / "plain.weights.h5")
    enable_lora(model, 2)
    for save in (lambda: model.save(tmp_path / "model.keras"), lambda: model.save_weights(tmp_path / "x.weights.h5")):
        with pytest.raises(
            UsageError, match=r"has LoRA: write the model with training.presets.save_preset, .* or call"
        ):
            save()
    with pytest.raises((ValueError, UserWarning), match="4 variables|no matching group"):
        model.load_weights(tmp_path / "plain.weights.h5")


@pytest.mark.parametrize(
    ("make", "batch", "dtype"),
    [
        (make_encoder, TEXTS, "mixed_float16"),
        (make_bert, TEXTS, "mixed_bfloat16"),
        (make_cnn, IMAGES, "mixed_float16"),
    ],
)
def test_half_precision(make, batch, dtype):
    """The matrices stay float32 and get gradients; the answers are those of float32 but for rounding."""
    model, exact = make(dtype), make("float32")
    for one in (model, exact):
        enable_lora(one, 2, dropout=0.1, layers="query|value|output|embedding|conv")
    exact.set_weights(model.get_weights())
    spread(model)
    spread(exact)
    assert {variable.dtype for variable in lora_variables(model).values()} == {"float32"}
    np.testing.assert_allclose(model(batch), exact(batch), atol=0.1)
    check_learns(model, {name: tf.constant(x) for name, x in (batch | LABELS).items()})
    assert all(np.isfinite(variable).all() for variable in lora_variables(model).values())


@pytest.mark.parametrize("make", [lambda: make_encoder(layers=1), make_bert], ids=["text_encoder", "bert"])
def test_two_replicas_learn_what_one_learns(make):
    def build():
        model = make()
        enable_lora(model, 2)
        return model

    check_replicas(build, {name: tf.constant(x) for name, x in (TEXTS | LABELS).items()})


def test_tied_logits_of_a_language_model_see_lora_on_the_embedding():
    model = MaskedLM(TextEncoder(11, 1, num_heads=1, hidden_dim=4, intermediate_dim=4))
    enable_lora(model, 2, layers="token_embedding")
    spread(model)
    batch = {"token_ids": TEXTS["token_ids"], "padding_mask": TEXTS["padding_mask"]}
    inputs = batch | {"mask_positions": np.array([[1, 2]] * 4, "int32")}
    expected = model(inputs).numpy()
    merge_lora(model)
    np.testing.assert_allclose(model(inputs), expected, atol=1e-5)


@pytest.mark.oracle
def test_a_step_equals_one_in_pytorch():
    """y = x K + s dropout(x) A B + b, cross-entropy, and one step of SGD, written again in PyTorch."""
    torch = pytest.importorskip("torch")
    layer = keras.layers.Dense(3)
    x = RNG.normal(size=(5, 4)).astype("float32")
    layer(x)
    add_low_rank(layer, LowRank(2, 6.0))
    layer.lora_b.assign(RNG.normal(size=(1, 2, 3)))
    k, bias, a, b = (torch.tensor(weight.numpy(), requires_grad=True) for weight in layer.weights)
    labels = np.array([0, 2, 1, 1, 0])
    lora = torch.nn.functional.linear(torch.nn.functional.linear(torch.tensor(x), a.T), b[0].T)
    scores = torch.tensor(x) @ k.detach() + bias + 6.0 / 2 * lora
    torch.nn.functional.cross_entropy(scores, torch.tensor(labels)).backward()
    learning = [layer.lora_a, layer.lora_b, layer.bias]
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, layer(x, training=True))
        loss = tf.reduce_mean(losses)
    for mine, other in zip(tape.gradient(loss, [v.value for v in learning]), (a, b, bias), strict=True):
        np.testing.assert_allclose(mine, other.grad, atol=1e-6)
