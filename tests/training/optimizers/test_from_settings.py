"""Settings to optimizers; what decays and what does not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import VisionTransformer
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training.optimizers.from_settings import make_optimizer
from tfpretune.training.optimizers.multi_rate import MultiRateAdagrad, MultiRateAdamW, MultiRateSGD


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw", MultiRateAdamW),
        ("adam", MultiRateAdamW),
        ("sgd", MultiRateSGD),
        ("adagrad", MultiRateAdagrad),
    ],
)
def test_each_name_gives_its_optimizer(name, kind):
    optimizer = make_optimizer(OptimizerConfig(name=name, learning_rate=0.5, warmup=0.5, schedule="linear"), 8)
    assert type(optimizer) is kind
    variable = keras.Variable([1.0], name="kernel")
    optimizer.build([variable])
    rates = []
    for _ in range(6):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([tf.constant([1.0])])
    np.testing.assert_allclose(rates, [0.125, 0.25, 0.375, 0.5, 0.5, 0.375])
    assert float(variable[0]) < 1.0


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "adagrad"])
def test_bias_and_norm_do_not_decay(name):
    """Without a gradient a kernel shrinks by rate * decay = 0.1 * 0.5 and the rest stays: also the positions of a ViT."""
    vit = VisionTransformer((4, 4, 1), 2, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4)
    before = {}
    for variable in vit.trainable_variables:
        variable.assign(tf.ones_like(variable))
        before[variable.path] = variable.numpy()
    config = OptimizerConfig(name=name, learning_rate=0.1, warmup=0.0, schedule="constant", weight_decay=0.5)
    optimizer = make_optimizer(config, 10)
    optimizer.build(vit.trainable_variables)
    optimizer.apply([tf.zeros_like(variable) for variable in vit.trainable_variables])
    shrunk = {v.path for v in vit.trainable_variables if np.allclose(v, 0.95)}
    assert shrunk == {path for path in before if path.endswith("kernel")}
    assert all(np.allclose(v, 1.0) for v in vit.trainable_variables if v.path not in shrunk)


@pytest.mark.parametrize(("name", "step"), [("sgd", 1.0), ("adam", 1.0), ("adamw", 1.0), ("adagrad", 1 / 1.1**0.5)])
def test_factors_of_layers_and_of_the_settings_are_multiplied(name, step):
    """The first step is rate * factor * gradient: 0.1, times 0.5 of the layer, times 3 of the settings.

    AdaGrad divides it by the root of 0.1, where its sum begins, and the gradient's square 1."""
    config = OptimizerConfig(name=name, learning_rate=0.1, warmup=0.0, weight_decay=0.0, multipliers=(("x", 3.0),))
    optimizer = make_optimizer(config, 10, rate_factors=(("x|y", 0.5),))
    variables = [keras.Variable([1.0], name=name) for name in ("x", "y", "z")]
    optimizer.build(variables)
    optimizer.apply([tf.constant([1.0])] * 3)
    np.testing.assert_allclose(np.ravel(variables), [1 - 0.15 * step, 1 - 0.05 * step, 1 - 0.1 * step], atol=1e-5)


def test_a_trained_model_can_be_exported_with_its_optimizer(tmp_path):
    x = keras.Input((2,), name="x")
    model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile(make_optimizer(OptimizerConfig(multipliers=(("kernel", 2.0),)), 10), "mse")
    model.train_on_batch(np.ones((1, 2)), np.ones((1, 1)))
    model.export(str(tmp_path / "model"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "model"))  # the functions live no longer than this object
    np.testing.assert_allclose(loaded.serve(np.ones((1, 2), "float32")), model(np.ones((1, 2))), atol=1e-6)


OPTIONS = [
    {"learning_rate": 0.02},
    {"schedule": "linear"},
    {"warmup": 0.5},
    {"weight_decay": 0.5},
    {"ema": 0.5},
    {"swa": 0.25},
    {"multipliers": (("kernel", 2.0),)},
]


def after_three_steps(name, **options):
    """What is kept: the average, where there is one, else the weights."""
    settings = {"learning_rate": 0.1, "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0} | options
    optimizer = make_optimizer(OptimizerConfig(name=name, **settings), 4)
    kernel = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    optimizer.build([kernel])
    step = tf.function(lambda: optimizer.apply([tf.constant([[1.0, 2.0], [-1.0, 0.5]])]))
    for _ in range(3):
        step()
    return (optimizer._model_variables_moving_average[0] if optimizer.use_ema else kernel).numpy()


@pytest.mark.parametrize("option", ["name", "schedule"])
def test_names_that_there_are_not_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} must be one of .*, received 'rmsprop'"):
        make_optimizer(OptimizerConfig(**{option: "rmsprop"}), 10)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "adagrad"])
def test_no_option_is_accepted_and_ignored(name):
    """Clipping is the objective's: tests/objectives/test_base.py."""
    plain = after_three_steps(name)
    for option in OPTIONS:
        assert np.abs(after_three_steps(name, **option) - plain).max() > 1e-4, option
