"""Whether XLA is tried, and that trying leaves no trace."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.toys import ROWS, Toy, make_batches, make_run
from tfpretune.training import fit, make_strategy
from tfpretune.training.devices import jit
from tfpretune.training.devices.jit import choose_jit
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.run_variables import run_variables


def make_model():
    keras.utils.set_random_seed(3)
    model = Toy(0.5)
    model.compile(keras.optimizers.Adam(0.1))
    return model


@pytest.fixture
def worth_trying(monkeypatch):
    """Makes short runs worth a probe."""
    monkeypatch.setattr(jit, "WORTH_STEPS", 3)


def test_the_choice_is_the_users(worth_trying):
    model = make_model()
    assert choose_jit(model, make_batches(), "on", 1000)
    assert not choose_jit(model, make_batches(), "off", 1000)
    assert not choose_jit(model, make_batches(), "auto", 2)  # too short to win the time back
    assert not model.optimizer.built  # nothing was tried


@pytest.mark.parametrize(("seconds", "chosen"), [((0.0100, 0.0094), True), ((0.0100, 0.0096), False)])
def test_a_probe_leaves_no_trace(worth_trying, monkeypatch, capsys, seconds, chosen):
    """The steps are made, with XLA and without; what they took by the clock is 10 and 9.4 or 9.6 ms, and 5 % less is enough."""
    measure = jit._seconds_a_step

    def measured(model, batch, *, jit):
        assert measure(model, batch, jit=jit) > 0
        return seconds[jit]

    monkeypatch.setattr(jit, "_seconds_a_step", measured)
    model = make_model()
    model.optimizer.build(model.trainable_variables)
    before = {name: variable.numpy() for name, variable in run_variables(model).items()}
    assert choose_jit(model, make_batches(), "auto", 3) == chosen
    assert capsys.readouterr().out == f"XLA probe: 10.0 ms a step without, {seconds[1] * 1e3:.1f} ms with\n"
    for name, variable in run_variables(model).items():
        np.testing.assert_array_equal(variable, before[name], err_msg=name)
    assert float(model.term_metrics[0].result()) == 0.0


def test_what_xla_cannot_compile_leaves_no_trace_either(worth_trying, monkeypatch, capsys):
    measure = jit._seconds_a_step

    def fail(model, batch, *, jit):
        seconds = measure(model, batch, jit=False)
        if jit:
            raise tf.errors.UnimplementedError(None, None, "no kernel\nmore")
        return seconds

    monkeypatch.setattr(jit, "_seconds_a_step", fail)
    model = make_model()
    model.optimizer.build(model.trainable_variables)
    before = {name: variable.numpy() for name, variable in run_variables(model).items()}
    assert not choose_jit(model, make_batches(), "auto", 3)
    assert capsys.readouterr().out == "XLA cannot compile this model: no kernel\n"
    for name, variable in run_variables(model).items():
        np.testing.assert_array_equal(variable, before[name], err_msg=name)


def test_on_replicas_it_is_not_tried_but_may_be_asked_for():
    with make_strategy(2).scope():
        model = make_model()
    assert not choose_jit(model, make_batches(), "auto", 10**6)
    assert choose_jit(model, make_batches(), "on", 10)


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_compiled_step_learns_the_same(deterministic):
    """Keras refuses XLA where operations are deterministic, which every run of a recipe is."""
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    losses = []
    for compiled in (False, True):
        keras.utils.set_random_seed(3)
        model = Toy()
        model.compile(keras.optimizers.SGD(0.1), jit_compile=compiled)
        assert model.jit_compile == compiled
        data = tf.data.Dataset.from_tensor_slices(ROWS).batch(10)
        losses.append([model.fit(data, shuffle=False, verbose=0).history["loss"][0] for _ in range(3)])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert losses[0][2] < losses[0][0]


def test_a_resumed_run_keeps_its_choice(tmp_path, monkeypatch):
    """Timings differ from one day to the next; a run that began without XLA goes on without."""
    module = __import__("tfpretune.training.loop.preparation", fromlist=["choose_jit"])
    answers = [False]
    monkeypatch.setattr(module, "choose_jit", lambda *_: answers.pop())
    run = make_run(tmp_path, steps=1, jit="auto")
    for _ in range(2):
        fit(Toy(), make_batches(), run)
    assert CheckpointFolder(tmp_path / "checkpoints").progress(1)["jit"] is False
