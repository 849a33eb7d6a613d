"""A search for settings on tiny presets: what is drawn, what ends early, fails, goes on, and the winner's command."""

import dataclasses
import itertools
import os
import shlex
import signal
import sys

import keras
import pytest

from tests.faults.tiny import make_encoder, write_presets
from tests.recipes.test_recipes import FOLDER, load, run_recipe
from tests.training.tensorboard.test_run import events
from tfpretune import training
from tfpretune.cli import arguments as cli
from tfpretune.errors import RunError, UsageError
from tfpretune.search.options import base_settings, options_of, parse_pairs
from tfpretune.search.report import trials_table, winners_command
from tfpretune.search.space import make_space
from tfpretune.search.state import EARLY, WHOLE, Outcome, SearchResult
from tfpretune.search.trials import Budget, open_recipe, search
from tfpretune.settings import launch
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training import FitResult
from tfpretune.training.loop.signals import Stopped

optuna = pytest.importorskip("optuna")

EVERY = ("learning_rate", "dropout", "frozen", "lora_rank", "l2_sp", "layer_decay", "r_drop")
TEXT = ("steps=6", "save-every-steps=3", "batch-size=8", "sequence-length=16", "window-length=8", "precision=float32")
IMAGE = (
    "steps=4",
    "save-every-steps=2",
    "batch-size=8",
    "precision=float32",
    "labels-per-class=4",
    "choose-on-validation=true",
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    write_presets(folder)
    return folder


def space_of(backbone, searched=EVERY, rates=(1e-5, 1e-2), **base):
    run = FinetuneConfig(**{"source": "x", "out_dir": "y", "preset": "z", "steps": 2, **base})
    return make_space(run, searched, rates=rates, backbone=backbone)


def draws(space, number):
    """Settings of random draws, with what was asked for."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(number):
        trial = study.ask()
        yield space.settings(trial), trial.params


# What is drawn


@pytest.mark.parametrize(
    "base",
    [
        {},
        {"frozen": "all", "cache_features": True},
        {"unfreeze_every": 1},
        {"optimizer": OptimizerConfig(name="adam")},
        {"from_scratch": True},
        {"r_drop": 0.5, "backbone_dropout": 0.0},
    ],
)
def test_every_draw_is_accepted(base):
    """FinetuneConfig refuses what makes no sense when it is made: none of 200 draws raises."""
    found = [run for run, _ in draws(space_of(make_encoder(), **base), 200)]
    assert not [run for run in found if run.lora_rank and (run.l2_sp or run.frozen == "all")]
    assert not [run for run in found if run.cache_features and run.frozen != "all"]
    assert any(run.lora_rank for run in found) != base.get("from_scratch", False)
    assert any(run.frozen == "all" for run in found) == ("unfreeze_every" not in base)
    assert any(run.layer_decay < 1 for run in found)


def test_all_values_come_and_all_lie_in_their_ranges():
    backbone = make_encoder()
    depth = sum(bool(layer.weights) for layer in backbone.layers)
    found = [run for run, _ in draws(space_of(backbone), 200)]
    assert {run.frozen for run in found} == {"none", "all", *map(str, range(1, depth))}
    assert all(1e-5 <= run.optimizer.learning_rate <= 1e-2 for run in found)
    assert all(run.lora_rank == 0 or 2 <= run.lora_rank <= 32 for run in found)
    assert all(run.l2_sp == 0 or 1e-4 <= run.l2_sp <= 1 for run in found)
    for name in ("lora_rank", "l2_sp", "r_drop"):
        assert {bool(getattr(run, name)) for run in found} == {False, True}
    assert all(float(f"{run.l2_sp:.2g}") == run.l2_sp for run in found)


def test_lora_is_drawn_only_where_a_layer_is_left_for_it():
    """No convolution of one channel by itself takes LoRA; of an encoder the layers above what is frozen."""
    x = keras.Input((8, 8, 1))
    depthwise = keras.layers.DepthwiseConv2D(3)(x)
    assert space_of(keras.Model(x, depthwise), ("lora_rank", "l2_sp")).left_out == ["lora_rank"]
    encoder = make_encoder()
    space = space_of(encoder, ("frozen", "lora_rank"))
    block = [layer.name for layer in encoder.layers if layer.weights].index("block_0")
    assert space.lora_beside == {"none", *map(str, range(1, block + 1))}
    fixed = space_of(make_encoder(), ("frozen",), lora_rank=2)
    assert fixed.deepest == block
    assert all(run.lora_rank == 2 for run, _ in draws(fixed, 20))


def test_the_first_trial_is_the_base():
    base = {"frozen": "1", "l2_sp": 0.0123, "dropout": 0.3, "optimizer": OptimizerConfig(learning_rate=0.000317)}
    space = space_of(make_encoder(), **base)
    trial = optuna.trial.FixedTrial(space.first())
    assert space.settings(trial) == space.base
    all_frozen = space_of(make_encoder(), frozen="all", cache_features=True)
    assert all_frozen.settings(optuna.trial.FixedTrial(all_frozen.first())) == all_frozen.base
    outside = space_of(make_encoder(), frozen="last:1", optimizer=OptimizerConfig(learning_rate=1.0))
    assert not {"frozen", "learning_rate"} & outside.first().keys()


# The command line


@pytest.mark.parametrize("name", ["finetune_text", "finetune_image"])
def test_a_command_makes_the_settings_again(name):
    config_class = load(name).Config
    base = parse_pairs(config_class, ["steps=7", "balance_classes=true", "frozen=last:1"])
    space = make_space(base, EVERY, rates=(1e-5, 1e-2), backbone=make_encoder())
    for run, _ in itertools.islice(draws(space, 8), 8):
        command = winners_command(Outcome(0, run, 0.5, WHOLE, 1.0), recipe=name, out_dir="runs/a b")
        words = shlex.split(command)
        assert words[:3] == ["tfpretune", "run", name]
        assert launch.parse(config_class, words[3:]) == dataclasses.replace(run, out_dir="runs/a b")


def test_options_of_every_kind_of_value():
    config_class = load("finetune_image").Config
    optimizer = OptimizerConfig(multipliers=(("logits", 3.0), ("block_[01]", 0.5)), schedule="linear")
    run = config_class(
        optimizer=optimizer, image_size=(8, 16), deterministic=False, backbone_dropout=0.2, epochs=2.0, steps=0
    )
    assert launch.parse(config_class, options_of(run)) == run
    assert options_of(config_class()) == []
    none = config_class(optimizer=OptimizerConfig())
    assert launch.parse(config_class, options_of(none)) == none
    text = load("finetune_text").Config
    bare = text(optimizer=OptimizerConfig())  # no multipliers, where the recipe has some
    assert launch.parse(text, options_of(bare)) == bare


def test_pairs(capsys):
    config_class = load("finetune_text").Config
    run = parse_pairs(
        config_class, ["source=csv:my file.csv", "--init-head-from-probe=false", "optimizer.multipliers=a 2 b 3"]
    )
    assert (run.source, run.init_head_from_probe) == ("csv:my file.csv", False)
    assert run.optimizer.multipliers == (("a", 2.0), ("b", 3.0))
    for pair, message in (("steps", "expected NAME=VALUE"), ("probe-head=perhaps", "expected true or false")):
        with pytest.raises(UsageError, match=message):
            parse_pairs(config_class, [pair])
    own = {"source": "a.csv", "text_column": ("Review Text", "title"), "delimiter": ";"}
    run = base_settings(config_class, own, ["delimiter=tab", "steps=7"], fast=True)
    assert (run.text_column, run.delimiter, run.steps) == (("Review Text", "title"), "tab", 7)
    with pytest.raises(SystemExit):
        parse_pairs(config_class, ["stpes=3"])
    assert "did you mean --steps?" in capsys.readouterr().err


# Trials, with a training that is played


@dataclasses.dataclass
class Played:
    """A recipe whose validation metrics are given: `curves[trial]`, of which one may be an exception."""

    curves: list
    runs: list = dataclasses.field(default_factory=list)
    after: int = 0
    mode: str = "max"
    identity: dict | None = None

    def main(self, run):
        training.fit(None, None, run, monitor="val_accuracy", mode=self.mode, identity=self.identity, played=self)
        self.after += 1


def play(model, batches, run, *, monitor, mode, played, identity, callbacks=()):
    """Stands where `fit` does: calls the callbacks as Keras would."""
    del model, batches, identity
    curve = played.curves[len(played.runs)]
    played.runs.append(run)
    best = None
    for callback in callbacks:
        callback.on_train_begin()
    for figure in curve:
        if isinstance(figure, BaseException):
            raise figure
        if callable(figure):
            figure()
            continue
        best = figure if best is None else (max if mode == "max" else min)(best, figure)
        for callback in callbacks:
            callback.on_epoch_end(0, {monitor: figure})
    return FitResult(len(curve), 1.0, 1, best, {}, False)


@pytest.fixture
def played_fit(monkeypatch):
    monkeypatch.setattr(training, "fit", play)


def make(played, folder, trials, **own):
    space = space_of(make_encoder(), ("learning_rate", "l2_sp"))
    return search(played.main, space, folder, budget=Budget(trials), **own)


@pytest.mark.usefixtures("played_fit")
def test_trials_end_whole_early_or_failed(tmp_path, capsys):
    """The fifth lags behind the median of four from its second interval on; the sixth has no number; the seventh is best."""
    curves = [
        [0.5, 0.6],
        [0.5, 0.7],
        [0.6, 0.5],
        [0.4, 0.6],
        [0.1, 0.2, 0.9],
        [0.5, RunError("step 3: nan")],
        [0.9, 0.8],
    ]
    played = Played(curves)
    found = make(played, tmp_path, 7)
    assert [one.ended for one in found.outcomes] == [WHOLE] * 4 + [EARLY, "step 3: nan", WHOLE]
    assert [one.figure for one in found.outcomes] == [0.6, 0.7, 0.6, 0.6, 0.2, None, 0.9]
    assert (found.best.number, found.monitor, found.mode, found.stopped) == (6, "val_accuracy", "max", False)
    assert played.after == 0  # what follows the fit is left out
    tried = [dataclasses.replace(run, out_dir="y", folds="auto") for run in played.runs]  # each on the validation set
    assert tried == [one.settings for one in found.outcomes]
    assert len({run.optimizer.learning_rate for run in played.runs}) == 7
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].startswith("trial 4: 0.2, ended early (learning_rate ")
    assert lines[5].startswith("trial 5: failed: step 3: nan (")
    table = trials_table(found, space_of(make_encoder(), ("learning_rate", "l2_sp")))
    assert [row[0] for row in table.rows] == ["6", "1", "0", "2", "3", "4", "5"]
    assert table.note.startswith("5 whole, 1 ended early, 1 failed")
    pages = {path.name for path in (tmp_path / "logs").iterdir()}
    assert pages == {"000", "001", "002", "003", "004", "006"}
    figures = [
        (tag, float(a)) for _, tag, a, kind in events(tmp_path / "logs/006/hparams") if kind.plugin_name == "scalars"
    ]
    assert figures == [("val_accuracy", pytest.approx(0.9))]


@pytest.mark.usefixtures("played_fit")
def test_nothing_ends_early_without_pruning_and_a_loss_is_to_fall(tmp_path):
    found = make(Played([[0.5, 0.6]] * 4 + [[9.0, 9.0, 0.1]], mode="min"), tmp_path, 5, prune=False)
    assert [one.figure for one in found.outcomes] == [0.5] * 4 + [0.1]
    assert found.best.number == 4


@pytest.mark.usefixtures("played_fit")
def test_a_search_in_two_parts_finds_what_one_finds(tmp_path, monkeypatch):
    """Also the draws after the random ones, which depend on the figures before; finished trials are not made again."""
    monkeypatch.setattr("tfpretune.search.state.RANDOM_TRIALS", 3)
    figures = [[0.1 * (3 * n % 7)] for n in range(6)]
    whole, first, second = Played(figures), Played(figures[:2]), Played(figures[2:])
    expected = make(whole, tmp_path / "whole", 6)
    make(first, tmp_path / "parts", 2)
    found = make(second, tmp_path / "parts", 6)
    assert (len(first.runs), len(second.runs)) == (2, 4)
    assert [(one.settings, one.figure) for one in found.outcomes] == [
        (one.settings, one.figure) for one in expected.outcomes
    ]
    other = make(Played(figures), tmp_path / "other", 2, seed=1)
    assert other.outcomes[0].settings == found.outcomes[0].settings  # the base
    assert other.outcomes[1].settings != found.outcomes[1].settings


@pytest.mark.usefixtures("played_fit")
def test_trials_on_other_data_are_not_mixed(tmp_path):
    one, other = ({"labels of the training examples": text, "backbone": text} for text in ("1", "2"))
    make(Played([[0.5]], identity=one), tmp_path, 1)
    made = make(Played([[0.5]], identity={**one, "backbone": "another"}), tmp_path, 2)
    assert [outcome.ended for outcome in made.outcomes] == [WHOLE, WHOLE]
    with pytest.raises(UsageError, match=r"with other data \(labels of the training examples: '1' -> '2'\): choose"):
        make(Played([[0.5]], identity=other), tmp_path, 3)
    assert len(make(Played([[0.5]], identity=one), tmp_path, 3).outcomes) == 3


@pytest.mark.usefixtures("played_fit")
def test_a_killed_trial_is_made_again(tmp_path):
    """Whatever ends the process: the trial is still marked as running when the next one comes."""
    with pytest.raises(MemoryError):
        make(Played([[0.5], [0.5, MemoryError()]]), tmp_path, 4)
    with pytest.raises(MemoryError):
        make(killed := Played([[0.5, MemoryError()]]), tmp_path, 4)
    again = Played([[0.6], [0.7], [0.8]])
    found = make(again, tmp_path, 4)
    assert [one.figure for one in found.outcomes] == [0.5, 0.6, 0.7, 0.8]
    assert [one.number for one in found.outcomes] == [0, 3, 4, 5]
    assert again.runs[0].optimizer == killed.runs[0].optimizer


@pytest.mark.usefixtures("played_fit")
def test_a_signal_stops_after_the_trial_and_a_second_one_at_once(tmp_path, capsys):
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    found = make(Played([[0.5, interrupt, 0.6]]), tmp_path, 3)
    assert (found.stopped, [one.figure for one in found.outcomes]) == (True, [0.6])
    assert "stopping after this trial" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        make(Played([[0.5, interrupt, interrupt, 0.6]]), tmp_path, 3)
    stopped = make(Played([[Stopped(130)]]), tmp_path, 3)  # `fit` had the signal before its first step
    assert (stopped.stopped, len(stopped.outcomes)) == (True, 1)
    with pytest.raises(Stopped):
        make(Played([[Stopped(143)]]), tmp_path, 3)
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.usefixtures("played_fit")
def test_minutes(tmp_path):
    space = space_of(make_encoder(), ("learning_rate",))
    found = search(Played([[0.5]] * 9).main, space, tmp_path, budget=Budget(9, minutes=1e-9))
    assert found.outcomes == []


@pytest.mark.usefixtures("played_fit")
def test_wrong_settings_end_the_search_at_once_and_later_count_as_failed(tmp_path):
    with pytest.raises(UsageError, match="no such source"):
        make(Played([[UsageError("no such source")]]), tmp_path, 3)
    assert not (tmp_path / "study.db").exists()
    found = make(Played([[0.5], [UsageError("does not fit")], [0.4]]), tmp_path, 3)
    assert [one.ended for one in found.outcomes] == [WHOLE, "does not fit", WHOLE]


def test_the_best_of_equal_ones_is_the_first():
    run = space_of(make_encoder(), ("l2_sp",)).base
    outcomes = [
        Outcome(n, run, figure, ended, 1.0)
        for n, (figure, ended) in enumerate([(0.5, WHOLE), (0.9, EARLY), (0.7, WHOLE), (0.7, WHOLE), (None, "nan")])
    ]
    assert SearchResult(outcomes, "val_accuracy", "max", False).best.number == 2
    assert SearchResult(outcomes, "val_loss", "min", False).best.number == 0
    assert SearchResult(outcomes[4:], "val_loss", "min", False).best is None


# The recipe


def tune(tiny, out_dir, recipe="finetune_text", **own):
    kind = {
        "finetune_text": {"source": f"csv:{tiny}/texts.csv", "preset": f"{tiny}/text", "set": TEXT},
        "finetune_image": {"source": "demo:digits", "preset": f"{tiny}/images", "set": IMAGE},
    }[recipe]
    return run_recipe("tune", **{"recipe": recipe, "out_dir": str(out_dir), "trials": 3, **kind, **own})


@pytest.mark.parametrize("recipe", ["finetune_text", "finetune_image"])
def test_the_winners_command_gives_the_winners_figure(tiny, tmp_path, capsys, recipe):
    out = tmp_path / "out"
    table = tune(tiny, out, recipe, learning_rates=(1e-3, 1e-1))
    printed = capsys.readouterr().out
    command = (out / "best.txt").read_text("utf-8")
    assert printed.endswith(command)
    assert command.startswith(f"tfpretune run {recipe} ")
    assert command.strip() in (out / "report/index.html").read_text("utf-8").replace("&#x27;", "'")
    left = {path.name for path in (out / "trials/000").iterdir() if not path.name.startswith(".")}
    assert left == {"config.json", "log.txt", "logs", "run.json"}  # no checkpoints, nothing of the test set
    module = load(recipe)
    result = module.main(launch.parse(module.Config, shlex.split(command)[3:]))
    assert result.best == table.rows[0][1]
    assert (out / "best/preset").is_dir()
    assert len(table.rows) == 3
    again = tune(tiny, out, recipe, learning_rates=(1e-3, 1e-1))
    assert again.rows == table.rows
    assert "trial 0: " not in capsys.readouterr().out
    assert len([*(out / "trials").iterdir()]) == 3
    with pytest.raises(UsageError, match="other settings .*learning_rates"):
        tune(tiny, out, recipe)


def test_a_real_trial_ends_early_and_a_real_signal_waits_for_its_end(tiny, tmp_path, monkeypatch):
    signals = iter([signal.SIGINT])

    def should_prune(trial):
        if trial.number == 2:
            for number in signals:
                os.kill(os.getpid(), number)
        return trial.number == 1

    monkeypatch.setattr(optuna.trial.Trial, "should_prune", should_prune)
    with pytest.raises(Stopped) as stop:
        tune(tiny, tmp_path, trials=9)
    assert stop.value.code == 130
    rows = tune(tiny, tmp_path, trials=3).rows  # says what there is: nothing more is made
    assert [row[0] for row in rows if row[-2] == EARLY] == ["1"]
    assert sorted(row[0] for row in rows if row[-2] == WHOLE) == ["0", "2"]
    assert not [*tmp_path.glob("trials/*/checkpoints")]
    assert len([*(tmp_path / "trials/001/logs/validation").iterdir()]) > 0


def test_all_failed(tiny, tmp_path, capsys, monkeypatch):
    """Every rate is far too high: each trial ends at a loss that is not a number."""
    own = (*TEXT, "optimizer.name=sgd", "optimizer.clip-norm=0", "optimizer.warmup=0", "optimizer.learning-rate=1e30")
    arguments = ["--recipe", "finetune_text", "--source", f"csv:{tiny}/texts.csv", "--preset", f"{tiny}/text"]
    arguments += [
        "--search",
        "learning_rate",
        "--learning-rates",
        "1e30",
        "1e33",
        "--trials",
        "2",
        "--out-dir",
        str(tmp_path),
    ]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", str(FOLDER / "tune.py"), *arguments, "--set", *own])
    assert stop.value.code == 1
    assert "failed: none of 2 trials came to its end; trial 0: step " in capsys.readouterr().err


def test_without_optuna(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", str(FOLDER / "tune.py"), "--out-dir", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: the search needs Optuna: pip install 'tfpretune[tune]'\n"
    assert not (tmp_path / "out").exists()


def test_mistakes_are_usage_errors(tiny, tmp_path):
    for name in ("distil", "find_learning_rate", "pretrain_text"):
        with pytest.raises(UsageError, match=f"--recipe {name}: expected a recipe that fine-tunes once"):
            open_recipe(FOLDER / f"{name}.py")
    for wrong, message in (
        ({"trials": 0}, "--trials must be at least 1"),
        ({"learning_rates": (1e-2, 1e-3)}, "two rising numbers"),
        ({"search": ()}, "--search needs at least one name"),
        ({"search": ("l2_sp", "l2_sp")}, "each once"),
    ):
        with pytest.raises(UsageError, match=message):
            load("tune").Config(**wrong)
    with pytest.raises(UsageError, match="--set out-dir=x: the search decides this itself"):
        tune(tiny, tmp_path, set=("out-dir=x",))


def test_a_wrong_source_leaves_a_folder_that_can_be_used(tiny, tmp_path):
    with pytest.raises(UsageError, match="nothing.csv"):
        tune(tiny, tmp_path / "out", source=f"csv:{tiny}/nothing.csv")
    assert len(tune(tiny, tmp_path / "out", fast=True, trials=1).rows) == 1
