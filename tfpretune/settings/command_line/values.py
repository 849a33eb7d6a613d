"""Values that an option cannot have, refused in one line before anything is imported. Imports no TensorFlow."""

import difflib
import types
import typing
from collections.abc import Sequence
from typing import Any

from tfpretune.errors import UsageError
from tfpretune.settings.command_line.options import Option, options_of_class


def refuse_wrong_values(config_class: Any, args: Sequence[str]) -> None:
    """Looks at the values of options that take one: a whole number, a number, one of several names, or nothing.

    Args:
        config_class: the settings.
        args: what was typed; unknown options are left to others.

    Raises:
        UsageError: says which option, what it takes, and what it got.
    """
    options = {option.name: option for option in options_of_class(config_class)}
    switches = {name for option in options.values() if option.negative for name in (option.name, option.negative)}
    place = 0
    while place < len(args):
        name, equals, value = args[place].partition("=")
        name, place = name.replace("_", "-"), place + 1
        if name in switches:
            if equals:
                raise UsageError(f"{name} takes no value, received {value!r}: its opposite is {_other(name, options)}")
            if place < len(args) and not args[place].startswith("--"):
                raise UsageError(f"{name} takes no value, received {args[place]!r}")
            continue
        if name not in options:
            if place == 1 and not name.startswith("-"):
                raise UsageError(
                    f"unexpected {args[0]!r}: options begin with --, such as --{args[0]}; --help lists them"
                )
            continue
        given = [value] if equals else []
        while not equals and place < len(args) and not args[place].startswith("--"):
            given.append(args[place])
            place += 1
        _check(options[name], given)


def _other(name: str, options: dict[str, Option]) -> str:
    return next(
        option.negative if name == option.name else option.name
        for option in options.values()
        if option.negative and name in (option.name, option.negative)
    )


def _check(option: Option, given: Sequence[str]) -> None:
    kind, inside = option.kind, typing.get_args(option.kind)
    if typing.get_origin(kind) is tuple:
        several = inside[-1:] == (...,)
        if not several and len(given) != len(inside):
            raise UsageError(f"{option.name} takes {len(inside)} values, received {' '.join(given) or 'none'}")
        for number, value in enumerate(given):
            each = inside[0] if several else inside[number]
            if typing.get_origin(each) is not tuple:  # of pairs the parser knows more
                _check_one(option.name, each, value)
        return
    if not given:
        raise UsageError(f"{option.name} needs a value: {_expected(kind)}")
    if len(given) > 1:
        quoted = f"; quote it: {option.name} {' '.join(given)!r}" if kind is str else ""
        raise UsageError(f"{option.name} takes one value, received {' '.join(given)}{quoted}")
    _check_one(option.name, kind, given[0])


def _check_one(name: str, kind: Any, value: str) -> None:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kinds = [each for each in typing.get_args(kind) if each is not types.NoneType]
        if value != "None" and len(kinds) == 1:
            _check_one(name, kinds[0], value)
    elif typing.get_origin(kind) is typing.Literal:
        names = [str(each) for each in typing.get_args(kind)]
        if value not in names:
            near = difflib.get_close_matches(value, names, n=1, cutoff=0.5)
            hint = f", did you mean {near[0]}?" if near else ""
            raise UsageError(f"{name} must be one of {', '.join(filter(None, names))}, received {value!r}{hint}")
    elif kind in (int, float):
        try:
            kind(value)
        except ValueError:
            raise UsageError(f"{name} must be {_expected(kind)}, received {value!r}") from None


def _expected(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(filter(None, map(str, typing.get_args(kind))))}"
    return {int: "a whole number", float: "a number", str: "a text"}.get(kind, "see --help")
