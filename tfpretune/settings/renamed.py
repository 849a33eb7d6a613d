"""Names of before: options, fields of `config.json` and values that are still read, each with one line that says the new name.

An entry stays for one version. Imports no TensorFlow.
"""

import sys
from collections.abc import Collection, Mapping
from typing import Any

FIELDS = {
    "jitter": "augmentation",
    "licence": "license",
    "lora_rate": "lora_multiplier",
    "part": "split",
    "piece_megabytes": "chunk_megabytes",
    "probe_head": "init_head_from_probe",
    "rates": "learning_rates",
    "share": "teacher_weight",
    "test_share": "test_fraction",
    "unfreeze_share": "unfreeze_fraction",
    "validation_share": "validation_fraction",
}
"""Field of before -> field. Options are the same with dashes."""
VALUES: dict[str, dict[str, str]] = {
    "label_kind": {"class": "single", "set": "multi-label", "number": "regression"},
}
"""Field -> value of before -> value."""


RECIPES = {"find_rate": "find_learning_rate"}
"""Recipe of before -> recipe."""


def modern_recipe(name: str) -> str:
    """Returns a recipe's name of now; says it on stderr where another one was given."""
    if name in RECIPES:
        _say(f"recipe {name}", RECIPES[name])
    return RECIPES.get(name, name)


def modern_arguments(args: list[str], options: Collection[str]) -> list[str]:
    """Returns a command line with the options and values of before under their names of now; says each on stderr.

    Args:
        args: the command line, such as `["--probe-head", "--label-kind=set"]`.
        options: what is known, such as `--label-kind`; an old name that is among them is taken as it is.
    """
    renamed = {f"--{_dashed(old)}": f"--{_dashed(new)}" for old, new in FIELDS.items()}
    renamed |= {f"--no-{old[2:]}": f"--no-{new[2:]}" for old, new in renamed.items()}
    values = {f"--{_dashed(field)}": known for field, known in VALUES.items()}
    found: list[str] = []
    for arg in args:
        option, equals, value = arg.partition("=")
        typed = option.replace("_", "-") if option.startswith("--") else option
        if typed not in options and renamed.get(typed) in options:
            _say(typed, renamed[typed])
            typed = option = renamed[typed]
        known = values.get(typed, {}) if typed in options else {}
        if equals and value in known:
            value = _said(typed, value, known)
        last = found[-1].replace("_", "-") if found else ""
        if last in options and not equals and arg in values.get(last, {}):
            option = _said(last, arg, values[last])
        found.append(f"{option}{equals}{value}")
    return found


def modern_fields(values: Mapping[str, Any], names: Collection[str], *, where: str) -> dict[str, Any]:
    """Returns the fields of a `config.json` under their names of now; says each on stderr.

    Args:
        values: the fields as they were read.
        names: those that are known; an old name that is among them, or whose new name stands there, too, is left as it is.
        where: the file, for the lines.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        new = FIELDS.get(name, name)
        if name not in names and new in names and new not in values:
            _say(f"{where}: {name}", new)
            name = new
        if isinstance(value, str) and value in VALUES.get(name, {}):
            value = _said(f"{where}: {name}", value, VALUES[name])
        found[name] = value
    return found


def modern_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a program wrote before under the names and values of now, without a word: nobody typed it.

    Examples:
        >>> modern_keys({"licence": "MIT", "label_kind": "set"})
        {'license': 'MIT', 'label_kind': 'multi-label'}
    """
    named = {FIELDS.get(name, name): value for name, value in values.items()}
    return {name: VALUES[name].get(value, value) if name in VALUES else value for name, value in named.items()}


def _dashed(field: str) -> str:
    return field.replace("_", "-")


def _say(old: str, new: str) -> None:
    print(f"note: {old} is called {new} now; the old name is read in this version only", file=sys.stderr)


def _said(name: str, value: str, known: Mapping[str, str]) -> str:
    _say(f"{name} {value}", f"{name.rpartition(': ')[2]} {known[value]}")
    return known[value]
