"""The command line of a script with settings: parse, run, one clear line where it fails. Imports no TensorFlow."""

import contextlib
import dataclasses
import difflib
import io
import itertools
import re
import sys
import typing
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tfpretune.errors import RunError, UsageError, passed_on
from tfpretune.runtime.lock import refuse_if_held
from tfpretune.runtime.phases import phase, phases_shown, without_phases
from tfpretune.runtime.quiet import start_tensorflow
from tfpretune.runtime.ray_workers import run_on_ray
from tfpretune.runtime.telling import written
from tfpretune.runtime.workers import lost_worker_named, own_folder, this_task
from tfpretune.settings.command_line.closing import begin
from tfpretune.settings.command_line.closing import close as close
from tfpretune.settings.command_line.closing import to_ask as to_ask
from tfpretune.settings.command_line.closing import to_export as to_export
from tfpretune.settings.command_line.closing import to_finetune as to_finetune
from tfpretune.settings.command_line.help import print_help
from tfpretune.settings.command_line.options import options_of_class
from tfpretune.settings.command_line.places import refuse_missing
from tfpretune.settings.command_line.values import refuse_wrong_values
from tfpretune.settings.file import Settings, read_config
from tfpretune.settings.renamed import modern_arguments
from tfpretune.settings.run import RunConfig

_EDGE, _LETTER = re.compile(r"^[│|]\s?|\s*[│|]$"), re.compile(r"\w")
_ARGUMENT = re.compile(r"`([\w.]+(?:\(\w+\))?)`")
# Functions and arguments of the library that are options of another name.
_OTHER_NAMES = {
    "GradualUnfreezing": "unfreeze_every",
    "GradualUnfreezing(every_steps)": "unfreeze_every",
    "L2SP(head_strength)": "l2_sp_head",
    "L2SP(strength)": "l2_sp",
    "MaskForm(orientation)": "mask_orientation",
    "MaskForm(values)": "mask_values",
    "add_l1(strength)": "l1",
    "balanced_positive_weights": "balance_classes",
    "enable_lora(layers)": "lora_layers",
    "enable_lora(rank)": "lora_rank",
    "enable_r_drop(weight)": "r_drop",
    "layerwise_rates(decay)": "layer_decay",
    "load_backbone(dropout)": "backbone_dropout",
    "make_strategy(replicas)": "devices.replicas",
    "with_cached_features": "cache_features",
}


def parse(config_class: type[Settings], args: list[str] | None = None, *, description: str | None = None) -> Settings:
    """Reads settings from the command line; `--config OLD/config.json` gives the defaults.

    A misspelt option is refused with the nearest name and exit code 2, values that cannot work likewise. `--epochs` alone
    puts a default of `--steps` aside.
    """
    args = list(sys.argv[1:] if args is None else args)
    try:
        _take_auto_batch_size(args)
        args = modern_arguments(args, option_names(config_class))
        defaults = _take_config_option(config_class, args)
        _refuse_unknown_options(config_class, args)
        if {"--help", "-h"} & set(args):
            print_help(config_class, description or config_class.__doc__ or "", defaults)
            raise SystemExit(0)
        refuse_wrong_values(config_class, args)
        import tyro

        with _unboxed():
            if defaults is None:
                settings = tyro.cli(config_class, args=args)
            else:
                settings = tyro.cli(config_class, args=args, default=defaults)
        given = {arg.partition("=")[0] for arg in args} & {"--epochs", "--steps"}
        return dataclasses.replace(settings, steps=0) if given == {"--epochs"} else settings  # type: ignore[type-var]
    except UsageError as error:
        print(f"error: {as_options(error, config_class)}", file=sys.stderr)
        raise SystemExit(2) from None


def run(config_class: type[Settings], main: typing.Callable[[Settings], Any], description: str | None) -> None:
    """Runs a recipe from the command line: settings, `main`, and one clear line with the right exit code when it fails.

    With --devices.ray-workers it hands the same command line to a Ray cluster, whose workers come back here with TF_CONFIG set.
    """
    begin()
    settings = parse(config_class, description=description)
    known = option_names(config_class)
    try:
        task = this_task()
        shown = phases_shown() if task is None or task.writes else without_phases()
        with shown, written(lambda line: with_options(line, known)):
            _start(settings, main)
    except UsageError as error:
        print(f"error: {as_options(error, config_class)}", file=sys.stderr)
        raise SystemExit(2) from None
    except RunError as error:
        print(f"failed: {as_options(error, config_class)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        if not (inner := passed_on(error)):
            raise
        print(f"failed: {as_options(inner, config_class)}", file=sys.stderr)
        raise SystemExit(1) from None


def _start(settings: Any, main: typing.Callable[[Any], Any]) -> None:
    out_dir = getattr(settings, "out_dir", "")
    if out_dir and not getattr(settings, "dry_run", False) and this_task() is None:
        refuse_if_held(Path(out_dir))  # now, and not after the data is read
    refuse_missing(settings)
    driver = isinstance(settings, RunConfig) and settings.devices.ray_workers and this_task() is None
    if driver and not settings.dry_run:  # its workers need TensorFlow, it does not
        run_on_ray(settings.devices.ray_workers, settings.out_dir, gpus_each=max(1, settings.devices.replicas))
        return
    start_tensorflow()
    with phase(f"running {Path(sys.argv[0]).stem}"):
        if not isinstance(settings, RunConfig):
            main(settings)
        else:
            with lost_worker_named(), own_folder(settings) as settings:
                main(settings)


def as_options(error: object, config_class: Any) -> str:
    """Returns what an error says, with options in place of the arguments that the library names: `mask_rate`, --mask-rate.

    Args:
        error: names arguments in backticks, those with another name or none in the settings as `L2SP(strength)`.
        config_class: the settings; what is no option of theirs stays as it is.
    """
    return with_options(str(error), option_names(config_class))


def with_options(text: str, known: Collection[str]) -> str:
    """Returns a text with options in place of the arguments that it names; those that are not known stay as they are."""

    def option(found: re.Match[str]) -> str:
        name = "--" + _OTHER_NAMES.get(found[1], found[1]).replace("_", "-")
        return name if name in known else found[0]

    return _ARGUMENT.sub(option, text)


def option_names(config_class: Any) -> list[str]:
    """Returns the options of a settings class as they are typed: `--optimizer.learning-rate`."""
    return [name for option in options_of_class(config_class) for name in (option.name, option.negative) if name]


@contextlib.contextmanager
def _unboxed() -> Iterator[None]:
    """Raises in one line what tyro has put in a box of several, the UsageError of a settings class among it."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    except SystemExit as stop:
        if refused := _usage_error_behind(stop):
            raise refused from None
        lines = (_EDGE.sub("", line) for line in said.getvalue().splitlines()[1:])  # the first is a title
        text = itertools.dropwhile(lambda line: not _LETTER.search(line), lines)
        first = " ".join(line.strip() for line in itertools.takewhile(_LETTER.search, text))
        raise UsageError(first or said.getvalue().strip()) from None


def _usage_error_behind(error: BaseException | None) -> UsageError | None:
    while error is not None and not isinstance(error, UsageError):
        error = error.__context__
    return error


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
