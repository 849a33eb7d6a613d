"""Each private hook is there and does what it is used for: an upgrade that removes one fails here, by its name."""

import ast
import inspect
from pathlib import Path

import keras
import keras_hub
import pytest
import tensorflow as tf

import tfpretune
from tfpretune.runtime import keras_internals
from tfpretune.training import make_strategy

FOLDER = Path(tfpretune.__file__).parent
NOT_PRIVATE = {"_asdict", "_replace", "_exit"}  # of tuples and os
ARGPARSE = {"_option_string_actions"}  # of the standard library, in cli/arguments.py


def make_model():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="inner")], name="outer")
    x = keras.Input((3,), name="x")
    hidden = keras.layers.Dropout(0.5, name="drop")(inner(x))
    return keras.Model({"x": x}, keras.layers.BatchNormalization(name="norm")(hidden))


@pytest.mark.parametrize(("owner", "name"), [(o, n) for o, names in keras_internals.OVERRIDDEN.items() for n in names])
def test_hooks_that_are_overridden_or_called_on_self(owner, name):
    optimizer = keras.optimizers.AdamW(1e-3)
    optimizer.build([keras.Variable([1.0])])
    made = {
        "keras.Model": make_model(),
        "keras.Layer": keras.layers.Dense(1),
        "keras.optimizers.AdamW": optimizer,
        "keras_hub.tokenizers.WordPieceTokenizer": keras_hub.tokenizers.WordPieceTokenizer(["[UNK]", "a"]),
    }[owner]
    if name == "_jit_compile":
        made.compile("sgd", jit_compile=False)
        assert made._jit_compile is False
    assert hasattr(made, name)


def test_layers():
    model = make_model()
    names = [layer.name for layer in keras_internals.all_layers(model, include_self=False)]
    assert {"outer", "inner", "drop", "norm"} <= set(names)
    assert keras_internals.all_layers(model)[0] is model
    direct = keras_internals.all_layers(model, include_self=False, recursive=False)
    assert "inner" not in [layer.name for layer in direct]
    assert "drop" in [layer.name for layer in keras_internals.inner_layers(model)]


@pytest.mark.parametrize("name", ["albert", "vit", "deit", "dinov2", "swin_transformer"])
def test_converters_of_hugging_face(name):
    converter = keras_internals.hugging_face_converter(name)
    assert issubclass(converter.backbone_cls, keras_hub.models.Backbone)
    assert list(inspect.signature(converter.convert_backbone_config).parameters)[0] == "transformers_config"
    assert list(inspect.signature(converter.convert_weights).parameters)[:2] == ["backbone", "loader"]


def test_variables_and_seeds():
    model = make_model()
    norm, dense = model.get_layer("norm"), model.get_layer("outer").get_layer("inner")
    norm.trainable = dense.trainable = False
    assert [v.name for v in keras_internals.own_trainable_variables(dense)] == ["kernel", "bias"]
    assert [v.name for v in keras_internals.own_statistics(norm)] == ["moving_mean", "moving_variance"]
    assert len(keras_internals.seed_generators(model.get_layer("drop"))) == 1


def test_parts_of_a_built_layer_may_change():
    layer = keras.layers.Dense(1)
    layer.build((None, 1))
    with pytest.raises(ValueError, match="cannot add new elements"):
        layer.more = keras.layers.Dropout(0.1)
    with keras_internals.may_change_parts(layer):
        layer.more = keras.layers.Dropout(0.1)
    assert layer.more in keras_internals.inner_layers(layer)
    with keras_internals.may_change_parts(layer):
        keras_internals.forget(layer, layer.more)
    assert keras_internals.inner_layers(layer) == []


def test_histories():
    model = make_model()
    operation, node, _ = keras_internals.history_of(model.output)
    assert operation is model.get_layer("norm")
    assert keras_internals.inbound_nodes(operation)[node].input_tensors[0] is model.get_layer("drop").output
    keras_internals.set_history(model.output, keras_internals.history_of(model.output))
    assert keras_internals.history_of(model.output)[0] is operation


def test_averages():
    weight = keras.Variable([1.0])
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer.build([weight])
    optimizer.apply([tf.constant([1.0])])
    (average,) = keras_internals.averages_of(optimizer)
    assert float(average[0]) == 0.0  # Keras 3.15 begins at the first step's weight, 1 - 1
    keras_internals.set_averages(optimizer, [None])
    assert keras_internals.averages_of(optimizer) == [None]
    seen = []
    keras_internals.set_update_of_averages(optimizer, seen.append)
    optimizer.apply([tf.constant([1.0])])
    assert seen[0][0] is weight


def test_rates():
    optimizer = keras.optimizers.SGD(0.5)
    kept = keras_internals.rate_of(optimizer)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.25, 10, 0.5)
    keras_internals.set_rate(optimizer, schedule)
    assert float(optimizer.learning_rate) == 0.25
    keras_internals.set_rate(optimizer, kept)
    assert float(optimizer.learning_rate) == 0.5


def test_parts_of_a_transformer():
    layer = keras_hub.layers.TransformerEncoder(8, 2)
    layer.build((None, 4, 4))
    parts = keras_internals.transformer_parts(layer)
    assert parts.intermediate.units == 8
    assert parts.output.units == 4
    assert hasattr(parts.attention, "query_dense")
    assert isinstance(parts.attention_norm, keras.layers.LayerNormalization)
    assert isinstance(parts.output_norm, keras.layers.LayerNormalization)


def test_replicas():
    strategy = make_strategy(2)
    assert [keras_internals.replica_number(strategy, index) for index in range(2)] == [0, 1]
    assert keras_internals.worker_count(strategy) == 1


def test_no_other_module_reaches_into_others():
    """`self._x` is a class's own or a hook of the list above; `other._x` stands in `keras_internals` alone, or is our own."""
    ours, reached = set(), {}
    trees = {path: ast.parse(path.read_text("utf-8")) for path in FOLDER.rglob("*.py")}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                ours.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                ours |= {node.attr} if ast.unparse(node.value) in ("self", "cls", "model", "found") else set()
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                ours.add(node.id)
    hooks = {name for names in keras_internals.OVERRIDDEN.values() for name in names}
    for path, tree in trees.items():
        if path.name == "keras_internals.py":
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
                continue
            own = ast.unparse(node.value) in ("self", "cls", "super()")
            known = hooks if own else ARGPARSE if path.name == "arguments.py" else set()
            if node.attr not in ours | NOT_PRIVATE | known:
                reached[f"{path.relative_to(FOLDER)}:{node.lineno}"] = node.attr
    assert reached == {}
