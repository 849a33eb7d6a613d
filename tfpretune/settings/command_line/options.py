"""The options of a settings class: names, kinds of values, defaults, what each is for. Imports no TensorFlow."""

import ast
import dataclasses
import functools
import inspect
import textwrap
import typing
from collections.abc import Iterator
from typing import Any


@dataclasses.dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: as it is typed, "--optimizer.learning-rate".
        kind: the type of its value.
        default: its value where it is not given.
        about: what it is for.
        home: the settings class that brings it; of settings inside settings that class.
    """

    name: str
    kind: Any
    default: Any
    about: str
    home: type

    @property
    def negative(self) -> str:
        """The name that switches it off; "" of what is no switch."""
        head, dot, last = self.name.rpartition(".")
        return "" if self.kind is not bool else f"{head}{dot}no-{last}" if dot else f"--no-{self.name[2:]}"


def options_of_class(config_class: Any, prefix: str = "--", default: Any = None) -> Iterator[Option]:
    """Yields the options of a settings class in the order of its fields, those of settings inside it in their place."""
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        kind, name = hints[field.name], prefix + field.name.replace("_", "-")
        value = getattr(default, field.name) if default is not None else _default(field)
        if dataclasses.is_dataclass(kind):
            yield from options_of_class(kind, f"{name}.", value)
        else:
            yield Option(name, kind, value, _about(config_class, field.name), _home(config_class, field.name))


def _default(field: Any) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _home(config_class: Any, name: str) -> type:
    """The first class, from the bottom up, that has the field."""
    return next(each for each in reversed(config_class.__mro__) if name in vars(each).get("__annotations__", {}))


def _about(config_class: Any, name: str) -> str:
    """What the class nearest to the top says of a field."""
    return next((text for each in config_class.__mro__ if (text := _texts(each).get(name))), "")


@functools.cache
def _texts(config_class: type) -> dict[str, str]:
    """Field -> the string that stands below it in the class's code."""
    if not dataclasses.is_dataclass(config_class):
        return {}
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(config_class))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    found = {}
    for field, below in zip(body, body[1:], strict=False):
        said = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and said:
            found[field.target.id] = inspect.cleandoc(str(below.value.value))  # type: ignore[attr-defined]
    return found
