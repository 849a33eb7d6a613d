"""`fit`: resume, refusals, the best and the last, early stopping, numbers that are none."""

import contextlib
import json
import signal

import filelock
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from tests.training.loop.toys import ROWS, Interrupt, Net, Toy, add_noise, make_batches, make_run
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import RunError, UsageError, passed_on
from tfpretune.settings.run import DevicesConfig
from tfpretune.training import fit, make_strategy
from tfpretune.training.devices.strategies import CrossWorkerSync
from tfpretune.training.loop.callbacks import ScalarLog
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.fit import _segments
from tfpretune.training.loop.saving import Checkpoints
from tfpretune.training.loop.signals import Stop
from tfpretune.training.optimizers.moving_averages import AverageWeights
from tfpretune.training.run_variables import run_variables


@pytest.fixture
def determinism():
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()


def make_model(dropout=0.5, seed=3):
    keras.utils.set_random_seed(seed)
    return Toy(dropout)


def values(model):
    return {name: variable.numpy() for name, variable in run_variables(model).items()}


def steps_on_disk(folder):
    return CheckpointFolder(folder / "checkpoints").steps()


def test_resume_gives_the_same_bits(tmp_path, determinism):
    """Nine steps with shuffling, noise and dropout: in one go; and stopped in step 6, saved at 4 and 8, begun again."""
    whole, first, second = make_model(), make_model(), make_model(seed=99)
    batches = make_batches()
    validation = make_batches(None).in_order()
    expected = fit(whole, batches, make_run(tmp_path / "whole"), validation=validation)
    with pytest.raises(KeyboardInterrupt):
        fit(first, batches, make_run(tmp_path / "cut"), validation=validation, callbacks=[Interrupt(6)])
    assert steps_on_disk(tmp_path / "cut") == [4]
    result = fit(second, batches, make_run(tmp_path / "cut"), validation=validation)
    assert (result.steps, result.best_step, result.best) == (9, expected.best_step, expected.best)
    for name, value in values(whole).items():
        np.testing.assert_array_equal(values(second)[name], value, err_msg=name)
    for name in ("loss", "val_loss", "gradient_norm", "learning_rate"):
        assert result.curves[name] == expected.curves[name]
    assert [step for step, _ in result.curves["loss"]] == list(range(1, 10))
    assert [step for step, _ in result.curves["val_loss"]] == [4, 8, 9]


def test_a_run_leaves_its_folder(tmp_path, capsys):
    result = fit(make_model(), make_batches(), make_run(tmp_path, steps=5), validation=make_batches(None).in_order())
    assert json.loads((tmp_path / "config.json").read_text())["batch_size"] == 4
    record = json.loads((tmp_path / "run.json").read_text())
    assert record == {
        "steps": 5,
        "seconds": result.seconds,
        "best_step": result.best_step,
        "best": result.best,
        "stopped_early": False,
    }
    assert [path.name[:6] for path in (tmp_path / "logs" / "train").iterdir()] == ["events"]
    assert steps_on_disk(tmp_path) == [4, 5]
    again = fit(make_model(), make_batches(), make_run(tmp_path, steps=5), validation=make_batches(None).in_order())
    assert "resumed from step 5 of 5" in capsys.readouterr().out
    assert (again.steps, again.best, again.curves) == (5, result.best, result.curves)


def test_other_settings_are_refused_with_the_list(tmp_path):
    fit(make_model(), make_batches(), make_run(tmp_path, steps=1))
    with pytest.raises(
        UsageError, match=r"other settings \(batch_size: 4 -> 5; optimizer.learning_rate: 0.05 -> 0.1\): choose another"
    ):
        fit(make_model(), make_batches(), make_run(tmp_path, steps=2, batch_size=5, learning_rate=0.1))
    with pytest.raises(UsageError, match="holds a run already: choose another `out_dir`, or `resume` auto"):
        fit(make_model(), make_batches(), make_run(tmp_path, steps=1, resume="never"))
    fewer = {name: column[:9] for name, column in ROWS.items()}
    with pytest.raises(UsageError, match="was started on 10 training rows, now there are 9"):
        fit(make_model(), make_batches(rows=fewer), make_run(tmp_path, steps=1))
    (tmp_path / "config.json").write_text('{"noise": 1}')
    with pytest.raises(UsageError, match=r"holds another kind of run \(.*unknown field 'noise'\)"):
        fit(make_model(), make_batches(), make_run(tmp_path, steps=1))


def test_a_folder_may_be_moved_and_the_interval_changed(tmp_path):
    fit(make_model(), make_batches(), make_run(tmp_path / "old", steps=2))
    (tmp_path / "old").rename(tmp_path / "new")
    assert fit(make_model(), make_batches(), make_run(tmp_path / "new", steps=2, save_every_steps=1)).steps == 2


def test_a_folder_in_use_is_refused(tmp_path):
    with filelock.FileLock(tmp_path / ".lock"), pytest.raises(UsageError, match="is in use by another run"):
        fit(make_model(), make_batches(), make_run(tmp_path))
    assert not (tmp_path / "config.json").exists()
    with pytest.raises(KeyboardInterrupt):
        fit(make_model(), make_batches(), make_run(tmp_path), callbacks=[Interrupt(1)])
    assert fit(make_model(), make_batches(), make_run(tmp_path)).steps == 9  # the lock was given back


def test_damage_costs_one_interval(tmp_path, capsys):
    run = make_run(tmp_path, steps=6, save_every_steps=2)
    expected = make_model()
    fit(expected, make_batches(), run)
    file = tmp_path / "checkpoints" / "step-00000006" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    model = make_model(seed=99)
    assert fit(model, make_batches(), run).steps == 6
    out = capsys.readouterr().out
    assert "step-00000006/state.safetensors is damaged" in out
    assert "resumed from step 4 of 6" in out
    assert steps_on_disk(tmp_path) == [4, 6]
    for name, value in values(expected).items():
        np.testing.assert_allclose(values(model)[name], value, atol=1e-6)


def test_patience_stops_and_survives_a_resume(tmp_path):
    """At a rate near 0 nothing gets better: the first of the intervals of 2 is the best, after two more the run stops."""
    run = make_run(tmp_path, steps=20, save_every_steps=2, learning_rate=1e-30)
    settings = {"validation": make_batches(None).in_order(), "patience": 2, "restore_best": True}
    for _ in range(2):  # the second call finds a run that is over
        result = fit(make_model(), make_batches(), run, **settings)
        assert (result.steps, result.best_step, result.stopped_early) == (6, 2, True)
        assert steps_on_disk(tmp_path) == [2, 4, 6]


def judge(folder, figures, *, progress=None, mode="min", patience=2):
    """Plays intervals of one step with the given validation metrics to the callback."""
    model = make_model()
    model.compile("sgd")
    model.build_optimizer()
    average, scalars = AverageWeights(), ScalarLog(None, 1)
    average.set_model(model)
    scalars.set_model(model)
    saver = Checkpoints(
        folder,
        interval=1,
        minutes=0,
        progress=progress or {},
        facts={"rows": 7},
        stop=Stop(),
        agreement=CrossWorkerSync(tf.distribute.get_strategy()),
        average=average,
        scalars=scalars,
    )
    saver.judge_by("val_loss", mode=mode, patience=patience)
    saver.set_model(model)
    model.stop_training = False
    with contextlib.closing(saver):
        for figure in figures:
            saver.on_train_batch_end(0)
            saver.on_epoch_end(0, {"val_loss": figure})
            if model.stop_training:
                break
    return saver


def test_best_and_waiting_by_hand(tmp_path):
    """3, 2, 2 (no better), 1 (best, step 4), 5, 6: two in a row without a better one end it."""
    folder = CheckpointFolder(tmp_path)
    saver = judge(folder, [3.0, 2.0, 2.0, 1.0, 5.0, 6.0, 0.0])
    assert (saver.best, saver.best_step, saver.step, saver.out_of_patience) == (1.0, 4, 6, True)
    assert folder.steps() == [4, 5, 6]
    expected = {"rows": 7, "best": 1.0, "best_step": 4, "waited": 1, "step": 5, "evaluated": True, "metrics": []}
    assert folder.progress(5) == expected | {"curves": {}}
    again = judge(folder, [5.0, 0.5], progress=folder.progress(5))
    assert (again.best_step, again.step, again.out_of_patience) == (4, 6, True)


def test_best_of_max_and_no_patience(tmp_path):
    saver = judge(CheckpointFolder(tmp_path), [0.1, 0.3, 0.2, 0.2, 0.2], mode="max", patience=0)
    assert (saver.best, saver.best_step, saver.step, saver.out_of_patience) == (0.3, 2, 5, False)
    with pytest.raises(ValueError, match="mode must be min or max, received 'maximum'"):
        judge(CheckpointFolder(tmp_path), [], mode="maximum")


def test_a_validation_figure_that_is_no_number_is_not_saved(tmp_path):
    folder = CheckpointFolder(tmp_path)
    with pytest.raises(RunError, match="step 2: val_loss is nan: not saved"):
        judge(folder, [1.0, float("nan")])
    assert folder.steps() == [1]


def test_restore_best_ends_with_the_best_weights(tmp_path):
    """Where the highest loss counts as the best, it is the first checkpoint's."""
    run = make_run(tmp_path, steps=6, save_every_steps=2)
    model = make_model(0.0)
    validation = make_batches(None).in_order()
    result = fit(model, make_batches(), run, validation=validation, mode="max", restore_best=True)
    assert (result.steps, result.best_step) == (6, 2)
    np.testing.assert_allclose(model.evaluate(validation, verbose=0, return_dict=True)["loss"], result.best, rtol=1e-6)


def test_not_a_number_stops_the_run(tmp_path):
    """Row 3 is not a number; all checkpoints are from before the step that drew it."""
    rows = {name: column.copy() for name, column in ROWS.items()}
    rows["y"][3] = np.nan
    batches = make_batches(rows=rows)
    bad = next(step for step, batch in enumerate(batches.from_step(0, 9), 1) if np.isnan(batch["y"]).any())
    with pytest.raises(RunError, match=rf"step {bad}: gradient_norm is nan; .* the last checkpoint is unharmed"):
        fit(make_model(), batches, make_run(tmp_path, save_every_steps=1))
    assert max(steps_on_disk(tmp_path), default=0) == bad - 1
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_rate_that_blows_up_stops_the_run(tmp_path, name):
    run = make_run(tmp_path, learning_rate=1e20, optimizer={"name": name, "clip_norm": 0.0})
    with pytest.raises(RunError, match=r"step [23]: (gradient_norm|loss) is (inf|nan)"):
        fit(make_model(0.0), make_batches(), run)
    assert steps_on_disk(tmp_path) == []


def test_float16_skips_steps_that_overflow(tmp_path):
    """The gradient of a guess is 2 * 10 / 4 = 5, times the first loss scale of 2^15 beyond 65,504: the scale is halved."""
    rows = {"x": ROWS["x"], "y": np.full(10, 10.0, "float32")}
    model = Toy(dtype="mixed_float16")
    result = fit(model, make_batches(rows=rows), make_run(tmp_path, steps=8, learning_rate=1e-3))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert result.steps == 8
    assert 0 < int(model.optimizer.iterations) < 8
    assert steps_on_disk(tmp_path) == [4, 8]


def test_two_replicas_learn_and_resume_as_one(tmp_path):
    """Without dropout: the same weights after a cut in step 3, rows split 2 and 2 or 1 and 1."""
    one, two, resumed = make_model(0.0), None, None
    fit(one, make_batches(), make_run(tmp_path / "one", steps=4, save_every_steps=2))
    strategy = make_strategy(2)
    run = make_run(tmp_path / "two", steps=4, save_every_steps=2)
    with strategy.scope():
        two, resumed = make_model(0.0), make_model(0.0, seed=99)
    with pytest.raises(KeyboardInterrupt):
        fit(two, make_batches(), run, callbacks=[Interrupt(3)])
    fit(resumed, make_batches(), run)
    for name, value in values(one).items():
        np.testing.assert_allclose(values(resumed)[name], value, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("step", "total", "legs"),
    [
        (0, 9, [(0, 4, 2), (8, 1, 1)]),
        (0, 8, [(0, 4, 2)]),
        (0, 3, [(0, 3, 1)]),
        (4, 9, [(4, 4, 1), (8, 1, 1)]),
        (2, 9, [(2, 2, 1), (4, 4, 1), (8, 1, 1)]),
        (2, 3, [(2, 1, 1)]),
        (9, 9, []),
    ],
)
def test_saves_fall_on_multiples_of_the_interval(step, total, legs):
    assert _segments(step, total, 4) == legs


def test_so_many_checkpoints_stay(tmp_path):
    fit(make_model(), make_batches(), make_run(tmp_path, save_every_steps=2, keep_checkpoints=3))
    assert steps_on_disk(tmp_path) == [6, 8, 9]


def test_epochs_may_change_and_the_run_goes_on(tmp_path):
    fit(make_model(), make_batches(), make_run(tmp_path, steps=2))
    assert fit(make_model(), make_batches(), make_run(tmp_path, steps=6)).steps == 6


def test_what_the_run_is_about_may_not_change(tmp_path):
    fit(make_model(), make_batches(), make_run(tmp_path, steps=1), identity={"class_names": ("cat", "dog"), "size": 3})
    with pytest.raises(
        UsageError, match=r'does not fit this run \(class_names: \["cat", "dog"\] -> \["cat", "cow"\]\)'
    ):
        fit(make_model(), make_batches(), make_run(tmp_path), identity={"class_names": ("cat", "cow"), "size": 3})


def test_a_rehearsal_gives_way_to_the_real_run(tmp_path, capsys):
    assert fit(make_model(), make_batches(), make_run(tmp_path, fast=True)).steps == 3
    assert fit(make_model(), make_batches(), make_run(tmp_path, batch_size=5)).steps == 9
    assert "the rehearsal in" in capsys.readouterr().out
    assert steps_on_disk(tmp_path) == [8, 9]
    with pytest.raises(UsageError, match="holds a real run: rehearse in another `out_dir`"):
        fit(make_model(), make_batches(), make_run(tmp_path, fast=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accumulate_steps": 5}, "`accumulate_steps` 5: a replica has 4 rows of the batch"),
        ({"steps_per_execution": 3}, "`steps_per_execution` 3 does not divide `save_every_steps` 4"),
        ({"steps_per_execution": 2}, "`steps_per_execution` 2 does not divide the number of steps, 9"),
        ({"steps_per_execution": 2, "steps": 8, "skip_bad_steps": 1}, "`skip_bad_steps` needs `steps_per_execution` 1"),
    ],
)
def test_what_does_not_go_together_is_refused_before_the_first_step(tmp_path, settings, message):
    with pytest.raises(UsageError, match=message):
        fit(make_model(), make_batches(), make_run(tmp_path, **settings))
    assert steps_on_disk(tmp_path) == []


class Signal(keras.callbacks.Callback):
    """Sends this process a signal at the end of a training step, or of the first test step after it."""

    def __init__(self, number, after, *, in_test=False):
        super().__init__()
        self.number, self.left, self.in_test = number, after, in_test

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0 and not self.in_test:
            signal.raise_signal(self.number)

    def on_test_batch_end(self, batch, logs=None):
        if self.left <= 0 and self.in_test:
            self.in_test = False
            signal.raise_signal(self.number)


@pytest.mark.parametrize(
    ("number", "after", "in_test", "saved"),
    [
        (signal.SIGINT, 3, False, [3]),
        (signal.SIGTERM, 4, False, [4]),
        (signal.SIGTERM, 6, False, [4, 6]),
        (signal.SIGINT, 4, True, [4]),
    ],
)
def test_a_signal_saves_and_the_run_goes_on_with_the_same_bits(tmp_path, determinism, number, after, in_test, saved):
    validation = make_batches(None).in_order()
    optimizer = {"optimizer": {"ema": 0.9}}
    whole, cut, resumed = make_model(), make_model(), make_model(seed=99)
    expected = fit(whole, make_batches(), make_run(tmp_path / "whole", **optimizer), validation=validation)
    run = make_run(tmp_path / "cut", **optimizer)
    with pytest.raises(SystemExit) as stopped:
        fit(cut, make_batches(), run, validation=validation, callbacks=[Signal(number, after, in_test=in_test)])
    assert stopped.value.code == 128 + number
    assert steps_on_disk(tmp_path / "cut") == saved
    result = fit(resumed, make_batches(), run, validation=validation)
    assert (result.best, result.best_step, result.steps) == (expected.best, expected.best_step, 9)
    for name, value in values(whole).items():
        np.testing.assert_array_equal(values(resumed)[name], value, err_msg=name)
    for name in ("loss", "squared", "gradient_norm", "val_loss"):
        assert result.curves[name] == expected.curves[name]


def test_the_minutes_end_a_run_after_a_save(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        fit(make_model(), make_batches(), make_run(tmp_path, max_minutes=1e-9))
    assert stopped.value.code == 143
    assert "the minutes are over: saved after step 1" in capsys.readouterr().out
    assert fit(make_model(), make_batches(), make_run(tmp_path)).steps == 9


def test_minutes_save_between_the_intervals(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(make_model(), make_batches(), make_run(tmp_path, save_every_minutes=1e-9), callbacks=[Interrupt(3)])
    assert steps_on_disk(tmp_path) == [1, 2]


def test_a_bad_step_is_left_out_and_another_batch_taken(tmp_path, capsys):
    """Row 3 is not a number in step `bad` only, so one roll-back is enough; without the option the run ends there."""
    rows = {"x": ROWS["x"], "y": ROWS["y"]}

    def poison(batch, seed):
        return add_noise(batch, seed) | {"y": tf.where(seed[1] == 5, np.nan, batch["y"])}

    batches = StepIndexed(rows, 4, seed=5, transform=poison)
    result = fit(make_model(), batches, make_run(tmp_path, skip_bad_steps=1))
    assert result.steps == 9
    assert "warning: step 6: gradient_norm is nan; went back to step 4, step 6 is left out" in capsys.readouterr().out
    assert CheckpointFolder(tmp_path / "checkpoints").progress(9)["skipped"] == [5]
    assert [step for step, _ in result.curves["loss"]] == list(range(1, 10))
    with pytest.raises(RunError, match="step 6: gradient_norm is nan"):
        fit(make_model(), batches, make_run(tmp_path / "strict"))


def test_the_cap_on_bad_steps_holds(tmp_path):
    batches = make_batches(lambda batch, seed: batch | {"y": tf.where(seed[1] >= 2, np.nan, batch["y"])})
    with pytest.raises(RunError, match="is nan"):
        fit(make_model(), batches, make_run(tmp_path, skip_bad_steps=2))
    assert CheckpointFolder(tmp_path / "checkpoints").steps() == [0]


def test_the_average_is_evaluated_and_kept(tmp_path):
    """Decay 0.5 over three SGD steps by hand: a1 = w1, a = a / 2 + w / 2; training itself is the same without it."""
    plain, averaged, weights = make_model(0.0), make_model(0.0), []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: weights.append(plain.get_layer("out").kernel.numpy())
    )
    fit(plain, make_batches(), make_run(tmp_path / "plain", steps=3), callbacks=[record])
    result = fit(
        averaged,
        make_batches(),
        make_run(tmp_path / "averaged", steps=3, optimizer={"ema": 0.5}),
        validation=make_batches(None).in_order(),
    )
    average = weights[0]
    for weight in weights[1:]:
        average = 0.5 * average + 0.5 * weight
    np.testing.assert_allclose(averaged.get_layer("out").kernel, average, rtol=1e-5)
    evaluated = averaged.evaluate(make_batches(None).in_order(), verbose=0, return_dict=True)
    np.testing.assert_allclose(evaluated["loss"], result.best, rtol=1e-6)


def test_means_over_replicas_cannot_be_compiled(tmp_path):
    with make_strategy(2).scope():
        model = Net()
    run = make_run(tmp_path, jit="on", devices=DevicesConfig(replicas=2))
    with pytest.raises(UsageError, match="`jit` on: low_norm takes its means over all 2 replicas, which XLA cannot"):
        fit(model, make_batches(), run)
    assert not (tmp_path / "checkpoints").exists()


def test_several_steps_in_one_call_learn_the_same(tmp_path):
    one, four = make_model(), make_model()
    fit(one, make_batches(), make_run(tmp_path / "one", steps=8))
    fit(four, make_batches(), make_run(tmp_path / "four", steps=8, steps_per_execution=4))
    for name, value in values(one).items():
        np.testing.assert_allclose(values(four)[name], value, atol=1e-6, err_msg=name)


def test_a_file_that_breaks_leaves_a_saved_run_that_goes_on(tmp_path, determinism, capsys):
    """One that the first step does not need; with the file the run ends with the same bits."""
    broken = f"{next(row for row in range(10) if row not in make_batches().rows(0))}.png"

    def batches_with(missing):
        def load(row):
            there = tf.debugging.Assert(row["file"] != missing, ["broken"])
            with tf.control_dependencies([there] if there is not None else []):
                return row | {"x": tf.identity(row["x"])}

        files = np.array([f"{row}.png" for row in range(10)])
        batches = StepIndexed(ROWS | {"file": files}, 4, seed=5, load=load, transform=add_noise)
        first = [step for step in range(9) if missing in files[batches.rows(step)]]
        return batches, first[0] if first else 9

    whole, cut, again = make_model(), make_model(), make_model(seed=99)
    fit(whole, batches_with("")[0], make_run(tmp_path / "whole"))
    batches, first = batches_with(broken)
    with pytest.raises(tf.errors.OpError) as error:
        fit(cut, batches, make_run(tmp_path / "cut", save_every_steps=100))
    assert str(passed_on(error.value)).startswith(f"{broken}: gone, broken")
    assert steps_on_disk(tmp_path / "cut") == [first]
    assert f"saved after step {first}; the same command goes on from there" in capsys.readouterr().out
    assert first > 0
    fit(again, batches_with("")[0], make_run(tmp_path / "cut", save_every_steps=100))
    for name, value in values(whole).items():
        np.testing.assert_array_equal(values(again)[name], value, err_msg=name)
