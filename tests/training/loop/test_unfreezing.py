"""Gradual unfreezing in whole runs: bitwise the head-only run before a boundary, and one optimizer all the way."""

import keras
import keras_hub
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from tests.training.loop.toys import ROWS, Interrupt, Net, make_batches, make_run
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import UsageError
from tfpretune.finetune import GradualUnfreezing, freeze
from tfpretune.finetune.methods.lora import enable_lora
from tfpretune.objectives import Objective, Term
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import fit, make_strategy
from tfpretune.training.devices.memory_estimate import memory_estimate
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.trials import start_like, train_briefly
from tfpretune.training.run_variables import run_variables

HEAD, HIGH = {"out"}, {"out", "high"}
ALL = HIGH | {"low", "low_norm"}


def make_model(every_steps=3, *, frozen="none", dropout=0.3, seed=3, dtype=None):
    keras.utils.set_random_seed(seed)
    model = Net(dropout, dtype)
    freeze(model, frozen)
    if every_steps:
        GradualUnfreezing(model, every_steps=every_steps)
    return model


def values(model):
    return {name: variable.numpy() for name, variable in run_variables(model).items()}


def saved(folder, step):
    """The arrays of a checkpoint; optimizer slots without their numbers, so that a run with fewer of them can be compared."""
    arrays = safetensors.numpy.load_file(folder / "checkpoints" / f"step-{step:08d}" / "state.safetensors")
    return {name if name.startswith("model") else "/".join(name.split("/")[::2]): a for name, a in arrays.items()}


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


class Learning(keras.callbacks.Callback):
    """Which layers learn in each step."""

    def __init__(self):
        super().__init__()
        self.layers = []

    def on_train_batch_end(self, batch, logs=None):
        self.layers.append({variable.path.split("/")[-2] for variable in self.model.trainable_variables})


VARIANTS = {
    "adamw": {},
    "ema": {"optimizer": {"ema": 0.9}},
    "swa": {"optimizer": {"swa": 0.2}},
    "parts": {"accumulate_steps": 2},
    "fewest_parts": {"accumulate_steps": 0},
    "jit": {"jit": "on"},
    "several_steps": {"steps_per_execution": 3, "save_every_steps": 3},
}


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_until_a_boundary_it_is_the_head_only_run_bitwise(tmp_path, settings):
    """Weights, statistics, the head's moments and averages, the rate and all figures; after it the backbone moves."""
    settings = {"save_every_steps": 1, "keep_checkpoints": 9} | settings
    validation, learning = make_batches(None).in_order(), Learning()
    run = make_run(tmp_path / "gradual", **settings)
    result = fit(make_model(), make_batches(), run, validation=validation, callbacks=[learning])
    only_head = make_run(tmp_path / "head", **settings)
    expected = fit(make_model(0, frozen="all"), make_batches(), only_head, validation=validation)
    three = 1 if "steps_per_execution" in settings else 3  # calls between two boundaries
    assert learning.layers == [HEAD] * three + [HIGH] * three + [ALL] * three
    found, wanted = saved(tmp_path / "gradual", 3), saved(tmp_path / "head", 3)
    assert_same({name: found[name] for name in wanted}, wanted)
    for name in ("loss", "val_loss", "gradient_norm", "learning_rate"):
        until = [point for point in expected.curves[name] if point[0] <= 3]
        assert until
        assert [point for point in result.curves[name] if point[0] <= 3] == until
    if "optimizer/low_kernel_average" in found:  # still the weights themselves, not rounded six times
        average = saved(tmp_path / "gradual", 6)["optimizer/low_kernel_average"]
        np.testing.assert_array_equal(average, found["model/00000/kernel"])
    start, sixth, last = found, saved(tmp_path / "gradual", 6), saved(tmp_path / "gradual", 9)
    moved = [{name for name in start if not np.array_equal(now[name], start[name])} for now in (sixth, last)]
    low = {name for name in start if "low" in name} | {f"model/{number:05d}/{kind}" for number, kind in enumerate(LOW)}
    assert not moved[0] & low
    assert moved[1] >= {name for name in low if name.startswith("model")}
    assert {"model/00006/kernel", "model/00009/kernel"} <= moved[0]


LOW = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")


class Product(Objective):
    """(a b x - y)^2 with b in the backbone: both gradients by hand."""

    term_names = ("squared",)

    def __init__(self):
        x = keras.Input((1,), name="x")
        below = keras.layers.Dense(1, use_bias=False, name="b")(x)
        backbone = keras_hub.models.Backbone(inputs={"x": x}, outputs=below, name="backbone")
        inputs = {"x": keras.Input((1,), name="x")}
        super().__init__(inputs=inputs, outputs=keras.layers.Dense(1, use_bias=False, name="a")(backbone(inputs)))
        self.backbone = backbone
        self.add_term_metrics()

    def terms(self, batch, training):
        error = self({"x": batch["x"]}, training=training)[:, 0] - batch["y"]
        return {"squared": Term(tf.reduce_sum(tf.square(error)), tf.size(error))}


def product_by_hand(name, steps, every, *, rate=0.1, decay=0.2, clip=0.5):
    """SGD with momentum, or Adam(W) with moments as old as the variable has learnt, of a and b, both 0.5 at first."""
    beta, epsilon = (0.999, 1e-7) if name == "adam" else (0.98, 1e-6)
    values, slots = {"a": 0.5, "b": 0.5}, {"a": (0.0, 0.0, 0), "b": (0.0, 0.0, 0)}
    for step in range(steps):
        rate_now, slope = rate * (1.0 - step / steps), 2.0 * (values["a"] * values["b"] - 1.0)
        gradients = {"a": slope * values["b"]} | ({"b": slope * values["a"]} if step >= every else {})
        norm = np.sqrt(sum(g**2 for g in gradients.values()))
        for key, g in gradients.items():
            g *= min(1.0, clip / norm)
            m, v, age = slots[key]
            values[key] *= 1.0 - rate_now * decay
            if name == "sgd":
                m = 0.9 * m - rate_now * g
                values[key] += m
            else:
                age, m, v = age + 1, 0.9 * m + 0.1 * g, beta * v + (1 - beta) * g**2
                step_size = rate_now * np.sqrt(1 - beta**age) / (1 - 0.9**age)
                values[key] -= step_size * m / (np.sqrt(v) + epsilon)
            slots[key] = m, v, age
    return values


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_product_by_hand(tmp_path, name, replicas):
    """Momentum and schedule go on over the boundary, decay and clipping leave out what waits, new moments begin at 0."""
    settings = {"name": name, "weight_decay": 0.2, "clip_norm": 0.5, "schedule": "linear"}
    run = make_run(tmp_path, learning_rate=0.1, steps=8, optimizer=settings)
    with make_strategy(replicas).scope():
        model = Product()
        GradualUnfreezing(model, every_steps=3)
        for layer in (model.get_layer("a"), model.backbone.get_layer("b")):
            layer.kernel.assign([[0.5]])
    fit(model, StepIndexed({"x": np.ones((4, 1), "float32"), "y": np.ones(4, "float32")}, 4), run)
    expected = product_by_hand(name, 8, 3)
    np.testing.assert_allclose(model.get_layer("a").kernel.numpy(), [[expected["a"]]], rtol=1e-5)
    np.testing.assert_allclose(model.backbone.get_layer("b").kernel.numpy(), [[expected["b"]]], rtol=1e-5)


@pytest.mark.parametrize("cuts", [[(3, 1)], [(2, 1), (5, 2)]], ids=["at", "before and after"])
def test_resume_before_at_and_after_a_boundary_gives_the_same_bits(tmp_path, cuts):
    """Steps 3 and 6 are boundaries; what is cut in step 5 goes on from 4."""
    whole = make_model()
    fit(whole, make_batches(), make_run(tmp_path / "whole", optimizer={"ema": 0.9}))
    expected = values(whole)
    for cut, every in cuts:
        run = make_run(tmp_path / str(cut), save_every_steps=every, optimizer={"ema": 0.9})
        with pytest.raises(KeyboardInterrupt):
            fit(make_model(), make_batches(), run, callbacks=[Interrupt(cut + 1)])
        assert CheckpointFolder(tmp_path / str(cut) / "checkpoints").steps()[-1] == cut // every * every
        again = make_model(seed=99)
        fit(again, make_batches(), run)
        assert_same(values(again), expected)


def test_two_replicas_learn_what_one_learns(tmp_path):
    found = []
    for replicas in (1, 2):
        keras.utils.set_random_seed(3)
        with make_strategy(replicas).scope():
            model = Net()
            GradualUnfreezing(model, every_steps=3)
        validation = make_batches(None).in_order()
        run = make_run(tmp_path / str(replicas), learning_rate=0.01, optimizer={"ema": 0.9})
        found.append((fit(model, make_batches(), run, validation=validation), values(model)))
    (one, one_values), (two, two_values) = found
    np.testing.assert_allclose(two.curves["val_loss"], one.curves["val_loss"], atol=1e-5)
    for name, value in one_values.items():
        np.testing.assert_allclose(two_values[name], value, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("every", [1, 2])
def test_a_bad_step_behind_a_boundary_goes_back_before_it(tmp_path, capsys, every):
    """The first step of the second stage is bad: back to step 3, the boundary itself, or to 2; both end the same."""
    bad = tf.constant(3)
    batches = make_batches(lambda batch, seed: batch | {"y": tf.where(seed[1] == bad, np.nan, batch["y"])})
    ends, learning = [], Learning()
    for folder, interval in (("a", every), ("b", 9)):
        run = make_run(tmp_path / folder, save_every_steps=interval, skip_bad_steps=1)
        model = make_model()
        fit(model, batches, run, callbacks=[learning])
        ends.append(values(model))
    assert_same(ends[0], ends[1])
    back = 3 // every * every
    assert f"step 4: gradient_norm is nan; went back to step {back}, step 4 is left out" in capsys.readouterr().out
    good = [HEAD] * 3 + [HIGH] * 3 + [ALL] * 3
    assert (
        learning.layers[: 3 + 9 - back] == good[:3] + good[back:]
    )  # three, the bad one, then from where it went back to


def test_the_best_of_an_earlier_stage_is_put_back(tmp_path):
    """The highest loss is that of step 2, when only the head learnt; the averages of that step are kept."""
    model, validation = make_model(), make_batches(None).in_order()
    run = make_run(tmp_path, save_every_steps=2, learning_rate=0.01, optimizer={"ema": 0.5})
    result = fit(model, make_batches(), run, validation=validation, mode="max", restore_best=True)
    assert (result.steps, result.best_step) == (9, 2)
    evaluated = model.evaluate(validation, verbose=0, return_dict=True)
    np.testing.assert_allclose(evaluated["loss"], result.best, rtol=1e-6)


def test_float16_counts_steps_not_updates(tmp_path):
    """Inputs of 1e4 overflow at the first scales: those steps are skipped, and still count."""
    rows = ROWS | {"y": ROWS["y"] * 1e4}
    model, learning = make_model(2, dropout=0.0, dtype="mixed_float16"), Learning()
    fit(model, make_batches(None, rows), make_run(tmp_path, steps=6), callbacks=[learning])
    assert model.optimizer.iterations.numpy() < 6
    assert learning.layers == [HEAD] * 2 + [HIGH] * 2 + [ALL] * 2


def test_keras_own_fit_takes_it_among_the_callbacks():
    """Two calls of `fit` go on counting."""
    model, learning = make_model(2), Learning()
    model.compile("adamw")
    for _ in range(2):
        model.fit(make_batches().from_step(0, 3), callbacks=[model.unfreezing, learning], shuffle=False, verbose=0)
    assert learning.layers == [HEAD] * 2 + [HIGH] * 2 + [ALL] * 2


def test_an_optimizer_that_was_built_for_the_head_alone_is_refused():
    model = make_model(2)
    model.compile("adamw")
    model.optimizer.build(model.trainable_variables)
    with pytest.raises(ValueError, match=r"leave it to Objective\.build_optimizer"):
        model.fit(make_batches().from_step(0, 1), callbacks=[model.unfreezing], shuffle=False, verbose=0)


def test_what_is_frozen_stays_for_ever_and_the_rest_unfreezes(tmp_path):
    model, learning = make_model(2, frozen="low$"), Learning()
    fit(model, make_batches(), make_run(tmp_path, steps=5), callbacks=[learning])
    assert learning.layers == [HEAD] * 2 + [HIGH] * 2 + [HIGH | {"low_norm"}]
    assert not [name for name in values(model) if "low_kernel" in name]  # no slots either


def test_steps_per_execution_must_divide_the_interval(tmp_path):
    run = make_run(tmp_path, steps=8, steps_per_execution=2, save_every_steps=2)
    with pytest.raises(
        UsageError, match=r"`steps_per_execution` 2 does not divide `GradualUnfreezing\(every_steps\)` 3"
    ):
        fit(make_model(), make_batches(), run)
    assert not CheckpointFolder(tmp_path / "checkpoints").steps()
    model = make_model()
    model.compile("adamw", steps_per_execution=2)
    with pytest.raises(UsageError, match="`steps_per_execution` 2 does not divide"):
        model.fit(make_batches().from_step(0, 4), callbacks=[model.unfreezing], shuffle=False, verbose=0)


def test_a_run_that_ends_before_all_learn_says_so(tmp_path, capsys):
    fit(make_model(), make_batches(), make_run(tmp_path, steps=6))
    assert "warning: the run is over after 6 steps, before low … low_norm would learn" in capsys.readouterr().out


def test_with_lora_its_matrices_wait_like_the_rest(tmp_path):
    """Blocks learn one after the other, each with nothing but its A and B; kernels stay for ever."""
    keras.utils.set_random_seed(3)
    model = Net()
    enable_lora(model, 2, layers="low$|high$")
    end = {variable.path for variable in model.trainable_variables}
    GradualUnfreezing(model, every_steps=2)
    kernels = [layer.base.numpy() for layer in map(model.backbone.get_layer, ("low", "high"))]
    names = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: names.append({v.path for v in model.trainable_variables})
    )
    fit(model, make_batches(), make_run(tmp_path, steps=5), callbacks=[record])
    high, head = ({path for path in end if f"{layer}/" in path} for layer in ("high", "out"))
    assert {path.split("/")[-1] for path in high} == {"lora_a", "lora_b"}
    assert names == [head] * 2 + [head | high] * 2 + [end]
    for kernel, layer in zip(kernels, ("low", "high"), strict=True):
        np.testing.assert_array_equal(model.backbone.get_layer(layer).base, kernel)


def test_a_trial_on_the_same_network_begins_with_the_head_again():
    """The second trial ends with the bits of the first."""
    tf.config.experimental.enable_op_determinism()
    model = make_model(2)
    start, ends = make_model(0), []
    for _ in range(2):
        start_like(model, start)
        train_briefly(model, make_batches(), OptimizerConfig(ema=0.5, warmup=0.0), steps=5)
        ends.append(values(model))
    assert_same(ends[1], ends[0])


def test_a_dry_run_shows_the_stages_and_counts_the_slots_of_all(capsys, tmp_path):
    model = make_model(2)
    describe(model, make_batches(), make_run(tmp_path))
    assert "0  head" in capsys.readouterr().out
    fixed, _ = memory_estimate(model, "adamw", 4)
    assert fixed == memory_estimate(make_model(0), "adamw", 4)[0]
