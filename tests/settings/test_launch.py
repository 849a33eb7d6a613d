"""Settings: command line, config.json, differences."""

import dataclasses
import json
import subprocess
import sys
from typing import Literal

import pytest

from tfpretune.errors import RunError, UsageError
from tfpretune.settings import file as config_file
from tfpretune.settings import launch
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig, RunConfig


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """Settings."""

    source: str = "demo:digits"
    """Where the examples come from."""
    out_dir: str = "runs/test"
    """Folder of the run."""
    steps: int = 300
    """Optimizer steps."""
    objective: Literal["mae", "denoising"] = "mae"
    """What to restore."""
    image_shape: tuple[int, int, int] = (28, 28, 1)
    """Height, width, channels."""
    limit: int | None = None
    """A field that may be empty."""


@dataclasses.dataclass(frozen=True)
class Child(FinetuneConfig):
    """Settings of a run that fine-tunes."""


def refused(capsys, *args):
    """Returns what stands on stderr after a refusal with exit code 2."""
    with pytest.raises(SystemExit) as stop:
        launch.parse(Config, list(args))
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_options_by_their_names():
    args = (
        "--steps 7 --optimizer.learning-rate 3e-3 --devices.replicas 2 --image-shape 8 8 3 --fast --objective denoising"
    )
    settings = launch.parse(Config, args.split())
    assert (settings.steps, settings.optimizer.learning_rate, settings.devices.replicas) == (7, 3e-3, 2)
    assert (settings.image_shape, settings.fast, settings.objective) == ((8, 8, 3), True, "denoising")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("--batch-sise", "--batch-size"),
        ("--optimizer.learning-rat", "--optimizer.learning-rate"),
        ("--learning-rate", "--optimizer.learning-rate"),
    ],
)
def test_misspelt_option_is_refused_with_the_nearest_name(capsys, wrong, right):
    assert right in refused(capsys, wrong, "3")


def test_wrong_values_are_refused(capsys):
    assert "--batch-size" in refused(capsys, "--batch-size", "many")
    assert "mae" in refused(capsys, "--objective", "mea")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--steps 0", "give --epochs or --steps: both are 0"),
        ("--steps -1", "--steps must not be negative, received -1"),
        ("--batch-size 0", "--batch-size must be at least 1, received 0"),
        ("--max-minutes -1", "--max-minutes must not be negative, received -1.0"),
        ("--optimizer.learning-rate 0", "--optimizer.learning-rate must be above 0, received 0.0"),
        ("--optimizer.learning-rate nan", "--optimizer.learning-rate must be above 0, received nan"),
        ("--optimizer.warmup 1", "--optimizer.warmup must be in [0, 1), received 1.0"),
        ("--optimizer.clip-norm -1", "--optimizer.weight-decay and --optimizer.clip-norm must not be negative"),
    ],
)
def test_values_that_cannot_work_are_refused(capsys, args, message):
    (line,) = refused(capsys, *args.split()).splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize(
    "make",
    [
        lambda: Config(steps=-1),
        lambda: OptimizerConfig(learning_rate=0.0),
        lambda: config_file.from_json(Config, '{"optimizer": {"warmup": 1}}', where="x"),
        lambda: config_file.from_json(Config, '{"batch_sise": 3}', where="x"),
    ],
    ids=["settings", "settings inside", "values of a file", "names of a file"],
)
def test_in_python_they_are_value_errors(make):
    with pytest.raises(ValueError, match="steps|learning-rate|warmup|batch_size") as caught:
        make()
    assert type(caught.value) is UsageError
    assert not issubclass(RunError, ValueError)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("--seed many", "--seed must be a whole number, received 'many'"),
        ("--seed=1.5", "--seed must be a whole number, received '1.5'"),
        ("--epochs x", "--epochs must be a number, received 'x'"),
        ("--seed", "--seed needs a value: a whole number"),
        ("--seed --fast", "--seed needs a value: a whole number"),
        ("--objective", "--objective needs a value: one of mae, denoising"),
        ("--objective mea", "--objective must be one of mae, denoising, received 'mea', did you mean mae?"),
        ("--image-shape 8 8", "--image-shape takes 3 values, received 8 8"),
        ("--image-shape 8 8 x", "--image-shape must be a whole number, received 'x'"),
        ("--source my file.csv", "--source takes one value, received my file.csv; quote it: --source 'my file.csv'"),
        ("--seed 1 2", "--seed takes one value, received 1 2"),
        ("--fast yes", "--fast takes no value, received 'yes'"),
        ("--no-fast=yes", "--no-fast takes no value, received 'yes': its opposite is --fast"),
        ("source demo:bbc", "unexpected 'source': options begin with --, such as --source; --help lists them"),
        (
            "--optimizer.multipliers a",
            "Error parsing --optimizer.multipliers: Could not find valid parse for arguments: ['a']",
        ),
        ("--limit many", "--limit must be a whole number, received 'many'"),
        ("--batch-size 0", "--batch-size must be at least 1, received 0"),
        ("--optimizer.warmup 1", "--optimizer.warmup must be in [0, 1), received 1.0"),
    ],
)
def test_whatever_is_wrong_is_one_line(capsys, args, line):
    assert refused(capsys, *args.split()) == f"error: {line}\n"


def test_right_values_of_every_kind_pass():
    """What begins with a minus or names an empty value is a value as well."""
    found = launch.parse(Config, ["--limit", "None", "--source", "-", "--optimizer.clip-norm", "1e-3", "--no-fast"])
    assert (found.limit, found.source, found.optimizer.clip_norm, found.fast) == (None, "-", 1e-3, False)
    assert launch.parse(Config, ["--optimizer.multipliers", "a", "2", "b", "3"]).optimizer.multipliers == (
        ("a", 2.0),
        ("b", 3.0),
    )
    assert launch.parse(Child, ["--out-dir", "x", "--source", "y", "--preset", "z", "--steps", "1", "--label-kind", ""])


def test_epochs_or_steps_the_one_on_the_command_line_counts():
    """300 steps are the default here, so that --epochs alone must put them aside, and the other way round."""
    assert launch.parse(Config, ["--epochs", "2"]).total_steps(10) == 20
    assert launch.parse(Config, ["--epochs=0.25"]).total_steps(10) == 2
    assert launch.parse(Config, ["--steps", "7"]).total_steps(10) == 7
    assert launch.parse(Config, []).total_steps(10) == 300
    assert launch.parse(Config, ["--epochs", "2", "--steps", "7"]).total_steps(10) == 7
    assert Config(fast=True).total_steps(10) == 3


def test_settings_survive_json():
    settings = Config(
        epochs=2,
        image_shape=(8, 8, 3),
        limit=3,
        optimizer=OptimizerConfig(multipliers=(("embedding", 3.0), ("bias", 1.0))),
    )
    assert config_file.from_json(Config, config_file.to_json(settings), where="x") == settings
    assert config_file.to_json(settings).splitlines()[1] == '  "source": "demo:digits",'


def test_config_option_gives_the_defaults(tmp_path, capsys):
    file = tmp_path / "config.json"
    file.write_text(
        config_file.to_json(Config(seed=5, batch_size=3, optimizer=OptimizerConfig(schedule="linear"))), "utf-8"
    )
    for args in (["--config", str(file), "--batch-size", "9"], ["--batch-size", "9", f"--config={file}"]):
        settings = launch.parse(Config, args)
        assert (settings.seed, settings.batch_size, settings.optimizer.schedule) == (5, 9, "linear")
    assert "--batch-size" in refused(capsys, "--config", str(file), "--batch-sise", "9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"batch_sise": 3}', "unknown field 'batch_sise', did you mean 'batch_size'?"),
        (
            '{"optimizer": {"lerning_rate": 3}}',
            "optimizer: unknown field 'lerning_rate', did you mean 'learning_rate'?",
        ),
        ('{"zzz": 3}', "unknown field 'zzz'"),
        ('{"batch_size": "3"}', "field 'batch_size' expects int, received '3'"),
        ('{"batch_size": true}', "field 'batch_size' expects int, received True"),
        ('{"fast": 1}', "field 'fast' expects bool, received 1"),
        ('{"objective": "mea"}', "field 'objective' expects Literal['mae', 'denoising'], received 'mea'"),
        ('{"image_shape": [8, 8]}', "field 'image_shape' expects tuple[int, int, int], received (8, 8)"),
        ('{"limit": 1.5}', "field 'limit' expects int | None, received 1.5"),
        ('{"optimizer": 3}', "optimizer: expected an object with the fields of OptimizerConfig, received int"),
        ('{"steps": -1}', "--steps must not be negative, received -1"),
        ("[1]", "expected an object with the fields of Config, received list"),
        ('{\n"a": 1,,}', "is not JSON: line 2"),
        ("\xff", "is not UTF-8"),
    ],
)
def test_a_bad_config_file_is_refused_by_name(tmp_path, capsys, text, message):
    file = tmp_path / "config.json"
    file.write_bytes(text.encode("latin-1"))
    answer = refused(capsys, "--config", str(file))
    assert message in answer
    assert answer.startswith(f"error: {file}") or message.startswith("--steps")
    assert answer.count("\n") == 1


def test_a_config_file_that_is_not_there(capsys):
    assert refused(capsys, "--config", "no/such.json") == "error: --config no/such.json: No such file or directory\n"
    assert refused(capsys, "--config") == "error: --config needs the path of a config.json\n"


def test_a_config_without_a_field_that_must_be_given():
    with pytest.raises(UsageError, match="x: .*missing .*source"):
        config_file.from_json(RunConfig, '{"steps": 1, "out_dir": "y"}', where="x")


def test_differences_name_nested_fields():
    old = Config(seed=1, optimizer=OptimizerConfig(learning_rate=1e-3))
    new = Config(seed=2, resume="never", optimizer=OptimizerConfig(learning_rate=2e-3))
    assert config_file.differences(old, new, may_differ=("resume",)) == [
        "optimizer.learning_rate: 0.001 -> 0.002",
        "seed: 1 -> 2",
    ]
    assert config_file.differences(old, config_file.from_json(Config, config_file.to_json(old), where="x")) == []


def test_changes_are_listed_by_name_with_none_for_what_one_side_lacks():
    old, new = {"c": 1, "b": "x", "same": 0, "left out": 1}, {"a": 2, "b": "y", "same": 0, "left out": 2}
    found = config_file.changes(old, new, may_differ=("left out",), show=lambda value: f"<{value}>")
    assert found == ["a: <None> -> <2>", "b: <x> -> <y>", "c: <1> -> <None>"]


def test_arguments_become_options():
    said = "`steps_per_execution` 3, `optimizer.learning_rate`, `make_strategy(replicas)`: give `enable_lora(rank)` 0, "
    said += "`x y` or `nose`"
    assert launch.as_options(UsageError(said), Child) == (
        "--steps-per-execution 3, --optimizer.learning-rate, --devices.replicas: give --lora-rank 0, `x y` or `nose`"
    )
    assert "`enable_lora(rank)` 0" in launch.as_options(UsageError(said), Config)  # which has no such option


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("bad"), 2, "error: bad\n"),
        (UsageError("`keep_checkpoints` 0"), 2, "error: --keep-checkpoints 0\n"),
        (RunError("lower `optimizer.learning_rate`"), 1, "failed: lower --optimizer.learning-rate\n"),
        (RunError("full"), 1, "failed: full\n"),
        (
            ValueError("2 root errors\nRunError: a.jpg: broken\nTraceback"),
            1,
            "failed: a.jpg: broken\n",
        ),  # TensorFlow's words
    ],
)
def test_run_turns_errors_into_exit_codes(capsys, monkeypatch, error, code, line):
    def main(settings):
        raise error

    monkeypatch.setattr(sys, "argv", ["recipe"])
    with pytest.raises(SystemExit) as stop:
        launch.run(Config, main, "Does it.")
    assert stop.value.code == code
    assert capsys.readouterr().err == line


def test_run_leaves_other_errors_as_they_are(monkeypatch):
    def main(settings):
        raise ValueError("no RunErrors here")

    monkeypatch.setattr(sys, "argv", ["recipe"])
    with pytest.raises(ValueError, match="no RunErrors here"):
        launch.run(Config, main, "Does it.")


def test_help_says_what_each_field_is_for(capsys):
    with pytest.raises(SystemExit) as stop:
        launch.parse(Config, ["--help"], description="Does it.")
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("Does it.", "Examples a step, over all replicas.", "Peak learning rate", "--config", "config.json"):
        assert part in text, part


def test_no_tensorflow_is_imported():
    code = "import sys, tfpretune.settings.launch; print('tensorflow' in sys.modules, 'tyro' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False False\n"


def test_json_is_what_a_person_can_edit():
    values = json.loads(config_file.to_json(Config()))
    assert values["optimizer"]["name"] == "adamw"
    assert values["image_shape"] == [28, 28, 1]
