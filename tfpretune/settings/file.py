"""config.json: settings to JSON and back, and where two settings differ. Imports no TensorFlow."""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from tfpretune.errors import UsageError
from tfpretune.settings.renamed import modern_fields

Settings = TypeVar("Settings")


def to_json(settings: Any) -> str:
    """Returns the settings as JSON, one field per line."""
    return json.dumps(dataclasses.asdict(settings), indent=2, ensure_ascii=False) + "\n"


def read_config(config_class: type[Settings], path: Path | str) -> Settings:
    """Reads the settings that a run left in its `config.json`.

    Examples:
        >>> import dataclasses, json
        >>> from pathlib import Path
        >>> from tfpretune.settings import RunConfig, read_config
        >>> run = RunConfig("demo:digits", "runs/digits", steps=10)
        >>> _ = Path("config.json").write_text(json.dumps(dataclasses.asdict(run)))  # a run leaves one in its folder
        >>> read_config(RunConfig, "config.json") == run
        True
    """
    try:
        return from_json(config_class, Path(path).read_text("utf-8"), where=str(path))
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8") from None


def from_json(config_class: type[Settings], text: str, *, where: str) -> Settings:
    """Rebuilds settings from `to_json`'s answer; an unknown field or a wrong type is refused by name."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where} is not JSON: line {error.lineno}, {error.msg}") from None
    return _build(config_class, values, where)


def differences(old: Any, new: Any, *, may_differ: tuple[str, ...] = ()) -> list[str]:
    """Returns one line for each field in which two settings differ, nested ones as `optimizer.learning_rate`."""
    a, b = _flatten(dataclasses.asdict(old)), _flatten(dataclasses.asdict(new))
    return changes(a, b, may_differ=may_differ)


def changes(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    may_differ: tuple[str, ...] = (),
    show: Callable[[Any], str] = repr,
) -> list[str]:
    """Returns `NAME: OLD -> NEW` for each name whose values differ, by name; what one side lacks is None there.

    Args:
        old: name -> value.
        new: the same, later.
        may_differ: names that are left out.
        show: makes text of a value.
    """
    return [
        f"{name}: {show(old.get(name))} -> {show(new.get(name))}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name) and name not in may_differ
    ]


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _build(config_class: Any, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise UsageError(
            f"{where}: expected an object with the fields of {config_class.__name__}, received {type(values).__name__}"
        )
    hints = typing.get_type_hints(config_class)
    names = [field.name for field in dataclasses.fields(config_class)]
    built: dict[str, Any] = {}
    for key, value in modern_fields(values, names, where=where).items():
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"{where}: unknown field {key!r}{hint}")
        kind = hints[key]
        if dataclasses.is_dataclass(kind):
            built[key] = _build(kind, value, f"{where}: {key}")
            continue
        value = _tuples(value)
        if isinstance(value, str) and kind == tuple[str, ...]:  # an option that took one name before
            value = (value,)
        if not _fits(value, kind):
            name = kind.__name__ if isinstance(kind, type) else str(kind).removeprefix("typing.")
            raise UsageError(f"{where}: field {key!r} expects {name}, received {value!r}")
        built[key] = value
    try:
        return config_class(**built)
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _fits(value: Any, kind: Any) -> bool:
    origin = typing.get_origin(kind)
    if origin is Literal:
        return value in typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, part) for part in typing.get_args(kind))
    if origin is tuple:
        parts = typing.get_args(kind)
        if not isinstance(value, tuple):
            return False
        if parts[-1] is Ellipsis:
            return all(_fits(item, parts[0]) for item in value)
        return len(value) == len(parts) and all(_fits(item, part) for item, part in zip(value, parts, strict=True))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
