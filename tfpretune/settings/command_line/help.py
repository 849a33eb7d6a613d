"""`--help` of a recipe: its options in groups, those of every day first. Imports no TensorFlow."""

import shutil
import sys
import textwrap
import types
import typing
from pathlib import Path
from typing import Any

from tfpretune.settings.command_line.options import Option, options_of_class

_EVERYDAY = (
    "recipe run-dir run-dirs teacher-dir source target unlabelled-source tasks preset name saved-models out-dir objective "
    "backbone method methods labels text-column image-column label-column label-kind labels-per-class steps epochs batch-size "
    "optimizer.learning-rate sequence-length seed seeds fast dry-run"
)
EVERYDAY = tuple(_EVERYDAY.split())
GROUPS = {
    "Config": "Of this recipe",
    "FinetuneConfig": "Labels",
    "TaskConfig": "Ways to fine-tune",
    "RunConfig": "Saving, stopping, resuming, speed",
    "OptimizerConfig": "How the weights are updated",
    "DevicesConfig": "Devices",
}
_LAST = ("OptimizerConfig", "RunConfig", "DevicesConfig")
_COLUMN = 30


def print_help(config_class: Any, about: str, default: Any = None) -> None:
    """Prints what a recipe does and its options.

    Args:
        config_class: its settings.
        about: what it does.
        default: settings whose values are the defaults; None: the class's own.
    """
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    options = {option.name: option for option in options_of_class(config_class, default=default)}
    everyday = [options.pop(f"--{name}") for name in EVERYDAY if f"--{name}" in options]
    groups: dict[type, list[Option]] = {}
    for option in options.values():
        groups.setdefault(option.home, []).append(option)
    lines = [f"usage: {Path(sys.argv[0]).name} [OPTIONS]", "", about.strip(), "", "Every day"]
    lines += [line for option in everyday for line in _shown(option, width)]
    lines.append(f"{'  --config OLD/config.json':{_COLUMN}}Settings of an earlier run are the defaults.")
    order = sorted(groups, key=lambda home: _LAST.index(home.__name__) if home.__name__ in _LAST else -1)
    for home in order:
        lines += ["", GROUPS.get(home.__name__) or (home.__doc__ or home.__name__).strip().splitlines()[0].rstrip(".")]
        lines += [line for option in groups[home] for line in _shown(option, width)]
    print("\n".join(lines))


def _shown(option: Option, width: int) -> list[str]:
    """An option's lines: its name and value on the left, what it is for on the right."""
    left = f"  {option.name}, {option.negative}" if option.negative else f"  {option.name} {value_text(option.kind)}"
    default = "" if option.default in ("", (), None) else f" (default: {_typed(option.default)})"
    wrapped = textwrap.wrap(" ".join(option.about.split()) + default, width - _COLUMN, break_on_hyphens=False)
    if len(left) < _COLUMN - 1 and wrapped:
        return [f"{left:<{_COLUMN}}{wrapped[0]}", *(f"{'':{_COLUMN}}{line}" for line in wrapped[1:])]
    return [left, *(f"{'':{_COLUMN}}{line}" for line in wrapped)]


def value_text(kind: Any) -> str:
    """Returns how the value of an option is written, such as `N`, `{adam,sgd}` or `TEXT ...`."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return f"{{{','.join(str(each) for each in inside if each != '')}}}"
    if origin in (typing.Union, types.UnionType):
        return " | ".join("none" if each is types.NoneType else value_text(each) for each in inside)
    if origin is tuple and inside[-1:] == (...,):
        return f"{value_text(inside[0])} ..."
    if origin is tuple:
        return " ".join(map(value_text, inside))
    return {int: "N", float: "NUMBER", str: "TEXT"}.get(kind, "VALUE")


def _typed(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, tuple | list):
        return " ".join(map(_typed, value))
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
