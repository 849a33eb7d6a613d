"""A recipe's settings as the options of its command line, and back."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfpretune.errors import UsageError
from tfpretune.settings import launch
from tfpretune.settings.file import Settings
from tfpretune.settings.finetune import FinetuneConfig, TaskConfig
from tfpretune.settings.renamed import FIELDS

REFUSED = ("out-dir", "dry-run", "fast", "max-minutes", "resume", "devices.ray-workers")
"""Options that a search decides itself."""


def base_settings(
    config_class: type[TaskConfig], own: Mapping[str, Any], given: Sequence[str], *, fast: bool
) -> TaskConfig:
    """Returns a recipe's settings that are not searched. Timing must not choose XLA: trials would differ for no reason.

    Args:
        config_class: the recipe's settings.
        own: options of the search itself that are the recipe's, by name.
        given: NAME=VALUE of `--set`; they count more.
        fast: rehearse.

    Raises:
        UsageError: a pair is none, or is not for the user to set.
        SystemExit: the recipe refuses an option; it has said why.
    """
    refused = [pair for pair in given if pair.partition("=")[0].removeprefix("--").replace("_", "-") in REFUSED]
    if refused:
        raise UsageError(f"--set {refused[0]}: the search decides this itself")
    first = [word for name, value in own.items() for word in _option(f"--{name.replace('_', '-')}", value)]
    base = parse_pairs(config_class, given, first)
    if isinstance(base, FinetuneConfig) and base.asks_for_folds:
        raise UsageError(f"--set folds={base.folds}: a search is judged on the validation set, folds have none")
    if getattr(base, "labels_per_class", 0) and not getattr(base, "choose_on_validation", True):
        raise UsageError(
            "--set labels-per-class: a search is judged on the validation set, whose labels are more than those per class; "
            "if that may be, give --set choose-on-validation=true, too"
        )
    return dataclasses.replace(base, fast=fast, jit="off" if base.jit == "auto" else base.jit)


def parse_pairs(config_class: type[Settings], pairs: Sequence[str], first: Sequence[str] = ()) -> Settings:
    """Returns the settings that a recipe has after `--NAME VALUE` for each pair.

    Args:
        config_class: the recipe's settings; every field has a default.
        pairs: NAME=VALUE as the options are named: `optimizer.learning-rate=0.001`. A switch is true or false; the parts of
            an option that takes several stand with spaces between them.
        first: options as they are typed, before those; the later ones count.

    Raises:
        UsageError: a pair is none.
        SystemExit: the recipe refuses an option; it has said why.
    """
    args = [*first]
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.removeprefix("--").replace("-", "_")
        known = {option[2:].replace("-", "_") for option in launch.option_names(config_class)}
        name = FIELDS[name] if FIELDS.get(name) in known else name
        name = name.replace("_", "-")
        if not name or not equals:
            raise UsageError(f"--set {pair}: expected NAME=VALUE, such as steps=60")
        default = _default(config_class(), name)
        if isinstance(default, bool):
            if value.lower() not in ("true", "false"):
                raise UsageError(f"--set {pair}: expected true or false")
            args += _option(f"--{name}", value.lower() == "true")
        else:
            args += [f"--{name}", *(value.split() if isinstance(default, tuple) else [value])]
    return launch.parse(config_class, args)


def options_of(settings: Any) -> list[str]:
    """Returns the options that differ from the recipe's own; parsed again, they make equal settings."""
    return list(_differing(settings, type(settings)(), "--"))


def _differing(settings: Any, defaults: Any, prefix: str) -> Iterator[str]:
    for field in dataclasses.fields(settings):
        value, default = getattr(settings, field.name), getattr(defaults, field.name)
        name = prefix + field.name.replace("_", "-")
        if dataclasses.is_dataclass(value):
            yield from _differing(value, default, f"{name}.")
        elif value != default:
            yield from _option(name, value)


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        group, dot, last = name.removeprefix("--").rpartition(".")
        return [name if value else f"--{group}{dot}no-{last}"]
    return [name, *_texts(value)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, tuple):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)


def _default(settings: Any, name: str) -> Any:
    for part in name.split("."):
        settings = getattr(settings, part.replace("-", "_"), None)
    return settings
