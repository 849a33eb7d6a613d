"""Settings of a run: dataclasses and their command line. Imports no TensorFlow."""

import dataclasses
import difflib
import sys
import typing
from pathlib import Path
from typing import Any, Literal

from tfpretune.config_file import Settings, read_config
from tfpretune.errors import RunError, UsageError, passed_on
from tfpretune.lock import refuse_if_held
from tfpretune.ray_workers import run_on_ray
from tfpretune.workers import WORKER_PREFIX, lost_worker_named, own_folder, this_task

Schedule = Literal["constant", "cosine", "linear", "exponential", "one_cycle"]
Optimizer = Literal["adamw", "adam", "sgd", "adagrad"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How the weights are updated."""

    name: Optimizer = "adamw"
    """The update rule. AdamW and Adam take rates near 1e-3, SGD (momentum 0.9) near 1e-1, AdaGrad near 1e-2."""
    learning_rate: float = 1e-3
    """Peak rate, reached at the end of the warm-up."""
    schedule: Schedule = "cosine"
    """How the rate falls after the warm-up: to 0 (cosine, linear), to a hundredth (exponential), or not at all. one_cycle: from
    a 25th up to the peak and along half a wave down to a 10,000th; give it a longer warm-up, such as 0.3."""
    warmup: float = 0.06
    """Share of all steps in which the rate rises from 0 to its peak, in [0, 1)."""
    weight_decay: float = 0.01
    """Decoupled decay of kernels and tables of tokens, with every update rule; never of biases, normalisation, position tables
    and class tokens. 0: none."""
    clip_norm: float = 1.0
    """Largest norm of the global gradient; 0 switches clipping off."""
    ema: float = 0.0
    """Decay of a moving average of the weights, such as 0.999; it is what is evaluated and kept. 0: none."""
    swa: float = 0.0
    """After this share of the steps the equal average of the weights of all steps since is evaluated and kept, such as 0.75.
    It wants a rate that does not fall to 0, such as --optimizer.schedule constant. 0: none."""
    multipliers: tuple[tuple[str, float], ...] = ()
    """Pairs of a pattern on a variable's path and a factor of its rate, such as token_embedding 3. The first that fits counts,
    and comes on top of what --layer-decay says."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        if not self.learning_rate > 0:
            raise UsageError(f"--optimizer.learning-rate must be above 0, received {self.learning_rate}")
        if not 0 <= self.warmup < 1:
            raise UsageError(f"--optimizer.warmup must be in [0, 1), received {self.warmup}")
        if not 0 <= self.ema < 1:
            raise UsageError(f"--optimizer.ema must be in [0, 1), received {self.ema}")
        if not 0 <= self.swa < 1:
            raise UsageError(f"--optimizer.swa must be in [0, 1), received {self.swa}")
        if self.swa and self.ema:
            raise UsageError("--optimizer.swa and --optimizer.ema are two averages of the weights: give one of them")
        if self.weight_decay < 0 or self.clip_norm < 0:
            raise UsageError("--optimizer.weight-decay and --optimizer.clip-norm must not be negative")


@dataclasses.dataclass(frozen=True)
class DevicesConfig:
    """What the run computes on."""

    replicas: int = 0
    """Copies of the model that share each batch; 0 takes every GPU, or the one CPU. Without a GPU: logical CPUs."""
    ray_workers: int = 0
    """Processes on a Ray cluster that share each batch (needs the extra tfpretune[ray]); 0: this process alone."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        if self.ray_workers < 0:
            raise UsageError(f"--devices.ray-workers must not be negative, received {self.ray_workers}")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The settings that every training recipe has."""

    source: str
    """Where the examples come from: demo:NAME, tfds:NAME, csv:FILES, jsonl:FILES, text:FILES, images:FOLDER."""
    out_dir: str
    """Folder of the run: settings, checkpoints, logs, preset, report."""
    preset: str = ""
    """Start from this preset (a folder, or a KerasHub name) instead of random weights."""
    epochs: float = 0.0
    """Passes over the training examples; not used when --steps is given."""
    steps: int = 0
    """Optimizer steps; 0 to give --epochs."""
    batch_size: int = 64
    """Examples a step, over all replicas. auto (the recipe's own): in so many parts that one fits in the memory."""
    accumulate_steps: int = 1
    """Parts that a batch is learnt from, one after the other: less memory, the same update. 0: as few as fit."""
    steps_per_execution: int = 1
    """Steps in one call of TensorFlow: less work between the steps of a small model; divides --save-every-steps."""
    seed: int = 0
    """Decides the start weights, the order, the masks and the noise."""
    save_every_steps: int = 500
    """Steps between two checkpoints; the validation set is evaluated as often."""
    save_every_minutes: float = 10.0
    """Save also when so many minutes have passed since the last checkpoint; 0: only at the steps above."""
    keep_checkpoints: int = 2
    """How many of the newest stay, beside the best; with 2 there is another one when a disk has damaged the last."""
    max_minutes: float = 0.0
    """Save and stop after so many minutes, with exit code 143; the same command goes on. 0: no end."""
    skip_bad_steps: int = 0
    """Go back to the last checkpoint and leave a step out whose gradient is no number, at most so often."""
    resume: Literal["auto", "never"] = "auto"
    """auto: go on from the newest checkpoint in OUT_DIR; never: refuse a folder that has one."""
    deterministic: bool = True
    """The same seed gives the same bits, on the same devices; off may be faster on a GPU."""
    precision: Precision = "auto"
    """auto: mixed_bfloat16 where the processor has it, float32 elsewhere."""
    jit: Literal["auto", "on", "off"] = "auto"
    """XLA for the whole step. auto: time a few steps each way when the run is long enough to win the time back."""
    devices: DevicesConfig = dataclasses.field(default_factory=DevicesConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    fast: bool = False
    """Rehearse the whole recipe on a few batches."""
    dry_run: bool = False
    """Print settings, shapes, parameters, steps and memory, and stop."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        if not self.epochs and not self.steps:
            raise UsageError("give --epochs or --steps: both are 0")
        for name in ("epochs", "steps"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name} must not be negative, received {getattr(self, name)}")
        for name in ("batch_size", "save_every_steps", "steps_per_execution", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, received {getattr(self, name)}")
        for name in ("accumulate_steps", "save_every_minutes", "max_minutes", "skip_bad_steps"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} must not be negative, received {getattr(self, name)}")

    @property
    def shared_dir(self) -> Path:
        """The folder that all workers share: on a worker that is not the chief, `out_dir` is a folder of its own inside."""
        path = Path(self.out_dir)
        return path.parent if path.name.startswith(WORKER_PREFIX) else path

    def total_steps(self, steps_per_epoch: int) -> int:
        """Returns the optimizer steps of the whole run (3 with `fast`)."""
        if self.fast:
            return 3
        return self.steps or max(1, round(self.epochs * steps_per_epoch))


def require_shares(settings: Any, *names: str) -> None:
    """Raises UsageError unless each of these fields is a share in [0, 1)."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be in [0, 1), received {value}")


def parse(config_class: type[Settings], args: list[str] | None = None, *, description: str | None = None) -> Settings:
    """Reads settings from the command line; `--config OLD/config.json` gives the defaults.

    A misspelt option is refused with the nearest name and exit code 2, values that cannot work likewise. `--epochs` alone
    puts a default of `--steps` aside.
    """
    import tyro

    args = list(sys.argv[1:] if args is None else args)
    about = f"{description or config_class.__doc__}\n\nSettings of an earlier run: --config OLD/config.json"
    try:
        _take_auto_batch_size(args)
        defaults = _take_config_option(config_class, args)
        _refuse_unknown_options(config_class, args)
        if defaults is None:
            settings = tyro.cli(config_class, args=args, description=about)
        else:
            settings = tyro.cli(config_class, args=args, default=defaults, description=about)
        given = {arg.partition("=")[0] for arg in args} & {"--epochs", "--steps"}
        return dataclasses.replace(settings, steps=0) if given == {"--epochs"} else settings  # type: ignore[type-var]
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def run(config_class: type[Settings], main: typing.Callable[[Settings], Any], description: str | None) -> None:
    """Runs a recipe from the command line: settings, `main`, and one clear line with the right exit code when it fails.

    With --devices.ray-workers it hands the same command line to a Ray cluster, whose workers come back here with TF_CONFIG set.
    """
    settings = parse(config_class, description=description)
    try:
        out_dir = getattr(settings, "out_dir", "")
        if out_dir and not getattr(settings, "dry_run", False) and this_task() is None:
            refuse_if_held(Path(out_dir))  # now, and not after the data is read
        if not isinstance(settings, RunConfig):
            main(settings)
        elif settings.devices.ray_workers and not settings.dry_run and this_task() is None:
            run_on_ray(settings.devices.ray_workers, settings.out_dir, gpus_each=max(1, settings.devices.replicas))
        else:
            with lost_worker_named(), own_folder(settings) as settings:
                main(settings)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except RunError as error:
        print(f"failed: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        if not (inner := passed_on(error)):
            raise
        print(f"failed: {inner}", file=sys.stderr)
        raise SystemExit(1) from None


def option_names(config_class: Any, prefix: str = "--") -> list[str]:
    """Returns the options of a settings class as they are typed: `--optimizer.learning-rate`."""
    names = []
    for field in dataclasses.fields(config_class):
        name, kind = prefix + field.name.replace("_", "-"), typing.get_type_hints(config_class)[field.name]
        if dataclasses.is_dataclass(kind):
            names += option_names(kind, f"{name}.")
        else:
            head, dot, last = name.rpartition(".")
            names += [name] + ([f"{head}{dot}no-{last}" if dot else f"--no-{name[2:]}"] if kind is bool else [])
    return names


def _refuse_unknown_options(config_class: Any, args: list[str]) -> None:
    """Names the nearest option, also when the typist left out the group: --lerning-rate is --optimizer.learning-rate."""
    known = {name: name for name in option_names(config_class)}
    by_last = {f"--{name.rpartition('.')[2]}": name for name in known if "." in name}
    for arg in args:
        option = arg.partition("=")[0].replace("_", "-")
        if not option.startswith("--") or option in known or option in ("--help", "--"):
            continue
        near = difflib.get_close_matches(option, [*known, *by_last], n=1)
        hint = f", did you mean {(known | by_last)[near[0]]}?" if near else "; --help lists them"
        raise UsageError(f"unknown option {option}{hint}")


def _take_auto_batch_size(args: list[str]) -> None:
    """Turns `--batch-size auto` into `--accumulate-steps 0`: the batch stays, its parts become as small as the memory asks."""
    for index, arg in enumerate(args):
        if arg in ("--batch-size=auto", "--batch_size=auto"):
            args[index : index + 1] = ["--accumulate-steps", "0"]
        elif arg in ("--batch-size", "--batch_size") and args[index + 1 : index + 2] == ["auto"]:
            args[index : index + 2] = ["--accumulate-steps", "0"]


def _take_config_option(config_class: type[Settings], args: list[str]) -> Any:
    for index, arg in enumerate(args):
        if arg == "--config" or arg.startswith("--config="):
            path = arg.partition("=")[2] or (args[index + 1] if index + 1 < len(args) else "")
            if not path:
                raise UsageError("--config needs the path of a config.json")
            del args[index : index + (1 if "=" in arg else 2)]
            return read_config(config_class, path)
    return None
