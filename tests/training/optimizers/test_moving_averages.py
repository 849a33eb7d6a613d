"""The equal average of the weights: its value by hand, what is evaluated when, resume, replicas, BatchNormalization."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from tests.training.loop.toys import ROWS, Interrupt, Toy, make_batches, make_run
from tfpretune.errors import UsageError
from tfpretune.finetune.methods.normalization import refresh_normalization
from tfpretune.objectives import Objective, Term
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import fit, make_strategy
from tfpretune.training.optimizers.from_settings import make_optimizer
from tfpretune.training.optimizers.moving_averages import AverageWeights
from tfpretune.training.run_variables import run_variables

SWA = {"optimizer": {"swa": 0.5, "schedule": "constant"}}
PLAIN = {"optimizer": {"schedule": "constant"}}


@pytest.fixture
def determinism():
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()


class NormToy(Objective):
    """Guesses y from normalised x; squared error."""

    term_names = ("squared",)

    def __init__(self, frozen=False, dropout=0.5):
        x = keras.Input((3,), name="x")
        normal = keras.layers.BatchNormalization(name="norm", trainable=not frozen)(x)
        hidden = keras.layers.Dropout(dropout, seed=2)(keras.layers.Dense(4, name="hidden")(normal))
        second = keras.layers.BatchNormalization(name="second", trainable=not frozen)(hidden)
        super().__init__(inputs={"x": x}, outputs=keras.layers.Dense(1, name="out")(second))
        self.add_term_metrics()

    def terms(self, batch, training):
        guesses = self({"x": batch["x"]}, training=training)
        return {"squared": Term(tf.reduce_sum(tf.square(guesses[:, 0] - batch["y"])), tf.size(batch["y"]))}


def make_model(kind=Toy, dropout=0.0, seed=3):
    keras.utils.set_random_seed(seed)
    return kind(dropout=dropout)


def values(model):
    return {name: variable.numpy() for name, variable in run_variables(model).items()}


def recorder(model, weights):
    return keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: weights.append([v.numpy() for v in model.trainable_variables])
    )


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_it_is_the_mean_of_the_weights_of_each_step(tmp_path, name):
    """8 steps, share 1/2: the weights after steps 5, 6, 7 and 8, each a quarter; training itself is the same without it."""
    plain, averaged, weights = make_model(), make_model(), []
    settings = {"name": name, "schedule": "constant"}
    fit(
        plain,
        make_batches(),
        make_run(tmp_path / "a", steps=8, optimizer=settings),
        callbacks=[recorder(plain, weights)],
    )
    run = make_run(tmp_path / "b", steps=8, optimizer=settings | {"swa": 0.5})
    result = fit(averaged, make_batches(), run, validation=make_batches(None).in_order())
    for value, steps in zip(averaged.trainable_variables, zip(*weights[4:], strict=True), strict=True):
        np.testing.assert_allclose(value, np.mean(steps, axis=0), atol=1e-6)
    assert abs(weights[7][0] - averaged.trainable_variables[0].numpy()).max() > 1e-3  # not the last weights
    evaluated = averaged.evaluate(make_batches(None).in_order(), verbose=0, return_dict=True)
    np.testing.assert_allclose(evaluated["loss"], result.curves["val_loss"][-1][1], rtol=1e-6)


def test_before_the_start_the_weights_themselves_are_evaluated(tmp_path):
    """Steps 2 and 4 of 8 are before it or at it: the same figures as without; steps 6 and 8 have others."""
    curves = []
    for name, settings in {"plain": PLAIN, "averaged": SWA}.items():
        run = make_run(tmp_path / name, steps=8, save_every_steps=2, **settings)
        found = fit(make_model(), make_batches(), run, validation=make_batches(None).in_order())
        curves.append(found.curves["val_loss"])
    plain, averaged = curves
    assert averaged[:2] == plain[:2]
    assert all(a != b for a, b in zip(averaged[2:], plain[2:], strict=True))


@pytest.mark.parametrize(
    ("settings", "begun"),
    [(SWA, [False, False, True, True]), ({"optimizer": {"ema": 0.9}}, [True] * 4), (PLAIN, [True] * 4)],
)
def test_it_says_when_what_is_evaluated_is_what_would_be_kept(tmp_path, settings, begun):
    """Evaluated after steps 2, 4, 6 and 8; the equal average holds the weights after step 5 first."""
    model, average, found = make_model(), AverageWeights(), []
    average.set_model(model)
    run = make_run(tmp_path, steps=8, save_every_steps=2, **settings)
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: found.append(average.begun))
    fit(model, make_batches(), run, validation=make_batches(None).in_order(), callbacks=[record])
    assert found == begun


def test_what_is_evaluated_before_the_average_begins_is_never_the_best(tmp_path):
    """Figures 9, 8, 2, 1 after steps 2, 4, 6 and 8: kept is the mean of the weights after steps 5 and 6. Nor does it wait."""
    model, weights, figures = make_model(), [], iter([9.0, 8.0, 2.0, 1.0])
    score = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_score=next(figures)))
    result = fit(
        model,
        make_batches(),
        make_run(tmp_path, steps=8, save_every_steps=2, **SWA),
        validation=make_batches(None).in_order(),
        callbacks=[recorder(model, weights), score],
        monitor="val_score",
        mode="max",
        patience=1,
        restore_best=True,
    )
    assert (result.best_step, result.best) == (6, 2.0)
    for value, steps in zip(model.trainable_variables, zip(*weights[4:6], strict=True), strict=True):
        np.testing.assert_allclose(value, np.mean(steps, axis=0), atol=1e-6)


def test_a_cut_inside_the_averaging_gives_the_same_bits(tmp_path, determinism):
    whole, first, second = make_model(dropout=0.5), make_model(dropout=0.5), make_model(dropout=0.5, seed=99)
    settings = {"steps": 12, "save_every_steps": 2, **SWA}
    validation = make_batches(None).in_order()
    expected = fit(whole, make_batches(), make_run(tmp_path / "whole", **settings), validation=validation)
    with pytest.raises(KeyboardInterrupt):
        fit(first, make_batches(), make_run(tmp_path / "cut", **settings), callbacks=[Interrupt(9)])
    result = fit(second, make_batches(), make_run(tmp_path / "cut", **settings), validation=validation)
    assert int(second.optimizer.averaged_steps.numpy()) == 6
    for name, value in values(whole).items():
        np.testing.assert_array_equal(values(second)[name], value, err_msg=name)
    assert result.curves["val_loss"][-2:] == expected.curves["val_loss"][-2:]


def test_two_replicas_average_as_one(tmp_path):
    one = make_model()
    fit(one, make_batches(), make_run(tmp_path / "one", steps=4, **SWA))
    with make_strategy(2).scope():
        two = make_model()
    fit(two, make_batches(), make_run(tmp_path / "two", steps=4, **SWA))
    assert int(two.optimizer.averaged_steps.numpy()) == 2
    for name, value in values(one).items():
        np.testing.assert_allclose(values(two)[name], value, atol=1e-6, err_msg=name)


def test_a_run_that_is_shortened_averages_what_is_left(tmp_path):
    """Stopped in step 5 of 20 (start 10), and then 6 steps in all (start 3): the weights after step 6 alone are averaged
    with those after step 5, not with four that were never added."""
    model, weights = make_model(), []
    with pytest.raises(KeyboardInterrupt):
        fit(
            make_model(),
            make_batches(),
            make_run(tmp_path, steps=20, save_every_steps=4, **SWA),
            callbacks=[Interrupt(5)],
        )
    run = make_run(tmp_path, steps=6, save_every_steps=4, **SWA)
    fit(model, make_batches(), run, callbacks=[recorder(model, weights)])
    assert int(model.optimizer.averaged_steps.numpy()) == len(weights) == 2
    for value, steps in zip(model.trainable_variables, zip(*weights, strict=True), strict=True):
        np.testing.assert_allclose(value, np.mean(steps, axis=0), atol=1e-6)


def test_a_loss_scale_does_not_hide_the_average(tmp_path):
    model = Toy(dtype="mixed_float16")
    fit(model, make_batches(), make_run(tmp_path, steps=8, learning_rate=1e-3, **SWA))
    inner = model.optimizer.inner_optimizer
    averages = [average.numpy() for average in inner._model_variables_moving_average]
    assert 0 < int(inner.averaged_steps.numpy()) <= 4
    for weight, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(weight, average)


def test_the_number_of_steps_is_one_variable_of_the_optimizer():
    optimizer = make_optimizer(OptimizerConfig(swa=0.5), 8)
    optimizer.build([keras.Variable([1.0], name="kernel")])
    assert [variable.name for variable in optimizer.variables].count("averaged_steps") == 1


def batches_of(rows, size):
    return tf.data.Dataset.from_tensor_slices(rows).batch(size)


def test_statistics_by_hand():
    """The first layer's are mean and variance of all 10 rows, the second's those of its own inputs; 4, 4 and 2 rows count."""
    model = NormToy(dropout=0.0)
    assert refresh_normalization(model, batches_of(ROWS, 4)) == 2
    norm = model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, ROWS["x"].mean(0), atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, ROWS["x"].var(0), atol=1e-6)
    assert norm.momentum == 0.99
    refresh_normalization(model, batches_of(ROWS, 10))
    hidden = model.get_layer("hidden")(norm(ROWS["x"])).numpy()
    np.testing.assert_allclose(model.get_layer("second").moving_mean, hidden.mean(0), atol=1e-5)
    np.testing.assert_allclose(model.get_layer("second").moving_variance, hidden.var(0), atol=1e-5)


def test_frozen_statistics_stay():
    model = NormToy(frozen=True)
    assert refresh_normalization(model, None) == 0
    np.testing.assert_array_equal(model.get_layer("norm").moving_mean, np.zeros(3))
    with pytest.raises(ValueError, match="expected at least one batch to take statistics of, received none"):
        refresh_normalization(NormToy(), [])


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_kept_model_has_the_statistics_of_its_average(tmp_path, determinism, replicas):
    """And to look at them on the way changes nothing: the weights and the dropout of a run without validation."""
    found = []
    for name, validation in (("without", None), ("with", make_batches(None).in_order())):
        with make_strategy(replicas).scope():
            model = make_model(NormToy, dropout=0.5)
        run = make_run(tmp_path / name, steps=8, save_every_steps=3, **SWA)
        result = fit(model, make_batches(), run, validation=validation)
        found.append(values(model))
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, atol=0 if replicas == 1 else 1e-6, err_msg=name)
    evaluated = model.evaluate(validation, verbose=0, return_dict=True)
    np.testing.assert_allclose(evaluated["loss"], result.curves["val_loss"][-1][1], rtol=1e-5)
    seen = np.concatenate([batch["x"] for batch in make_batches().from_step(0, 3)])  # the noise is part of the training
    np.testing.assert_allclose(model.get_layer("norm").moving_mean, seen.mean(0), atol=1e-6)


def test_without_batches_the_statistics_stay():
    model = make_model(NormToy)
    model.compile(make_optimizer(OptimizerConfig(ema=0.5), 8))
    model.optimizer.build(model.trainable_variables)
    average = AverageWeights()
    average.set_model(model)
    average.put_in()
    np.testing.assert_array_equal(model.get_layer("norm").moving_mean, np.zeros(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"swa": 1.0}, r"--optimizer.swa must be in \[0, 1\), received 1.0"),
        ({"swa": 0.5, "ema": 0.9}, "--optimizer.swa and --optimizer.ema are two averages of the weights: give one"),
    ],
)
def test_settings_that_cannot_work(settings, message):
    with pytest.raises(UsageError, match=message):
        OptimizerConfig(**settings)
